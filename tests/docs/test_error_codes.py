"""The errors that "Connect your app" tells are those of the code, with their status.

Codes are found where the API writes them: in the tree of `api/errors.py`, as `code=` of a
raised error, in the answers of `api/app.py`, and among the refusals of a call.
"""

import ast
import inspect
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from api import errors
from api.errors import ApiError, BadRequestError
from api.request_limits import MOST_BYTES
from api.routes.ingest import _MOST_EVENTS
from engine.segment_fields import (
    _DEEPEST,
    _LONGEST_MESSAGE_ID,
    _LONGEST_NAME,
    LARGEST_CALL,
    RefusalCode,
)
from tests.docs.pages import Page, page, words
from tests.lint.checkout import ROOT, python_files

PAGE = "docs/connect.md"
Found = Iterable[tuple[str, int]]


def tree() -> dict[str, type[ApiError]]:
    """The errors of the API, by name."""
    named = inspect.getmembers(errors, inspect.isclass)
    return {name: each for name, each in named if issubclass(each, ApiError)}


def raised(source: str) -> Iterator[tuple[str, int]]:
    """Codes that a module gives to the errors it raises: `ConflictError(…, code="ended")`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name), keywords=keywords) if name in tree():
                for keyword in keywords:
                    match keyword:
                        case ast.keyword(arg="code", value=ast.Constant(value=code)):
                            yield str(code), tree()[name].status


def answered(source: str) -> Iterator[tuple[str, int]]:
    """Codes that `api/app.py` answers with: `_answer(request, 500, "internal_error", …)`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Name(id="_answer"),
                args=[_, ast.Constant(value=int(status)), ast.Constant(value=code), *_],
            ):
                yield str(code), status
            case ast.Call(
                func=ast.Name(id="_answer"),
                args=[_, ast.Attribute(value=ast.Name(id=name)), ast.Constant(value=code), *_],
            ) if name in tree():
                yield str(code), tree()[name].status
            case ast.Dict(keys=[*keys], values=[*values]):
                for key, value in zip(keys, values, strict=True):
                    match key, value:
                        case ast.Constant(value=int(status)), ast.Constant(value=str(code)):
                            yield code, status


def of_requests() -> dict[str, set[int]]:
    """Every code that a request as a whole may be answered with, and its statuses."""
    found: dict[str, set[int]] = defaultdict(set)
    for each in tree().values():
        found[each.code].add(each.status)
    for path in python_files("api"):
        for code, status in raised(path.read_text(encoding="utf-8")):
            found[code].add(status)
    for code, status in answered((ROOT / "api" / "app.py").read_text(encoding="utf-8")):
        found[code].add(status)
    return found


def of_calls() -> dict[str, set[int]]:
    return {str(code): {BadRequestError.status} for code in RefusalCode}


def told(connect: Page, *headings: str) -> dict[str, set[int]]:
    """The codes of the page's tables, and their statuses."""
    found: dict[str, set[int]] = defaultdict(set)
    for heading in headings:
        for row in connect.table(heading, "code"):
            assert all(row), row
            found[words(row[0])[0]].add(int(row[1]))
    return found


def test_every_refusal_of_a_call_is_told() -> None:
    connect = page(PAGE)
    assert told(connect, "Calls") == of_calls()
    without = replace(connect, text=connect.text.replace("| `too_deep` | 400", "| `too_dep` | 400"))
    assert told(without, "Calls") != of_calls()


def test_every_error_of_a_request_is_told_with_its_status() -> None:
    connect = page(PAGE)
    both = ("Requests", "The rest of the API")
    assert told(connect, *both) == of_requests()
    wrong = replace(connect, text=connect.text.replace("| `ended` | 409", "| `ended` | 404"))
    assert told(wrong, *both) != of_requests()


def test_codes_are_found_wherever_they_are_written() -> None:
    source = """
raise ConflictError("…", code="ended")
return _answer(request, 503, "store_unavailable", "…", retry)
return _answer(request, BadRequestError.status, "invalid_request", told)
codes = {405: "method_not_allowed"}
"""
    assert [*raised(source)] == [("ended", 409)]
    assert sorted(answered(source)) == [
        ("invalid_request", 400),
        ("method_not_allowed", 405),
        ("store_unavailable", 503),
    ]


def test_the_limits_are_those_of_the_code() -> None:
    rows = {row[0]: row[1] for row in page(PAGE).table("Limits", "what")}
    assert rows == {
        "a call": f"{LARGEST_CALL // 1024} KB, nested {_DEEPEST} deep",
        "a request": f"{MOST_BYTES // 1024} KB, also unpacked",
        "calls in a request": f"{_MOST_EVENTS:,}",
        "`messageId`": f"{_LONGEST_MESSAGE_ID} characters",
        "`userId`, `event`": f"{_LONGEST_NAME} characters",
    }

"""What editors are told of the journey files is what the code reads and what the docs say."""

import copy
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from authoring import json_schema
from authoring.json_schema import FILES, schema_of
from authoring.yaml_lines import read_yaml
from engine.expressions import (
    ExpressionError,
    parse_days,
    parse_duration,
    parse_time_expression,
    parse_window,
)
from engine.periods import parse_period
from tests.authoring.right_folder import JOURNEY, POLICY
from tests.cli.running import parcours_here
from tests.docs import schemas
from tests.docs.pages import our_pages, page
from tests.docs.test_examples import HEAD
from tests.docs.test_lists import LANGUAGE
from tests.lint.checkout import ROOT

VALIDATORS = {file: jsonschema_rs.Draft7Validator(schema_of(file)) for file in FILES}
TWENTY = ROOT / "tests" / "authoring" / "twenty_mistakes"


def texts() -> Iterator[tuple[str, str, str]]:
    """Every file that `check` accepts: what it is, where it is, its text."""
    yield "journey", "the right folder", JOURNEY
    yield "policy", "the right folder", POLICY
    for file, path in schemas.our_files():
        yield file, path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    for told in our_pages():
        for fence in told.fences("yaml"):
            where = f"{fence.page}:{fence.line}"
            if fence.kind == "steps":
                yield "journey", where, HEAD + textwrap.indent(fence.text, "  ")
            elif fence.kind == "computed":
                yield "policy", where, POLICY + fence.text
            else:
                yield fence.kind, where, fence.text


RIGHT = [*texts()]
each_right = pytest.mark.parametrize(
    ("file", "text"),
    [(file, text) for file, _, text in RIGHT],
    ids=[f"{where}:{file}" for file, where, _ in RIGHT],
)


def refused(file: str, data: object) -> list[str]:
    """Where a schema finds something wrong, as a path."""
    found = VALIDATORS[file].iter_errors(data)
    return ["/".join(map(str, each.instance_path)) for each in found]


def test_they_are_current() -> None:
    assert [*schemas.stale()] == [], "run `make schemas`"


def test_a_meaning_that_is_told_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    altered = page(LANGUAGE).text.replace("what people call it", "its title")
    monkeypatch.setattr(schemas, "page", lambda name: page(name, altered))
    assert [*schemas.stale()] == ["authoring/meanings.json"]


@pytest.mark.parametrize("file", FILES)
def test_every_key_says_what_it_means(file: str) -> None:
    schema = schema_of(file)
    models = [schema, *schema["definitions"].values()]
    silent = [
        key
        for model in models
        for key, value in model.get("properties", {}).items()
        if "description" not in value
    ]
    assert silent == (["scenarios"] if file == "scenarios" else [])
    assert all("title" not in model for model in models[1:])


@each_right
def test_what_check_accepts_passes(file: str, text: str) -> None:
    assert refused(file, read_yaml(text).data) == []


def _mappings(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield path
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _mappings(each, (*path, key))


# Under these keys the names, and what hangs below them, are the author's.
FREE = {
    "topics", "webhooks", "traits", "segments", "quiet_hours", "variants", "set", "with",
    "customer", "identify", "title", "description", "stop_text",
}  # fmt: skip


@each_right
def test_an_unknown_key_is_refused_wherever_it_stands(file: str, text: str) -> None:
    data = read_yaml(text).data
    tried = 0
    for path in _mappings(data):
        if FREE & {*path[-1:]} or {"customer", "identify", "with", "set"} & {*path}:
            continue
        wrong = copy.deepcopy(data)
        place = wrong
        for part in path:
            place = place[part]
        place["no_such_key"] = "x"
        assert refused(file, wrong) != [], path
        tried += 1
    assert tried > 0


@pytest.mark.parametrize(
    ("file", "where"),
    [
        ("onboarding", ""),  # `reentr`
        ("onboarding", "steps/0/at"),  # an unknown unit
        ("onboarding", "steps/2"),  # two triggers
        ("onboarding", "steps/3"),  # none
        ("win-back", "steps/2/between"),  # 25:00
        ("win-back", "steps/3/days"),  # `fry`
    ],
)
def test_of_the_twenty_mistakes_those_of_shape_are_refused(file: str, where: str) -> None:
    data = read_yaml((TWENTY / file / "journey.yaml").read_text(encoding="utf-8")).data
    assert where in refused("journey", data)


def test_those_that_only_the_whole_folder_knows_are_left_to_check() -> None:
    for path in (TWENTY / "welcome/scenarios.yaml", TWENTY / "renamed/journey.yaml"):
        assert refused(path.stem, read_yaml(path.read_text(encoding="utf-8")).data) == []


_STEP = {"send": "thanks", "at": "start"}
_HEAD = {"journey": "trial", "title": "A trial"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": [_STEP]},  # neither topic nor transactional
        {"topic": "news", "transactional": True, "steps": [_STEP]},
        {"topic": "news", "steps": []},
        {"topic": "news", "title": None, "steps": [_STEP]},
        {"topic": "news", "journey": "A Trial", "steps": [_STEP]},
        {"topic": "news", "holdout": "half", "steps": [_STEP]},
        {"topic": "news", "holdout": 1.5, "steps": [_STEP]},
        {"topic": "news", "goal": {"evnt": "bought"}, "steps": [_STEP]},
        {"topic": "news", "starts_on": [{"event": "a", "of": "company"}], "steps": [_STEP]},
        {"topic": "news", "starts_on": {"enters": "lapsed", "event": "a"}, "steps": [_STEP]},
        {"topic": "news", "starts_on": {"where": "event.total > 5"}, "steps": [_STEP]},
        {"topic": "news", "ends_on": ["a", {"leaves": "Not a name"}], "steps": [_STEP]},
        {"topic": "news", "steps": [{"set": {"a": 1}, "at": "start"}]},  # no id
        {"topic": "news", "steps": [{**_STEP, "call": "crm"}]},
        {"topic": "news", "steps": [{**_STEP, "id": "start"}]},
        {"topic": "news", "steps": [{**_STEP, "offer": {"valid": "1 day"}}]},
        {
            "topic": "news",
            "steps": [{**_STEP, "offer": {"valid": "1 day", "percent": 5, "amount": 5}}],
        },
        {"topic": "news", "steps": [{**_STEP, "offer": {"valid": "1 day", "percent": 101}}]},
    ],
)
def test_a_journey_that_can_not_be_is_refused(wrong: dict[str, Any]) -> None:
    assert refused("journey", _HEAD | {"topic": "news", "steps": [_STEP]}) == []
    assert refused("journey", _HEAD | wrong) != []


PARSERS: dict[str, Callable[[str], object]] = {
    "TimeExpression": parse_time_expression,
    "Duration": parse_duration,
    "Window": parse_window,
    "Days": parse_days,
    "CalendarPeriod": parse_period,
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"traits": {"orders": {"count": "ordered", "sum": "ordered"}}},
        {"traits": {"orders": {"within": "90 days"}}},
        {"traits": {"orders": "ordered"}},
        {"segments": {"lapsed": {"title": "No condition"}}},
        {"segments": {"No name": {"when": "customer.orders > 1"}}},
        {"quiet_hours": {"sms": {}}},
        {"quiet_hours": {"sms": "21:00"}},
        {"caps": [{"max": 0, "per": "7 days"}]},
        {"caps": [{"max": 1, "per": "calendar year"}]},
        {"holdout": "5"},
        {"topics": {}},
    ],
)
def test_a_policy_that_can_not_be_is_refused(wrong: dict[str, Any]) -> None:
    policy = read_yaml(POLICY).data
    assert refused("policy", policy) == []
    assert refused("policy", policy | wrong) != []


LITTLE_TEXTS = [
    ("TimeExpression", "start"),
    ("TimeExpression", "start+1 day"),
    ("TimeExpression", "start + 1day - 2 hours at 9:00"),
    ("TimeExpression", "customer.company.trial_ends_at - 5 days"),
    ("TimeExpression", "customer.prénom + 1 month"),
    ("TimeExpression", "tip-2 + 1 week at 23:59"),
    ("TimeExpression", "start + 1 day at best hour"),
    ("TimeExpression", "start at best day"),
    ("TimeExpression", "tip-2 days"),
    ("TimeExpression", "event + 1 day"),
    ("TimeExpression", "customer.birthday at 24:00"),
    ("TimeExpression", "start + 1.5 days"),
    ("TimeExpression", "start + day"),
    ("TimeExpression", "user.birthday"),
    ("TimeExpression", "+ 1 day"),
    ("Duration", "10 days"),
    ("Duration", "1 hour 30 minutes"),
    ("Duration", "10days"),
    ("Duration", "1 hour30 minutes"),
    ("Duration", "- 1 day"),
    ("Duration", "1 dya"),
    ("Duration", "1h"),
    ("Window", "09:00-18:00"),
    ("Window", "9:00 - 24:00"),
    ("Window", "24:00-09:00"),
    ("Window", "9-18"),
    ("Days", "mon-fri"),
    ("Days", "Mon, wednesday,FRI - sun"),
    ("Days", "weekdays"),
    ("Days", "mon,"),
    ("CalendarPeriod", "calendar week"),
    ("CalendarPeriod", "Calendar Month"),
    ("CalendarPeriod", "calendar year"),
]


@pytest.mark.parametrize(("kind", "text"), LITTLE_TEXTS)
def test_the_patterns_of_little_texts_agree_with_what_reads_them(kind: str, text: str) -> None:
    definitions = {**schema_of("journey")["definitions"], **schema_of("policy")["definitions"]}
    try:
        PARSERS[kind](text)
        reads = True
    except ExpressionError:
        reads = False
    assert jsonschema_rs.Draft7Validator(definitions[kind]).is_valid(text) is reads


def test_a_text_that_nobody_has_described_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {kind: text for kind, text in json_schema._TEXTS.items() if kind.__name__ != "Window"}
    monkeypatch.setattr(json_schema, "_TEXTS", known)
    with pytest.raises(TypeError, match="holds Window and nobody has said how it is written"):
        schema_of("journey")


@pytest.mark.parametrize(("file", "path"), schemas.our_files(), ids=lambda each: str(each)[-40:])
def test_a_journey_file_says_where_its_schema_is(file: str, path: Path) -> None:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    assert first.startswith(schemas.COMMENT)
    told = path.parent / first.removeprefix(schemas.COMMENT)
    assert told.resolve() == ROOT / "docs" / "schemas" / f"{file}.json"


@pytest.mark.parametrize("file", FILES)
def test_the_command_prints_it_or_writes_it(file: str, tmp_path: Path) -> None:
    kept = (ROOT / "docs" / "schemas" / f"{file}.json").read_text(encoding="utf-8")
    assert parcours_here("schema", file).out == kept
    target = tmp_path / "schema.json"
    ran = parcours_here("schema", file, "-o", target)
    assert (ran.code, target.read_text(encoding="utf-8")) == (0, kept)


def test_the_command_says_what_it_can_not_do(tmp_path: Path) -> None:
    assert parcours_here("schema", "journy").code == 2
    ran = parcours_here("schema", "journey", "--output", tmp_path / "no" / "schema.json")
    assert (ran.code, "can't be written" in ran.err) == (1, True)

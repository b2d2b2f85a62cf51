"""A mapping of a file against a model: all that is wrong with it, and what can still be used.

pydantic runs a model's own rules ("exactly one of …") only when every field is right. So a
mapping with wrong fields is read a second time, with stand-ins in their place, and the
rules are heard too. The surprising fact: the value that comes out may therefore hold
stand-ins; `broken` names the keys that were not taken from the file.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from authoring.sentences import A_KEY, guess, keys_of, model_at, sentence
from authoring.source import Loc, Source

M = TypeVar("M", bound=BaseModel)

_QUOTED = re.compile(r"`(\w+)[`:]")

# Under these keys the file's author is free: names and empty values are theirs.
_FREE = frozenset({"set", "with", "customer", "identify"})


@dataclass(frozen=True)
class Shape(Generic[M]):
    """`value` is None if the mapping breaks a rule of the whole; `broken` are keys not to trust."""

    value: M | None
    broken: frozenset[str]

    def good(self, key: str) -> bool:
        """Whether the value's `key` is what the file says."""
        return self.value is not None and key not in self.broken


def read_shape(
    model: type[M], data: object, source: Source, loc: Loc, stand_ins: Mapping[str, Any]
) -> Shape[M]:
    """Validates `data`, the part of the file at `loc`; every mistake goes to `source`.

    `stand_ins` has, for keys that the model's own rules look at, a value that breaks none.
    """
    if not isinstance(data, dict):
        source.refuse(loc, f"expected keys with values here, such as `{keys_of(model)[0]}: …`")
        return Shape(None, frozenset())
    filled = dict(_report_empty(data, source, loc))
    empty = data.keys() - filled.keys()
    errors = _errors(model, filled | {k: v for k, v in stand_ins.items() if k in empty})
    for error in errors:
        if not _follows(error, errors, model, data):
            _report(error, model, data, source, loc)
    broken = empty | {str(e["loc"][0]) for e in errors if e["loc"]}
    if any(not error["loc"] for error in errors):
        return Shape(None, frozenset(broken))
    good = {k: v for k, v in filled.items() if k not in broken}
    meant = _meant(errors, model) - good.keys()
    faults: list[ErrorDetails] = []
    # An unknown key may stand for the one that was meant, or for nothing: allow both.
    for lost in (broken | meant, broken):
        repaired = good | {k: v for k, v in stand_ins.items() if k in lost}
        if not (faults := _errors(model, repaired)):
            return Shape(validate(model, repaired), frozenset(lost))
    for fault in faults:
        _report(fault, model, data, source, loc)
    return Shape(None, frozenset(broken))


def validate(model: type[M], data: object) -> M:
    """The model as a person's file must be read: unknown keys refused, `from` only as `from`."""
    return model.model_validate(data, extra="forbid", by_alias=True, by_name=False)


def _report(
    error: ErrorDetails, model: type[BaseModel], data: dict[str, Any], source: Source, loc: Loc
) -> None:
    message = sentence(error, model)
    place: Loc = [part for part in error["loc"] if part != A_KEY]
    if not place:  # a rule of the whole: its line is that of the first key it quotes
        place = [key for key in _QUOTED.findall(message) if key in data][:1]
    source.refuse([*loc, *place], message)


def _errors(model: type[BaseModel], data: object) -> list[ErrorDetails]:
    try:
        validate(model, data)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _report_empty(data: Mapping[str, Any], source: Source, loc: Loc) -> Iterator[tuple[str, Any]]:
    """The entries that have a value: `ends_at:` with nothing behind it must not pass for no key."""
    for key, value in data.items():
        if value is None:
            source.refuse([*loc, key], f"`{key}` has no value: write one, or remove the key")
            continue
        yield key, value if key in _FREE else _filled(value, source, [*loc, key])


def _filled(value: Any, source: Source, loc: Loc) -> Any:
    if isinstance(value, dict):
        return dict(_report_empty(value, source, loc))
    if isinstance(value, list):
        return [_filled(item, source, [*loc, n]) for n, item in enumerate(value)]
    return value


def _meant(errors: list[ErrorDetails], model: type[BaseModel]) -> set[str]:
    """The keys that unknown ones were probably meant to be: the rules must not miss them."""
    unknown = (str(e["loc"][0]) for e in errors if _is_unknown(e) and len(e["loc"]) == 1)
    return {meant for key in unknown if (meant := guess(key, keys_of(model)))}


def _follows(
    error: ErrorDetails, errors: list[ErrorDetails], model: type[BaseModel], data: object
) -> bool:
    """Whether a missing key is there after all: empty, or misspelt; either is reported."""
    if error["type"] != "missing":
        return False
    *parent, key = error["loc"]
    known = keys_of(model_at(model, parent))
    for part in parent:
        if isinstance(data, dict | list) and (isinstance(data, list) or part in data):
            data = data[part]  # type: ignore[index]
    return (isinstance(data, dict) and key in data) or any(
        _is_unknown(e) and [*e["loc"][:-1]] == parent and guess(str(e["loc"][-1]), known) == key
        for e in errors
    )


def _is_unknown(error: ErrorDetails) -> bool:
    return error["type"] == "extra_forbidden"

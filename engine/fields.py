"""The types of a journey file's fields: what is written as text, and what that text means.

Each reads what a person wrote and writes the same text back, so a definition that is
pinned and read again is equal. Knows no key of a journey: those are `definition`'s.
"""

import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, PlainSerializer

from engine.events import BuiltInEvent
from engine.expressions import (
    Days,
    Duration,
    TimeExpression,
    Window,
    parse_days,
    parse_duration,
    parse_time_expression,
    parse_window,
)
from engine.periods import Period, parse_period

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_STEP_ID = re.compile(r"[a-z][a-z0-9_-]*")
# A step may not take the name of an anchor: `at: start + 1 day` must have one meaning.
_ANCHOR_WORDS = frozenset({"start", "event", "customer"})


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"`{value}` is not a name: use lower case letters, digits and hyphens")
    return value


def _check_step_id(value: str) -> str:
    if not _STEP_ID.fullmatch(value):
        raise ValueError(
            f"`{value}` is not a step id: start with a lower case letter, then lower case "
            "letters, digits, `-` or `_`"
        )
    if value in _ANCHOR_WORDS:
        raise ValueError(f"`{value}` is a word of time expressions: give the step another id")
    return value


def _read_share(value: object) -> object:
    if isinstance(value, str) and value.endswith("%"):
        try:
            return float(value[:-1]) / 100
        except ValueError:
            raise ValueError(f"`{value}` is not a share: write `0.1` or `10%`") from None
    return value


# What stands in place of `event`: the segment that is entered or left.
TRANSITIONS: Mapping[str, BuiltInEvent] = {
    "enters": BuiltInEvent.SEGMENT_ENTERED,
    "leaves": BuiltInEvent.SEGMENT_LEFT,
}


def read_events(value: object) -> object:
    """Every key that takes events takes a name, a mapping, or a list of these."""
    if isinstance(value, str | dict):
        value = [value]
    if isinstance(value, list):
        return [_read_event(item) for item in value]
    return value


def _read_event(item: object) -> object:
    """`{enters: lapsed}` is the event `segment.entered`, where that is the segment."""
    if isinstance(item, str):
        return {"event": item}
    given = [key for key in TRANSITIONS if isinstance(item, dict) and key in item]
    if not isinstance(item, dict) or not given:
        return item
    if len(given) > 1 or "event" in item:
        others = [key for key in (*given, "event") if key in item]
        raise ValueError(
            f"{' and '.join(f'`{key}`' for key in others)} name one event each: "
            "write a list of events"
        )
    key, rest = given[0], dict(item)
    segment = rest.pop(key)
    if not isinstance(segment, str) or not _NAME.fullmatch(segment):
        raise ValueError(
            f"`{key}: {segment}` is not a segment: write its name, such as `{key}: lapsed`"
        )
    is_it = f"event.segment == '{segment}'"
    where = rest.get("where", is_it)
    if isinstance(where, str) and "where" in rest:
        where = f"{is_it} and ({where})"
    return {**rest, "event": TRANSITIONS[key].value, "where": where}


def read_variants(value: object) -> object:
    if isinstance(value, dict):
        return {k: {"send": v} if isinstance(v, str) else v for k, v in value.items()}
    return value


def _read_leaves(value: object) -> object:
    """What a customer is taken off: everything, or some topics."""
    names = value if isinstance(value, list | tuple) else ()
    if value is True or (names and all(isinstance(name, str) for name in names)):
        return value
    raise ValueError("write `true`, for everything, or a list of topics such as `[news]`")


def _as_json(value: object) -> object:
    """What YAML has and JSON has not, as JSON: a date is its ISO text."""
    if isinstance(value, dict):
        return {key: _as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"`{value}` is not a number that can be kept")
    return value


def _text(parse: Any) -> BeforeValidator:
    """A validator for a value written as text; a value already parsed passes."""

    def read(value: object) -> object:
        if isinstance(value, str):
            return parse(value)
        if isinstance(value, int | float | list | dict) or value is None:
            raise ValueError(f"expected text, found `{value}`")
        return value

    return BeforeValidator(read)


_AS_TEXT = PlainSerializer(str, return_type=str)

Name = Annotated[str, AfterValidator(_check_name)]
StepId = Annotated[str, AfterValidator(_check_step_id)]
Share = Annotated[float, BeforeValidator(_read_share), Field(ge=0, le=1)]
Priority = Annotated[int, Field(strict=True, ge=-1000, le=1000)]
DurationText = Annotated[Duration, _text(parse_duration), _AS_TEXT]
TimeText = Annotated[TimeExpression, _text(parse_time_expression), _AS_TEXT]
WindowText = Annotated[Window, _text(parse_window), _AS_TEXT]
DaysText = Annotated[Days, _text(parse_days), _AS_TEXT]
PeriodText = Annotated[Period, _text(parse_period), _AS_TEXT]
Leaves = Annotated[Literal[True] | tuple[str, ...], BeforeValidator(_read_leaves)]
Json = Annotated[JsonValue, BeforeValidator(_as_json)]

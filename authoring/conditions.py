"""Conditions and events as files name them: do they mean something, and what exists?

Knows files only through what it is given. The surprising fact: `enters` and `leaves` have
become events with a `where` by the time they are checked, so what the author wrote is read
from the raw value beside it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from authoring.sentences import did_you_mean
from authoring.source import Loc, Source
from engine.definition import EventMatch
from engine.events import BUILT_IN_EVENTS, is_built_in, is_reserved
from engine.fields import TRANSITIONS
from rendering.conditions import Kind, compile_condition
from rendering.errors import ConditionSyntaxError

_LONE_EQUALS = re.compile(r"(?<![=!<>])=(?!=)")


@dataclass(frozen=True)
class Known:
    """What a condition may name; None where the files do not let it be known."""

    step_ids: tuple[str, ...] | None = None
    segments: tuple[str, ...] | None = None


def check_events(
    matches: Iterable[EventMatch],
    raw: Any,
    loc: Loc,
    source: Source,
    segments: tuple[str, ...] | None,
) -> None:
    """The events that a key of a journey names; `raw` is its value as written."""
    for index, match in enumerate(matches):
        # A single event may stand for a list of one; then there is no place in a list.
        at, written = ([*loc, index], raw[index]) if isinstance(raw, list) else ([*loc], raw)
        where = match.where
        for key in TRANSITIONS:
            if isinstance(written, dict) and key in written:
                check_segment(str(written[key]), [*at, key], source, segments)
                where = written.get("where")
        check_event_name(match.event, [*at, "event"], source)
        if where is not None:
            check_condition(where, [*at, "where"], source, Known(), Kind.WHERE)


def check_event_name(name: str, loc: Loc, source: Source) -> None:
    """A name with a dot must be one of ours."""
    if not is_reserved(name) or is_built_in(name):
        return
    hint = did_you_mean(name, BUILT_IN_EVENTS, "names with a dot are built in, and these are")
    if not hint.endswith("?"):
        hint += f"; write an event of your own without a dot, such as `{name.replace('.', '_')}`"
    source.refuse(loc, f"`{name}` is a reserved name{hint}")


def check_counted_name(name: str, loc: Loc, source: Source) -> None:
    """What is computed can't be made of what comes of it: nobody could say which is first."""
    if name in TRANSITIONS.values():
        source.refuse(
            loc,
            f"`{name}` can't be computed with: it comes of what is computed; count the events "
            "that the segment is made of",
        )
        return
    check_event_name(name, loc, source)


def check_segment(name: str, loc: Loc, source: Source, segments: tuple[str, ...] | None) -> None:
    """It must be one of the policy's."""
    if segments is None or name in segments:
        return
    hint = did_you_mean(name, segments, "policy.yaml has")
    if not segments:
        hint = "; add it to `segments` in policy.yaml"
    source.refuse(loc, f"unknown segment `{name}`{hint}")


def check_condition(
    text: str, loc: Loc, source: Source, known: Known, kind: Kind = Kind.WHEN
) -> None:
    """Every mistake goes to `source`, with the name of the key that the condition stands at."""
    try:
        condition = compile_condition(text, kind)
    except ConditionSyntaxError as error:
        compares = _LONE_EQUALS.search(text) is not None and "`==`" not in str(error)
        hint = "; to compare, write `==`" if compares else ""
        source.refuse(loc, f"`{loc[-1]}`: {error}{hint}")
        return
    check_name = check_counted_name if kind is Kind.SEGMENT else check_event_name
    for name in sorted(condition.event_names):
        check_name(name, loc, source)
    for name in sorted(condition.segments):
        check_segment(name, loc, source, known.segments)
    for step_id in sorted(condition.step_ids):
        if known.step_ids is not None and step_id not in known.step_ids:
            hint = did_you_mean(step_id, known.step_ids, "the steps are")
            source.refuse(loc, f"`{loc[-1]}`: there is no step `{step_id}`{hint}")

"""What a time expression counts from: the anchor's raw value, and the instant it means.

Knows the start, the enrolling event's dates and the live traits; an anchor that is another
step has no value here, as only that step's settlements know it.
"""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from engine.enrollment import Start, State
from engine.expressions import EventAnchor, StartAnchor, TimeExpression, TraitAnchor
from engine.localtime import OutOfRange, resolve, zone
from engine.values import read_instant

# Enough for the expressions and start days that are open at once; an entry is some 300 bytes.
_REMEMBERED = 20_000


def state_zone(state: State) -> ZoneInfo:
    """The customer's zone; routing saw to it that it exists."""
    return zone(state.facts.zone) or ZoneInfo("UTC")


def raw_anchor(time: TimeExpression, start: Start, state: State) -> object:
    """The anchor's value as it was received; None for the start, another step, or no value."""
    match time.anchor:
        case EventAnchor(path=path):
            return state.values.get(path, start.values.get(path))
        case TraitAnchor(path=path):
            return state.facts.traits.get(path)
        case _:
            return None


def anchor_value(time: TimeExpression, start: Start, state: State) -> datetime | None:
    """The instant that the anchor means for the customer; None if missing or unreadable."""
    if isinstance(time.anchor, StartAnchor):
        return start.at
    return read_instant(raw_anchor(time, start, state), state_zone(state))


def exists_from(time: TimeExpression, start: Start, state: State) -> datetime:
    """Occurrences of a repeat before this do not exist (design, "Time", rule 4)."""
    if isinstance(time.anchor, TraitAnchor):
        return max(start.at, state.arrived_at.get(time.anchor.path, start.at))
    return start.at


@lru_cache(maxsize=_REMEMBERED)
def resolved(time: TimeExpression, anchor: datetime, tz: ZoneInfo) -> datetime | None:
    """When the expression is, its anchor being then; None beyond the calendar."""
    try:
        return resolve(time, anchor, tz)
    except OutOfRange:
        return None

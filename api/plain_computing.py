"""Computing from events that concern no journey, of customers of whom nothing else is new.

Most of what is computed from is of this kind: a look at a product, a use of the app. Its
customers are known by their computed row and their traits alone, all of a request at once.
The one surprising fact: whoever thereby enters or leaves a segment, or had before by time
alone, is not touched here; they are answered, to be taken the long way from the beginning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard
from zoneinfo import ZoneInfo

from api.computing import Computing
from api.reach import Locked
from engine.calls import Call, Track
from engine.computed import Computations
from engine.keys import is_anonymous
from engine.localtime import zone
from engine.matching import Evaluate
from engine.routing import zone_of
from store.computed import Kept, WithTraits
from store.journeys import Published


@dataclass
class PlainComputed:
    """What came of it: rows to be kept, and the ids of customers of whom more comes (`moved`)."""

    rows: list[Kept] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)


def is_heard(call: Call, by: Computations, locked: Locked) -> TypeGuard[Track]:
    """Whether something is computed from a call, and its customer may be plain."""
    return (
        isinstance(call, Track)
        and call.event in by.events
        and call.customer_id not in locked.rows
        and not is_anonymous(call.customer_id)
    )


def is_by(known: WithTraits | None, by: Computations) -> TypeGuard[WithTraits]:
    """Whether something is kept of a customer, by these definitions."""
    return known is not None and known.kept.by == by.version


def compute_plain(
    by: Computations | None,
    evaluate: Evaluate,
    locked: Locked,
    fresh: Mapping[str, Sequence[Call]],
    kept: Mapping[str, WithTraits],
    published: Published | None,
) -> PlainComputed:
    """Take in those calls of plain customers, of whom this is kept by these definitions."""
    found = PlainComputed()
    if by is None or published is None:
        return found
    for who, calls in fresh.items():
        heard = [call for call in calls if is_heard(call, by, locked)]
        if not heard:
            continue
        tracks = sorted(heard, key=lambda track: track.at) if len(heard) > 1 else heard
        after = _taken_in(by, evaluate, kept[who], tracks, published.policy.timezone)
        if after is None:
            found.moved.add(who)
        elif after.is_changed:
            found.rows.append(after.kept(who))
    return found


def _taken_in(
    by: Computations,
    evaluate: Evaluate,
    known: WithTraits,
    tracks: Sequence[Track],
    default_zone: str,
) -> Computing | None:
    """What is computed after these; None if there is more to it than a row."""
    row = known.kept
    if row.changes_at is not None and row.changes_at <= tracks[-1].at:
        return None  # time changes something first
    computing, tz = Computing.of(by, row), None
    for track in tracks:
        computing.happened(track, evaluate)
        if computing.is_stale:
            tz = tz or _zone(known, default_zone)
            at = computing.at(track.at)
            left, entered = computing.look(known.traits, at, tz, evaluate, after=track.event)
            if left or entered:
                return None
    return computing


def _zone(known: WithTraits, default: str) -> ZoneInfo:
    found = zone(zone_of(known.traits, known.context_timezone, default)[0])
    assert found is not None  # a customer's zone exists
    return found

"""Computing from events that concern no journey, of customers of whom nothing else is new.

Most of what is computed from is of this kind: a look at a product, a use of the app. Its
customers are known by their computed row and their traits alone, all of a request at once.
The one surprising fact: whoever thereby enters or leaves a segment, or had before by time
alone, is not touched here; they are answered, to be taken the long way from the beginning.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard
from zoneinfo import ZoneInfo

from api.computing import Computing
from api.reach import Locked
from engine.calls import Call, Track
from engine.computed import Computations, TakenBy
from engine.keys import is_anonymous
from engine.localtime import zone
from engine.matching import Evaluate, PastEvent, past
from engine.routing import zone_of
from store.computed import Kept, WithTraits
from store.journeys import Published


@dataclass
class PlainComputed:
    """What came of it: rows to be kept, and the ids of customers of whom more comes (`moved`)."""

    rows: list[Kept] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Heard:
    """A call from which something is computed, and by what measures."""

    call: Track
    event: PastEvent
    measures: TakenBy


def heard_among(
    calls: Iterable[Call], by: Computations | None, evaluate: Evaluate
) -> Mapping[str, Sequence[Heard]]:
    """Those of the calls from which something is computed, by customer.

    That hangs on the event alone: so it is known of whoever it is, and nobody is read for the
    others.
    """
    found: dict[str, list[Heard]] = {}
    if by is None:
        return found
    for call in calls:
        if not isinstance(call, Track) or call.event not in by.events:
            continue
        if is_anonymous(call.customer_id):
            continue
        event = past(call)
        if measures := by.taken_by(event, evaluate):
            found.setdefault(call.customer_id, []).append(Heard(call, event, measures))
    return found


def is_by(known: WithTraits | None, by: Computations) -> TypeGuard[WithTraits]:
    """Whether something is kept of a customer, by these definitions."""
    return known is not None and known.kept.by == by.version


def compute_plain(
    by: Computations | None,
    evaluate: Evaluate,
    locked: Locked,
    heard: Mapping[str, Sequence[Heard]],
    kept: Mapping[str, WithTraits],
    published: Published | None,
    fresh: Mapping[str, Sequence[Call]],
) -> PlainComputed:
    """Take in what was `heard` that is `fresh`, of plain customers.

    `kept` is what there is of them by these definitions.
    """
    found = PlainComputed()
    if by is None or published is None:
        return found
    for who, theirs in heard.items():
        if who in locked.rows:
            continue
        new = {id(call) for call in fresh.get(who, ())}
        mine = list({id(each.call): each for each in theirs if id(each.call) in new}.values())
        if not mine:
            continue
        mine.sort(key=lambda each: each.event.at)
        after = _taken_in(by, evaluate, kept[who], mine, published.policy.timezone)
        if after is None:
            found.moved.add(who)
        elif after.is_changed:
            found.rows.append(after.kept(who))
    return found


def _taken_in(
    by: Computations,
    evaluate: Evaluate,
    known: WithTraits,
    heard: Sequence[Heard],
    default_zone: str,
) -> Computing | None:
    """What is computed after these; None if there is more to it than a row."""
    row = known.kept
    if row.changes_at is not None and row.changes_at <= heard[-1].event.at:
        return None  # time changes something first
    computing, tz = Computing.of(by, row), None
    for each in heard:
        event = each.event
        computing.take_in(event, each.measures)
        if computing.is_stale:
            tz = tz or _zone(known, default_zone)
            at = computing.at(event.at)
            left, entered = computing.look(known.traits, at, tz, evaluate, after=event.name)
            if left or entered:
                return None
    return computing


def _zone(known: WithTraits, default: str) -> ZoneInfo:
    found = zone(zone_of(known.traits, known.context_timezone, default)[0])
    assert found is not None  # a customer's zone exists
    return found

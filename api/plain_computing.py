"""Computing from events that concern no journey, of customers of whom nothing else is new.

Most of what is computed from is of this kind: a look at a product, a use of the app. Its
customers are known by their computed row and their traits alone, all of a request at once.
The one surprising fact: whoever thereby enters or leaves a segment, or had before by time
alone, is not touched here; they are answered, to be taken the long way from the beginning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from api.computing import Computing
from api.reach import Locked
from engine.calls import Call, Track
from engine.computed import Computations
from engine.keys import is_anonymous
from engine.localtime import zone
from engine.matching import Evaluate
from engine.routing import zone_of
from store import computed
from store.computed import Kept, WithTraits
from store.journeys import Published


async def compute_plain(
    session: AsyncSession,
    by: Computations,
    evaluate: Evaluate,
    locked: Locked,
    fresh: Mapping[str, Sequence[Call]],
    published: Published | None,
) -> frozenset[str]:
    """Take in those calls of plain customers; the ids of customers of whom more comes of it."""
    theirs = {
        who: sorted(heard, key=lambda track: track.at)
        for who, calls in fresh.items()
        if who not in locked.rows and not is_anonymous(who) and (heard := _heard(by, calls))
    }
    if not theirs:
        return frozenset()
    assert published is not None  # or nothing would be computed
    found = await computed.with_traits(session, theirs)
    looked_at: list[Kept] = []
    remembered: list[Kept] = []
    moved: set[str] = set()
    for who, tracks in theirs.items():
        after = _taken_in(by, evaluate, found.get(who), tracks, published.policy.timezone)
        if after is None:
            moved.add(who)
        elif after.is_changed:
            now, before = after.kept(who), found[who].kept
            is_as_it_was = replace(now, state=before.state) == before
            (remembered if is_as_it_was else looked_at).append(now)
    if looked_at:  # one statement is cheaper than two
        await computed.keep(session, looked_at + remembered)
    else:
        await computed.keep_states(session, remembered)
    return frozenset(moved)


def _heard(by: Computations, calls: Sequence[Call]) -> list[Track]:
    return [call for call in calls if isinstance(call, Track) and call.event in by.events]


def _taken_in(
    by: Computations,
    evaluate: Evaluate,
    known: WithTraits | None,
    tracks: Sequence[Track],
    default_zone: str,
) -> Computing | None:
    """What is computed after these; None if there is more to it than a row."""
    if known is None or known.kept.by != by.version:
        return None
    row = known.kept
    if row.changes_at is not None and row.changes_at <= tracks[-1].at:
        return None  # time changes something first
    tz = zone(zone_of(known.traits, known.context_timezone, default_zone)[0])
    assert tz is not None  # a customer's zone exists
    computing = Computing.of(by, row)
    for track in tracks:
        computing.happened(track, evaluate)
        if computing.is_stale:
            at = computing.at(track.at)
            left, entered = computing.look(known.traits, at, tz, evaluate, after=track.event)
            if left or entered:
                return None
    return computing

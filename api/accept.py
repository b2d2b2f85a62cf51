"""Accepting calls: one transaction in which everything they change is written, then the 200.

Rules for whoever edits this next:

1. Everybody concerned is locked first, all of a request at once (`api.reach`).
2. Who is whom comes next: ids that a call joins are one customer before anything is routed.
3. The unique `message_id` decides what is new, not a look beforehand. A repeat does nothing:
   what was computed of it before that was known is thrown away.
4. Routing decides (`engine.routing`); here its effects are carried out, in their order.
5. What ends an enrollment closes it here, in the same transaction. Temporal hears later.
6. A condition that fails never fails the call.
7. Nothing in here waits for Temporal.
8. Taking a call in asks the database through the carrier's `turn` alone: its session may be busy.

The one surprising fact: a batch is taken in the order in which things happened, customer by
customer, not in the order in which it lists them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from api.by_hand import REFUSED_BY_HAND
from api.carrying import Carrier
from api.consenting import with_what_is_asked
from api.errors import ApiError
from api.event_rows import event_rows
from api.joining import join_all
from api.meanwhile import InTurn, meanwhile
from api.people import Person, people
from api.plain import concerned_by, seen_by_plain
from api.plain_computing import PlainComputed, compute_plain, heard_among, is_by
from api.reach import MOST_TRIES, Locked, NotReachedError, Reach, lock, reach_of
from api.refusals import keep_with
from api.returning import NamesErasedError, come_back, recognise
from api.services import Services
from api.taking import Sayings, how_said, take
from engine.calls import (
    Call,
    EnrollByHand,
    TimePassed,
    Track,
)
from engine.computed import Computations
from engine.watching import Watched
from rendering.computed import computations_of
from store import computed, customers, enrolled, events, journeys
from store.away import is_conflict
from store.computed import Kept, WithTraits
from store.customers import Known
from store.events import NewEvent
from store.tables import Customer, RefusedCall


@dataclass(frozen=True)
class Accepted:
    """What became of a request.

    `new` are the message ids that were not known before; `enrolled` the ids of enrollments
    that began; `carried` counts what Temporal has to hear. `erased` are the message ids of
    history that was refused, because somebody in it was erased.
    """

    new: frozenset[str]
    enrolled: tuple[str, ...] = ()
    carried: int = 0
    erased: frozenset[str] = frozenset()


async def accept(
    services: Services,
    calls: Sequence[Call],
    received_at: datetime,
    said: Sayings | None = None,
    refused: Sequence[RefusedCall] = (),
) -> Accepted:
    """Accept calls that were received at `received_at` (journey time), durably.

    `refused` is what else was in the request, and is kept with them. Raises what
    `enroll_by_hand` does for an EnrollByHand, and then nothing of the request is accepted.
    """
    erased: frozenset[str] = frozenset()
    reach = reach_of(calls)
    for _ in range(MOST_TRIES):
        if not calls:
            await services.refusals.keep(refused)
            return Accepted(new=frozenset(), erased=erased)
        try:
            async with services.database.transaction() as session:
                accepted = await _accept(session, services, calls, received_at, said, reach)
                await keep_with(session, refused)
        except NotReachedError as short:
            reach = short.wider
            continue
        except DBAPIError as error:
            if not is_conflict(error):
                raise
            continue
        except NamesErasedError as named:
            erased |= named.message_ids
            calls = [call for call in calls if call.message_id not in erased]
            reach = reach_of(calls)
            continue
        services.metrics.accepted(calls, accepted.new)
        if accepted.carried:
            services.woken.set()
        return replace(accepted, erased=erased)
    raise RuntimeError("whom a request concerns has kept changing")


async def accept_in(
    session: AsyncSession,
    services: Services,
    calls: Sequence[Call],
    received_at: datetime,
    said: Sayings | None = None,
    refused: dict[str, ApiError] | None = None,
) -> Accepted:
    """`accept` inside a transaction of the caller's, who sets `services.woken` after it.

    With `refused` those whom a person may not enroll are put there, by message id, and the
    others are enrolled none the less.
    """
    reach = reach_of(calls)
    for _ in range(MOST_TRIES):
        try:
            async with session.begin_nested():  # undone, it lets the locks go
                return await _accept(session, services, calls, received_at, said, reach, refused)
        except NotReachedError as short:
            reach = short.wider
    raise RuntimeError("whom a request concerns has kept changing")


async def _accept(
    session: AsyncSession,
    services: Services,
    calls: Sequence[Call],
    received_at: datetime,
    said: Sayings | None,
    reach: Reach,
    refused: dict[str, ApiError] | None = None,
) -> Accepted:
    """One try. Raises NotReachedError."""
    if refused is not None:
        refused.clear()  # what an earlier try said
    published = await journeys.newest_publication(session)
    by = computations_of(published.policy) if published is not None else None
    watched = await journeys.watched_by_all(session, published)
    if by is not None:
        watched = replace(watched, moving=by.feeding(watched.anchors))
    locking = lock(session, reach, watched, services.wall())
    locked, heard = await meanwhile(locking, partial(heard_among, calls, by, services.evaluate))
    await locked.load(session, concerned_by(calls, locked, watched))
    kept = await _kept(session, heard.keys() - locked.rows.keys(), locked, by)
    erased = await recognise(session, calls, locked)
    owners = {each.id: each for each in map(locked.owner, locked.rows)}
    inside = _those_inside(calls, locked, owners, watched, by)
    load = partial(
        people,
        session,
        published=published,
        at=received_at,
        by=by,
        kept={who: each.kept for who, each in kept.items()},
        evaluate=services.evaluate,
        locked_companies=locked.companies.values(),
    )
    standing = await enrolled.of_customers(session, inside) if inside else None
    known = await load(owners.values(), standing=standing)
    turn = InTurn(session)
    carrier = Carrier(turn, services, published, watched, locked, known, received_at, standing)
    await join_all(carrier, calls)
    made = [_as_named(call, locked) for call in calls]
    mine = await with_what_is_asked(session, made, published)
    compute = partial(compute_plain, by, services.evaluate, locked, heard, kept, published)
    rows = list(event_rows(mine, received_at))
    new, fresh, plain = await _store(session, mine, rows, compute)
    if plain.moved:
        await locked.load(session, plain.moved)
        moved = [locked.owner(each) for each in sorted(plain.moved)]
        theirs_too = await enrolled.of_customers(session, plain.moved)
        known.update(await load(moved, standing=theirs_too))
    theirs = {who: found for who, found in sorted(fresh.items()) if who in known}
    # Customers' rows are written once, at the end: who asks about them meanwhile flushes first.
    with session.no_autoflush:
        async with turn.busy(events.count(session, rows, new)):
            seen = seen_by_plain(locked, fresh)
            await come_back(carrier, theirs, erased)
            await _take_all(carrier, theirs, said, refused)
    await _write(session, carrier, seen, plain, new)
    asked_for = new & {call.message_id for call in made}  # and not what one was understood as
    return Accepted(new=asked_for, enrolled=tuple(carrier.enrolled), carried=carrier.carried)


async def _store(
    session: AsyncSession,
    calls: Sequence[Call],
    rows: Sequence[NewEvent],
    compute: Callable[[Mapping[str, Sequence[Call]]], PlainComputed],
) -> tuple[frozenset[str], Mapping[str, Sequence[Call]], PlainComputed]:
    """Store the rows of what is new; meanwhile all is computed as if nothing were a repeat.

    What is new, the calls that are no repeats by customer, and what is computed from those.
    """
    fresh = _fresh(calls, frozenset(row.message_id for row in rows))
    new, plain = await meanwhile(events.insert(session, rows), partial(compute, fresh))
    if all(row.message_id in new for row in rows):
        return new, fresh, plain
    fresh = _fresh(calls, new)
    return new, fresh, compute(fresh)


async def _write(
    session: AsyncSession,
    carrier: Carrier,
    seen: Iterable[tuple[Known, Known]],
    plain: PlainComputed,
    new: frozenset[str],
) -> None:
    """Write what came of it all; what is computed is written out while the first is stored."""
    changed = [*_changed(carrier.people.values()), *plain.rows]
    writing = customers.write_seen(session, seen, carrier.used.values())
    _, rows = await meanwhile(writing, partial(computed.written, session, changed))
    await carrier.write(new)
    await computed.keep(session, rows)


async def _take_all(
    carrier: Carrier,
    theirs: Mapping[str, Sequence[Call]],
    said: Sayings | None,
    refused: dict[str, ApiError] | None,
) -> None:
    """Take in calls by customer, each customer's in the order in which they happened."""
    for customer_id, found in theirs.items():
        carrier.people[customer_id].waiting = {call.message_id for call in found}
    for customer_id, found in theirs.items():
        person = carrier.people[customer_id]
        for call in sorted(found, key=lambda call: call.at):
            try:
                await take(carrier, person, call, how_said(said, call))
            except REFUSED_BY_HAND as error:
                if refused is None:
                    raise
                refused[call.message_id] = error
            person.waiting.discard(call.message_id)


def _changed(people: Iterable[Person]) -> list[Kept]:
    """What is to be kept of what is computed of them."""
    return [
        each.computing.kept(each.row.id)
        for each in people
        if each.computing is not None and each.computing.is_changed
    ]


async def _kept(
    session: AsyncSession, plain: Set[str], locked: Locked, by: Computations | None
) -> Mapping[str, WithTraits]:
    """What is kept of all of whom a request may change what is computed, read at once.

    Of whom nothing is by these definitions, everything is computed anew from their events. That
    has to be before the request's are among them, so they are taken the long way.
    """
    if by is None or by.is_empty:
        return {}
    kept = await computed.with_traits(session, plain | locked.rows.keys())
    await locked.load(session, {each for each in plain if not is_by(kept.get(each), by)})
    return kept


def _as_named(call: Call, locked: Locked) -> Call:
    """The call, of the customer whom its id means."""
    if call.customer_id not in locked.rows:
        return call
    owner = locked.owner(call.customer_id).id
    return call if owner == call.customer_id else replace(call, customer_id=owner)


def _those_inside(
    calls: Iterable[Call],
    locked: Locked,
    owners: Iterable[str],
    watched: Watched,
    by: Computations | None,
) -> frozenset[str]:
    """Those whose enrollments these calls may concern; usually nobody."""
    if by is not None and by.segments:  # whoever enters or leaves one, by a call or by time
        return locked.members.union(owners)
    inside = set(locked.members)
    for call in calls:
        if call.customer_id not in locked.rows:
            continue
        row = locked.owner(call.customer_id)
        if call.formerly or _may_concern(call, row, watched):
            inside.update(locked.owner(name).id for name in (call.customer_id, *call.formerly))
    return frozenset(inside)


def _may_concern(call: Call, row: Customer, watched: Watched) -> bool:
    if not isinstance(call, Track) or row.first_seen_at is None:
        return True
    zone_moves = call.timezone is not None and call.timezone != row.context_timezone
    return call.event in watched.events or call.event in watched.moving or zone_moves


def _fresh(calls: Iterable[Call], new: frozenset[str]) -> dict[str, list[Call]]:
    """The calls that are not repeats, by customer; of two with one message id the first."""
    left = set(new)
    fresh: dict[str, list[Call]] = {}
    for call in calls:
        if not isinstance(call, EnrollByHand | TimePassed):
            if call.message_id not in left:
                continue
            left.discard(call.message_id)
        fresh.setdefault(call.customer_id, []).append(call)
    return fresh

"""One page of a broadcast: the next customers are looked at, and those in the audience get it.

Rules for whoever edits this next:

1. The broadcast's row is held first and read before anything else: what it says holds.
2. What is done for the customers of a page and the cursor that passes them are one transaction.
3. A customer is known to have had it by an id made of the broadcast's name and theirs, so
   nobody gets it twice, whatever is repeated.
4. A page takes a fixed number of statements, however many are on it.

The surprising fact: with a local time everybody is gone through once for each hour at which
somebody is due (`store.broadcasts.Round`). So who is in the audience is decided when their
time has come, and a broadcast that is stopped has nobody waiting.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from time import perf_counter

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from api.accept import accept_in
from api.broadcasting.audience import Candidate, candidates, judge
from api.errors import ApiError, JourneyArchivedError
from api.importing.running import let_others_in
from api.reach import MOST_TRIES
from api.services import Services
from engine.broadcasts import LocalTime, due_at, page_size
from engine.calls import Call, EnrollByHand, Track
from engine.definition import Journey
from engine.keys import broadcast_enrollment_id, broadcast_event_id
from engine.localtime import next_opening
from engine.sampling import held_out
from store import archives, broadcasts, journeys, opened
from store.away import is_conflict
from store.broadcasts import Counted, Round
from store.journeys import Published
from store.opened import Opened
from store.tables import (
    Broadcast,
    BroadcastKind,
    BroadcastState,
    Customer,
    EventKind,
)

# Who is looked at in one transaction: some 10 ms of reading, if few are in the audience.
LOOKED_AT = 500

# And who gets it in one. To enroll somebody takes some 2 ms, in which SQLite's other writers
# wait: a page of these holds them up for as long as a large batch of events does.
MOST_TAKEN = 100

# Why those are out who never are looked at closer; the others by the codes of `api.errors`.
NOT_IN_AUDIENCE, CONDITION_FAILED = "not_in_audience", "condition_failed"

# Whom the store names as the one who has finished it.
ACTOR = "parcours"


@dataclass(frozen=True)
class Taken:
    """How a broadcast stands after a page. `again_at` is when the next has its time (journey
    time); None: now, unless everybody has been seen (`all_seen`).
    """

    kind: BroadcastKind
    state: BroadcastState
    all_seen: bool
    per_second: float | None
    counted: Counted
    taken: int = 0
    again_at: datetime | None = None


@dataclass
class _Page:
    """What becomes of those on a page."""

    members: list[Candidate] = field(default_factory=list)
    again: set[str] = field(default_factory=set)  # of these, who may have had it already
    out: Counter[str] = field(default_factory=Counter)
    ahead: set[datetime] = field(default_factory=set)
    cut_after: str | None = None  # the last who was looked at, where there was room for no more
    is_cut: bool = False


async def take_up(services: Services, name: str) -> Taken | None:
    """Do the next page, of a second's worth of its rate; None if there is no such broadcast."""
    for _ in range(MOST_TRIES):
        began = perf_counter()
        try:
            async with services.database.transaction() as session:
                row = await broadcasts.hold(session, name)
                if row is None:
                    return None
                taken = await _page(session, services, row)
        except DBAPIError as error:
            if not is_conflict(error):
                raise
            continue
        if taken.taken:
            services.woken.set()
        await let_others_in(services, perf_counter() - began)
        return taken
    raise RuntimeError("the customers of a page have kept changing")


async def _page(session: AsyncSession, services: Services, row: Broadcast) -> Taken:
    if row.state is not BroadcastState.RUNNING or row.all_seen:
        return _told(row)
    begun = _round(row, services)
    if isinstance(begun, datetime):
        return _told(row, again_at=begun)
    published = await journeys.newest_publication(session)
    assert published is not None  # or nothing could have been broadcast
    rows = await broadcasts.page(session, row.cursor, LOOKED_AT)
    page = await _looked_at(session, services, row, begun, rows, published)
    taken = await _do(session, services, row, page, published)
    row.cursor = page.cut_after if page.is_cut else rows[-1].id if rows else row.cursor
    is_end = not page.is_cut and len(rows) < LOOKED_AT
    ahead = tuple(sorted({*begun.ahead, *page.ahead}))
    following = Round(begun.until, begun.after, begun.since, begun.began_at, ahead)
    if is_end:
        row.cursor, row.all_seen = None, not ahead
        following = Round(after=begun.until, since=begun.began_at, ahead=ahead)
    broadcasts.note(row, taken, page.out, following)
    if row.all_seen and row.kind is not BroadcastKind.MESSAGE:
        broadcasts.change(row, BroadcastState.DONE, services.wall(), ACTOR)
    await session.flush()
    return _told(row, taken=taken)


def _round(row: Broadcast, services: Services) -> Round | datetime:
    """The round it is in, or when the next begins."""
    round_, now = Round.of(row), services.now()
    if round_.until is not None:
        return round_
    first = min(round_.ahead, default=row.start_at)
    if now < first:
        return first
    return Round(now, round_.after, round_.since, services.wall())


async def _looked_at(
    session: AsyncSession,
    services: Services,
    row: Broadcast,
    round_: Round,
    rows: Sequence[Customer],
    published: Published,
) -> _Page:
    """Who of the rows is due in this round and in the audience, up to a page."""
    assert round_.until is not None  # it has begun
    somebody = list(filter(broadcasts.is_somebody, rows))
    now = services.now()
    known = await candidates(session, somebody, published, now, services.evaluate)
    local_time = LocalTime.parse(row.local_time) if row.local_time is not None else None
    judged = await judge(session, known, row.audience, published.policy, now, services.read_phone)
    page, most = _Page(cut_after=row.cursor), page_size(row.per_second, MOST_TAKEN)
    for each in known:
        who, at = each.row.id, due_at(row.start_at, local_time, each.zone)
        was_due = round_.after is not None and at <= round_.after
        if at > round_.until:
            page.ahead.add(at)
        elif was_due and (round_.since is None or each.row.updated_at < round_.since):
            pass  # of an earlier round
        elif who in judged.inside:
            if len(page.members) == most:
                page.is_cut = True
                break
            page.members.append(each)
            page.again.update([who] if was_due else ())
        elif not was_due:
            page.out[CONDITION_FAILED if who in judged.failed else NOT_IN_AUDIENCE] += 1
        page.cut_after = who
    return page


async def _do(
    session: AsyncSession,
    services: Services,
    row: Broadcast,
    page: _Page,
    published: Published,
) -> int:
    """Give it to those in the audience; to how many. The page learns who was refused, and why."""
    if not page.members:
        return 0
    ids = [each.row.id for each in page.members]
    theirs = await broadcasts.lock(session, ids)  # who was erased just now is not among them
    had = await broadcasts.had_as_another(session, ids, partial(broadcast_event_id, row.id))
    getting = [e for e in page.members if e.row.id in theirs and e.row.id not in had]
    if row.kind is BroadcastKind.MESSAGE:
        return await _open(session, services, row, page, getting, published)
    calls = [_call(services, row, each.row.id) for each in getting]
    if not calls:
        return 0
    refused: dict[str, ApiError] = {}
    accepted = await accept_in(session, services, calls, services.now(), refused=refused)
    for call in calls:
        error = refused.get(call.message_id)
        if error is not None and call.customer_id not in page.again:
            page.out[error.code] += 1
    return len(accepted.enrolled if row.kind is BroadcastKind.JOURNEY else accepted.new)


def _call(services: Services, row: Broadcast, customer_id: str) -> Call:
    now, message_id = services.now(), broadcast_event_id(row.id, customer_id)
    if row.kind is BroadcastKind.JOURNEY:
        assert row.journey is not None
        return EnrollByHand(
            customer_id=customer_id,
            at=now,
            message_id=message_id,
            journey=row.journey,
            start_at=now,
            properties=row.properties,
        )
    assert row.event is not None
    return Track(
        customer_id=customer_id,
        at=now,
        message_id=message_id,
        event=row.event,
        properties=row.properties,
        kind=EventKind.SYSTEM,  # they are told something; they have not used the product
    )


async def _open(
    session: AsyncSession,
    services: Services,
    row: Broadcast,
    page: _Page,
    getting: Sequence[Candidate],
    published: Published,
) -> int:
    """Have one message each be due: rows by which it is sent, without a workflow."""
    assert row.journey is not None
    assert row.version is not None
    if row.journey in await archives.names(session):
        page.out[JourneyArchivedError.code] += len(getting)
        return 0
    journey = await journeys.version(session, row.journey, row.version)
    now = services.now()
    rows = [_enrollment(row, journey, each, published, now) for each in getting]
    return len(await opened.insert_all(session, rows))


def _enrollment(
    row: Broadcast, journey: Journey, to: Candidate, published: Published, now: datetime
) -> Opened:
    assert row.step is not None
    step, who = journey.step(row.step), to.row.id
    return Opened(
        id=broadcast_enrollment_id(journey.journey, who, row.id),
        customer_id=who,
        journey=journey.journey,
        version=journey.version,
        key=f"~{row.id}",  # which keeps it apart from those that events open
        ordinal=1,
        start_event_id=broadcast_event_id(row.id, who),
        start_at=now,
        entered_at=now,
        start_properties=row.properties,
        next_step=step.id,
        next_at=next_opening(now, to.zone, step.between, step.days),
        holdout=held_out(published.policy.holdout, "", who)
        or held_out(journey.holdout, journey.journey, who),
        broadcast_id=row.id,
        input={},
    )


def _told(row: Broadcast, taken: int = 0, again_at: datetime | None = None) -> Taken:
    return Taken(
        row.kind, row.state, row.all_seen, row.per_second, Counted.of(row), taken, again_at
    )

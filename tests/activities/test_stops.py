"""What people have stopped waits, whatever `deliver` was about to do, and goes on when started."""

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from activities.deliver import deliver
from activities.desk import Attempt, Trouble
from activities.providers.outcome import Ambiguous
from api.services import Services
from api.stopping import Started, Stopping
from engine.enrollment import NotBefore, Over, Settled
from engine.orders import Report
from engine.reasons import Decision, Reason
from engine.stops import StopScope, Target
from settings import load
from store import customers, deliveries, held, overlap, stops
from store.database import Database
from store.tables import Message, OutboxKind, OutboxRow
from tests.activities.given import (
    DAY,
    NOW,
    FakeProvider,
    Office,
    enroll,
    journey,
    open_office,
)
from tests.activities.test_races import deliver_while

HOUR = timedelta(hours=1)
EVERYTHING = Target(StopScope.EVERYTHING)
MARKETING = Target(StopScope.MARKETING)
STOPPED = NotBefore(until=NOW + DAY, reason=Reason.STOPPED)
OVER = Settled(decision=Decision.NOT_SENT, reason=Reason.STOPPED)
SENT = Settled(decision=Decision.SENT, channel="email", message="tip")


def hands(database: Database, after: timedelta = timedelta(0)) -> Stopping:
    """Support, so long after the step was due."""
    settings = load(secret_key="s" * 64)
    return Stopping(Services(database=database, settings=settings, wall=lambda: NOW + after), "ann")


async def waiting(database: Database) -> list[OutboxRow]:
    async with database.reading() as session:
        return await held.page(session, 0, 1_000)


async def test_what_is_stopped_waits_for_the_end_of_its_grace_and_says_so(db: Database) -> None:
    office = await open_office(db)
    await hands(db).stop(EVERYTHING, "a wrong price")
    assert await office.deliver() == STOPPED
    assert (office.provider.given, await office.message()) == ([], None)
    row = await office.in_store()
    assert (row.next_step, row.next_at, row.next_reason) == ("tip", NOW + DAY, Reason.STOPPED)
    (put_by,) = await waiting(db)
    assert (put_by.kind, put_by.not_before_at) == (OutboxKind.PACED, NOW + DAY)
    assert put_by.payload["step"] == "tip"


async def test_still_stopped_at_the_end_of_its_grace_it_is_settled_as_stopped(db: Database) -> None:
    office = await open_office(db)
    await hands(db).stop(MARKETING, None)
    at_the_end = office.order(delivery={"at": NOW + DAY})
    assert await office.deliver(at_the_end, after=DAY) == OVER
    assert (await office.row()).reason is Reason.STOPPED


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "free"])
async def test_an_attempt_that_comes_too_late_tells_whether_it_was_stopped(
    db: Database, stopped: bool
) -> None:
    office = await open_office(db)
    if stopped:
        await hands(db).stop(EVERYTHING, None)
    reason = Reason.STOPPED if stopped else Reason.EXPIRED
    answer = await office.deliver(after=2 * DAY)
    assert answer == Settled(decision=Decision.NOT_SENT, reason=reason)


@pytest.mark.parametrize(
    ("target", "is_held"),
    [
        (EVERYTHING, True),
        (MARKETING, False),
        (Target(StopScope.CHANNEL, channel="email"), True),
        (Target(StopScope.CHANNEL, channel="sms"), False),
        (Target(StopScope.JOURNEY, journey="trial"), True),
        (Target(StopScope.STEP, journey="trial", step="tip"), True),
        (Target(StopScope.STEP, journey="trial", step="coupon"), False),
    ],
    ids=lambda each: each.in_words if isinstance(each, Target) else "",
)
async def test_a_transactional_message_is_stopped_by_all_but_marketings_button(
    db: Database, target: Target, is_held: bool
) -> None:
    office = await open_office(db, what=journey(topic=None, transactional=True))
    await hands(db).stop(target, None)
    assert (await office.deliver() == STOPPED) is is_held


async def test_who_would_get_nothing_anyway_is_answered_at_once(db: Database) -> None:
    office = await open_office(db, traits={"name": "Ann"})
    await hands(db).stop(EVERYTHING, None)
    assert await office.deliver() == Settled(decision=Decision.NOT_SENT, reason=Reason.NO_ADDRESS)


async def test_a_broken_template_is_not_worded_while_it_is_stopped(db: Database) -> None:
    office = await open_office(db, texts={"tip": {"subject.txt": "x", "email.html": "{{ no.x }}"}})
    await hands(db).stop(EVERYTHING, None)
    assert await office.deliver() == STOPPED


async def test_stopped_while_a_message_is_worded_it_is_held(db: Database) -> None:
    office = await open_office(db)

    async def press() -> None:
        await hands(db).stop(EVERYTHING, None)

    assert await deliver_while(office, press) == STOPPED
    assert office.provider.given == []


async def test_a_claim_that_certainly_came_to_nothing_is_taken_back(db: Database) -> None:
    from activities.providers.outcome import NotTaken

    office = await open_office(db, FakeProvider(answers=[NotTaken("away")]))
    with pytest.raises(Trouble):
        await office.deliver()
    await hands(db).stop(EVERYTHING, None)
    assert await office.deliver(after=HOUR) == STOPPED
    assert await office.message() is None
    await hands(db, 2 * HOUR).start(EVERYTHING)
    assert await office.deliver(after=2 * HOUR) == SENT


async def test_what_may_be_out_already_is_not_handed_over_again(db: Database) -> None:
    office = await open_office(db, FakeProvider(answers=[Ambiguous("cut off")]))
    with pytest.raises(Trouble):
        await office.deliver()
    await hands(db).stop(EVERYTHING, None)
    assert await office.deliver(after=HOUR) == Settled(
        decision=Decision.UNKNOWN, channel="email", message="tip"
    )
    assert len(office.provider.given) == 1


async def test_pressed_twice_it_is_one_button_and_lifted_once(db: Database) -> None:
    first = await hands(db).stop(MARKETING, "one")
    assert (await hands(db).stop(MARKETING, "two")).id == first.id
    done = await hands(db).start(MARKETING)
    assert [row.lifted_by for row in done.lifted] == ["ann"]
    assert (await hands(db).start(MARKETING)).lifted == ()


# --- Starting again -----------------------------------------------------------------------


async def many(db: Database, count: int) -> list[Office]:
    """As many customers with a step that is due."""
    first = await open_office(db)
    offices = [first]
    async with db.transaction() as session:
        for n in range(2, count + 1):
            row = await enroll(session, first.journey, f"c{n}")
            offices.append(replace(first, customer_id=f"c{n}", enrollment=row.id))
    return offices


async def turns(db: Database) -> list[Any]:
    from tests.api.given import outbox

    return [row.not_before_at for row in await outbox(db) if row.parked_at is None]


async def test_those_who_wait_go_on_at_the_rate_each_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.stopping._PAGE", 3)
    await hands(db).stop(EVERYTHING, None)
    offices = await many(db, 8)
    for office in offices:
        assert await office.deliver() == STOPPED
    done = await hands(db, HOUR).start(EVERYTHING, rate=2)
    assert (done.woken, done.last_at) == (8, NOW + HOUR + timedelta(seconds=3.5))
    assert await turns(db) == [NOW + HOUR + timedelta(seconds=n / 2) for n in range(8)]
    assert (await offices[7].in_store()).next_at == done.last_at
    assert (await offices[7].in_store()).next_reason is None
    assert await waiting(db) == []


async def test_a_start_that_was_broken_off_is_gone_on_with(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.stopping._PAGE", 3)
    await hands(db).stop(EVERYTHING, None)
    for office in await many(db, 8):
        await office.deliver()
    pages = 0

    class KilledError(Exception):
        pass

    async def kill(session: Any) -> Any:
        nonlocal pages
        pages += 1
        if pages == 2:
            raise KilledError
        return await last_turn(session)

    last_turn = held.last_turn
    monkeypatch.setattr("store.held.last_turn", kill)
    with pytest.raises(KilledError):
        await hands(db, HOUR).start(EVERYTHING, rate=1)
    assert len(await waiting(db)) == 5
    done = await hands(db, HOUR).start(EVERYTHING, rate=1)
    assert (done.lifted, done.woken) == ((), 5)
    assert await turns(db) == [NOW + HOUR + timedelta(seconds=n) for n in range(8)]


async def test_who_is_stopped_by_another_button_too_goes_on_waiting(db: Database) -> None:
    await hands(db).stop(EVERYTHING, None)
    tip = Target(StopScope.STEP, journey="trial", step="tip")
    office = await open_office(db)
    await hands(db).stop(tip, None)
    await office.deliver()
    assert (await hands(db).start(EVERYTHING)).woken == 0
    assert (await hands(db).start(tip)).woken == 1


async def test_who_has_waited_beyond_the_end_of_their_grace_is_not_woken(db: Database) -> None:
    office = await open_office(db)
    await hands(db).stop(EVERYTHING, None)
    await office.deliver()
    assert (await hands(db, 2 * DAY).start(EVERYTHING)).woken == 0
    assert await waiting(db) == []


# --- From its acknowledgement on ----------------------------------------------------------

AT_ONCE = 16  # deliveries a round, of which some get ahead of the button and some don't
SIDE_BY_SIDE = 4  # as many at a time, and the button is pressed after one of the first
MANY = pytest.param(300, id="many", marks=pytest.mark.wide)


@dataclass
class Round:
    """One button pressed among so many deliveries: who was claimed before it was acknowledged."""

    before: frozenset[str] = frozenset()


async def claimed(db: Database, offices: list[Office]) -> frozenset[str]:
    """In one query: a look that takes its time would see what was claimed meanwhile."""
    ids = [office.enrollment for office in offices]
    async with db.reading() as session:
        found = await session.scalars(
            select(col(Message.enrollment_id)).where(col(Message.enrollment_id).in_(ids))
        )
        return frozenset(found)


@pytest.mark.parametrize("rounds", [pytest.param(5, id="few"), MANY])
async def test_nothing_is_claimed_after_a_stop_was_acknowledged(db: Database, rounds: int) -> None:
    sent = asyncio.Semaphore(0)

    async def count() -> None:
        sent.release()

    first = await open_office(db, FakeProvider(meanwhile=count))
    outcomes = {True: 0, False: 0}
    for number in range(rounds):
        offices = []
        async with db.transaction() as session:
            for n in range(AT_ONCE):
                row = await enroll(session, first.journey, f"r{number}-{n}")
                offices.append(replace(first, customer_id=row.customer_id, enrollment=row.id))
        going = Round()

        async def press(offices: list[Office] = offices, going: Round = going) -> None:
            for _ in range(random.randrange(1, SIDE_BY_SIDE)):
                await sent.acquire()
            await hands(db).stop(EVERYTHING, None)
            going.before = await claimed(db, offices)

        turns = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(office: Office, turns: asyncio.Semaphore = turns) -> Any:
            async with turns:
                return await office.deliver()

        answers = await asyncio.gather(press(), *map(one, offices))
        assert await claimed(db, offices) == going.before
        for answer in answers[1:]:
            assert answer in (SENT, STOPPED)
            outcomes[answer == SENT] += 1
        assert len(going.before) == sum(answer == SENT for answer in answers[1:])
        await hands(db).start(EVERYTHING)
    assert min(outcomes.values()) > 0, f"nothing was raced: {outcomes}"


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_stop_is_acknowledged_only_when_those_who_looked_before_it_are_done(
    db: Database,
) -> None:
    """On PostgreSQL a claim that has read the buttons may commit after one was pressed."""
    office = await open_office(db)
    async with db.transaction() as session:
        await customers.hold(session, "c1")
        rows = await deliveries.read(session, office.enrollment, "trial:c1/tip/start")
        assert rows is not None
        assert rows.stopped == ()
        pressing = asyncio.create_task(hands(db).stop(EVERYTHING, None))
        await until_in_force(db)
        with pytest.raises(overlap.StillUnderWayError, match="still go out"):
            await overlap.end_of_earlier(db, timedelta(seconds=0.05))
        assert not pressing.done()
    await pressing


async def test_a_start_finds_those_who_are_being_put_by_just_now(db: Database) -> None:
    office = await open_office(db)
    await hands(db).stop(EVERYTHING, None)
    started, answer = await asyncio.gather(hands(db).start(EVERYTHING), office.deliver())
    assert isinstance(started, Started)
    assert started.woken == (answer == STOPPED)


async def until_in_force(db: Database) -> None:
    while True:
        async with db.reading() as session:
            if await stops.in_force(session):
                return


async def test_an_enrollment_that_is_over_is_over_whatever_is_stopped(db: Database) -> None:
    office = await open_office(db)
    await hands(db).stop(EVERYTHING, None)
    await office.exit()
    assert isinstance(await office.deliver(), Over)


async def test_to_look_for_buttons_costs_no_query_of_its_own_while_none_is_pressed(
    db: Database,
) -> None:
    from sqlalchemy import event

    office = await open_office(db)
    asked: list[str] = []
    for engine in (db._writer, db._reader):
        event.listen(
            engine.sync_engine,
            "before_cursor_execute",
            lambda *given: asked.append(given[2]),
        )
    report = Report(enrollment_id=office.enrollment, customer_id="c1")
    await deliver(office.desk, Attempt(office.order(report=report.model_dump()), NOW))
    assert [each for each in asked if "FROM stops" in each and "customers" not in each] == []

"""Erasing somebody while their calls come in, and while Temporal hears of their enrollments."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCStatusCode

from api.dispatcher import Dispatcher
from api.erasing import erase
from api.errors import NotFoundError
from api.services import Services
from api.steering import Steering
from engine.calls import Group
from engine.enrollment import Notice
from engine.reasons import Ending
from store import broadcasts, customers, outbox
from store.tables import AuditEntry, Consent
from tests.api.broadcasting import begun, known, row_of
from tests.api.fake_temporal import FakeTemporal, rpc_error
from tests.api.given import A_DAY, HOUR, Wall, identify, kept_events, publish, take, track, trial
from tests.api.rummaging import found_in

LONG = timedelta(minutes=5)  # beyond every pause and every lease
ROUNDS = 12
JOAN = "joan"  # not to be met in a hash


@pytest.fixture
async def inside(services: Services) -> Services:
    """A customer in the trial, of which Temporal has not heard."""
    await publish(services.database)
    await take(
        services, identify(customer=JOAN, name="Annabel"), track("trial_started", customer=JOAN)
    )
    return services


def heard(temporal: FakeTemporal) -> list[tuple[str, str]]:
    return [(asked.what, asked.workflow) for asked in temporal.heard]


async def settled(services: Services) -> None:
    """Temporal has heard everything, and nothing says whose it was."""
    async with services.database.reading() as session:
        assert await outbox.backlog(session) == outbox.Backlog(0, None, 0)
    assert await found_in(services.database, [JOAN, "Annabel"]) == {}


async def test_a_start_that_waits_is_never_carried(
    inside: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    temporal.fails = lambda asked: rpc_error(RPCStatusCode.NOT_FOUND)
    await erase(inside, JOAN, "test")
    assert await dispatcher.drain() == 2
    assert heard(temporal) == []
    await settled(inside)


async def test_a_run_that_began_is_told_that_it_is_over(
    inside: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await dispatcher.drain()
    await erase(inside, JOAN, "test")
    await dispatcher.drain()
    assert heard(temporal) == [("start", "trial:joan"), ("event", "trial:joan")]
    notice = Notice.model_validate(temporal.heard[-1].arg)
    assert (notice.ending, notice.name) == (Ending.EXITED, "customer.erased")
    assert "Annabel" not in f"{temporal.heard}"
    await settled(inside)


async def test_a_start_under_way_comes_before_what_ends_it(
    inside: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    assert await dispatcher._turn()  # taken, and its courier about to look
    asking = asyncio.Event()
    temporal.fails = lambda asked: asking.set()
    await asking.wait()  # the enrollment was read, and Temporal is being asked
    await erase(inside, JOAN, "test")
    await dispatcher.drain()
    assert heard(temporal) == [("start", "trial:joan"), ("event", "trial:joan")]
    await settled(inside)


async def test_a_start_whose_carrier_died_is_ended_by_the_next_one(
    inside: Services, temporal: FakeTemporal, wall: Wall
) -> None:
    killed = Dispatcher(inside, temporal.client())
    assert await killed._turn()
    await asyncio.wait(killed._flying)  # Temporal heard, and nobody wrote it down
    await erase(inside, JOAN, "test")
    heirs = Dispatcher(inside, temporal.client())
    assert await heirs.drain() == 0  # the lease still holds
    wall.pass_(LONG)
    assert await heirs.drain() == 2
    assert heard(temporal) == [("start", "trial:joan"), ("event", "trial:joan")]
    await settled(inside)


async def test_of_what_waits_only_an_end_is_still_told_and_without_their_data(
    inside: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await dispatcher.drain()
    await take(inside, identify(A_DAY + HOUR, JOAN, trial_ends_at="2027-01-09"))
    cancelled = track("trial_cancelled", A_DAY + 2 * HOUR, JOAN, message_id="Annabel-left")
    await take(inside, cancelled)
    await erase(inside, JOAN, "test")
    assert await dispatcher.drain() == 1
    notice = Notice.model_validate(temporal.heard[-1].arg)
    assert (notice.name, notice.at, notice.ending, notice.traits) == (
        "trial_cancelled",
        A_DAY + 2 * HOUR,
        Ending.EXITED,
        None,
    )
    assert "Annabel" not in notice.event_id
    await settled(inside)


async def test_a_cancel_that_waits_still_reaches_its_run(
    inside: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await dispatcher.drain()
    await Steering(inside, "key:support").pause("trial:joan")
    await Steering(inside, "key:support").cancel("trial:joan")
    await erase(inside, JOAN, "test")
    await dispatcher.drain()
    assert heard(temporal)[1:] == [("cancel", "trial:joan")]
    await settled(inside)


async def test_an_order_declined_after_the_erasure_brings_nobody_back(
    inside: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await dispatcher.drain()
    await Steering(inside, "key:support").pause("trial:joan")
    temporal.fails_after = lambda asked: (
        WorkflowUpdateFailedError(ApplicationError("over")) if asked.what == "pause" else None
    )
    assert await dispatcher._turn()
    await asyncio.wait(dispatcher._flying)
    await erase(inside, JOAN, "test")
    await dispatcher.drain()
    await settled(inside)
    async with inside.database.reading() as session:
        actions = set(await session.scalars(sa.select(AuditEntry.action)))  # type: ignore[call-overload]
        assert await customers.get(session, JOAN) is None
    assert actions == {"pause", "erase"}


async def test_a_run_under_an_old_id_is_not_taken_for_that_of_who_comes_back(
    inside: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await erase(inside, JOAN, "test")
    await take(inside, track("trial_started", A_DAY + HOUR, JOAN))
    temporal.fails = lambda asked: (
        rpc_error(RPCStatusCode.NOT_FOUND) if asked.what == "event" else None
    )
    await dispatcher.drain()
    assert heard(temporal) == [("start", "trial:joan:~2")]


async def test_steering_what_was_just_erased_is_told_and_makes_nobody(inside: Services) -> None:
    await erase(inside, JOAN, "test")
    with pytest.raises(NotFoundError):
        await Steering(inside, "key:support").pause("trial:joan")
    async with inside.database.reading() as session:
        assert await customers.get(session, JOAN) is None


async def test_a_call_that_races_it_is_erased_with_the_rest_or_somebody_new(
    services: Services,
) -> None:
    await publish(services.database)
    outcomes = set()
    for n in range(ROUNDS):
        who = f"racer-{n}"
        await take(
            services, identify(customer=who, name="Annabel"), track("trial_started", customer=who)
        )
        late = track("app_opened", A_DAY + HOUR, who, message_id=f"late-{n}")
        orders = [erase(services, who, "test"), take(services, late)]
        await asyncio.gather(*(orders if n % 2 else reversed(orders)))
        async with services.database.reading() as session:
            row = await customers.get(session, who)
            asked = sa.select(Consent).where(sa.text("customer_id = :who")).params(who=who)
            said = list(await session.scalars(asked))
        theirs = [
            e.message_id for e in await kept_events(services.database) if e.customer_id == who
        ]
        outcomes.add(row is not None)
        if row is None:
            assert theirs == []
        else:
            assert (row.traits, row.ordinals_after) == ({}, 1)
            assert theirs[:1] == [f"late-{n}"] or f"late-{n}" in theirs
            assert [each.source for each in said] == ["erasure"]
    assert await found_in(services.database, ["Annabel"]) == {}
    assert outcomes == {True, False}, "nothing was raced"


async def test_two_erasures_at_once_are_one_and_colleagues_calls_are_not_held_up(
    services: Services,
) -> None:
    goal = {"event": "subscription_purchased", "of": "company"}
    await publish(services.database, trial(goal=goal))
    for n in range(ROUNDS):
        names = [f"a-{n}", f"b-{n}"]
        for who in names:
            group = Group(
                customer_id=who, at=A_DAY, message_id=f"g-{who}", company_id=f"acme-{n}", traits={}
            )
            await take(services, group, track("trial_started", customer=who))
        told = await asyncio.gather(
            erase(services, names[0], "test"),
            erase(services, names[0], "test"),
            take(services, track("subscription_purchased", A_DAY + HOUR, names[1])),
            return_exceptions=True,
        )
        kinds = [type(each).__name__ for each in told]
        assert sorted(kinds[:2]) == ["ErasureReply", "NotFoundError"]
        assert kinds[2] == "Accepted"
        found = await found_in(services.database, [names[0]])
        assert set(found) <= {"outbox.enrollment_id"}


# SQLite has one writer at a time.
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_an_erasure_that_a_page_of_a_broadcast_stands_against_is_tried_again(
    inside: Services,
) -> None:
    await known(inside, JOAN)
    await begun(inside, event="told", audience=f"customer.email == '{JOAN}@acme.example'")
    async with inside.database.transaction() as page:
        await page.execute(sa.text("SET LOCAL deadlock_timeout = '1min'"))  # it is not this one
        await broadcasts.hold(page, "sale")
        erasing = asyncio.create_task(erase(inside, JOAN, "test"))
        while not await somebody_waits(inside):
            assert not erasing.done()
        assert list(await broadcasts.lock(page, [JOAN])) == [JOAN]
    assert (await erasing).erased
    assert JOAN not in ((await row_of(inside)).audience or "")


async def somebody_waits(services: Services) -> bool:
    """Whether a transaction is held up by another's lock. One alone sees the same to its end."""
    async with services.database.reading() as session:
        held_up = "datname = current_database() AND wait_event_type = 'Lock'"
        return bool(
            await session.scalar(sa.text(f"SELECT 1 FROM pg_stat_activity WHERE {held_up}"))
        )

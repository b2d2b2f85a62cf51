"""How the outbox reaches Temporal, against a fake at the client's border."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from api.dispatcher import Dispatcher
from api.services import Services
from engine.enrollment import Notice
from engine.orders import EnrollmentInput
from store import audit, customers, enrollments
from store import outbox as rows
from store.database import StoreAwayError
from store.tables import OutboxKind
from tests.api.asking import statements
from tests.api.fake_temporal import Asked, FakeTemporal, away, rpc_error
from tests.api.given import (
    A_DAY,
    HOUR,
    Wall,
    enrollment,
    identify,
    outbox,
    publish,
    take,
    track,
    trial,
)
from workflows.policies import PRIORITY_TRANSACTIONAL

LONG = timedelta(minutes=5)  # beyond every pause and every lease


@pytest.fixture
async def published(services: Services) -> Services:
    await publish(services.database)
    return services


async def test_a_start_is_one_run_by_the_journeys_name_that_a_repeat_cannot_double(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await take(published, track("trial_started", customer="ann@acme.example"))
    assert await dispatcher.drain() == 1
    (asked,) = temporal.heard
    assert asked.options["type"] == "trial"
    assert asked.options["id_conflict_policy"].name == "USE_EXISTING"
    assert asked.options["id_reuse_policy"].name == "REJECT_DUPLICATE"
    pairs = {pair.key.name: pair.value for pair in asked.options["search_attributes"]}
    given = EnrollmentInput.model_validate(asked.arg)
    assert pairs == {"CustomerId": given.customer_id, "JourneyVersion": given.version}
    assert "acme" not in f"{asked}".replace("acme.example/journeys", "")
    assert asked.options["static_summary"] == "A trial"


async def test_transactional_journeys_wake_up_before_others(
    services: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    receipts = trial(journey="receipts", topic=None, transactional=True)
    await publish(services.database, trial(), receipts)
    await take(services, track("trial_started"))
    assert await dispatcher.drain() == 2
    wakes = {asked.workflow: asked.options["priority"].priority_key for asked in temporal.heard}
    assert wakes == {"trial:c1": None, "receipts:c1": PRIORITY_TRANSACTIONAL}


async def test_order_per_customer_is_kept(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    for customer in ("c1", "c2", "c3"):
        await take(published, track("trial_started", customer=customer))
        for hour in (1, 2, 3):
            at = A_DAY + hour * HOUR
            await take(published, identify(at, customer, trial_ends_at=f"2027-01-0{hour}"))
        await take(published, track("trial_cancelled", A_DAY + 4 * HOUR, customer))
    assert await dispatcher.drain() == 15
    for customer in ("c1", "c2", "c3"):
        mine = [asked for asked in temporal.heard if asked.workflow == f"trial:{customer}"]
        assert [asked.what for asked in mine] == ["start", *["event"] * 4]
        seqs = [Notice.model_validate(asked.arg).seq for asked in mine[1:]]
        assert seqs == sorted(seqs)
        assert Notice.model_validate(mine[-1].arg).ending == "exited"


async def test_customers_are_served_at_the_same_time_but_not_all_of_them(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await take(published, *(track("trial_started", customer=f"c{n}") for n in range(100)))
    assert await dispatcher.drain() == 100
    assert 2 <= temporal.most_at_once <= 32


async def test_what_starts_are_started_with_is_not_read_one_by_one(
    published: Services, dispatcher: Dispatcher
) -> None:
    await take(published, *(track("trial_started", customer=f"c{n}") for n in range(30)))
    with statements(published.database, about="enrollments") as seen:
        assert await dispatcher.drain() == 30
    assert 1 <= len(seen) <= 3


async def test_a_dead_temporal_loses_nothing(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal, wall: Wall
) -> None:
    temporal.fails = away
    await take(published, track("trial_started"), track("trial_cancelled", A_DAY + HOUR))
    assert await dispatcher.drain() == 0
    wall.pass_(LONG)
    assert await dispatcher.drain() == 0
    temporal.fails = lambda asked: None
    wall.pass_(LONG)
    assert await dispatcher.drain() == 2
    assert [asked.what for asked in temporal.heard] == ["start", "event"]


async def test_while_temporal_is_away_one_row_a_second_asks_whether_it_is_back(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal, wall: Wall
) -> None:
    tried: list[str] = []

    def away_and_counted(asked: Asked) -> BaseException:
        tried.append(asked.workflow)
        return away(asked)

    temporal.fails = away_and_counted
    await take(published, *(track("trial_started", customer=f"c{n}") for n in range(200)))
    for _ in range(10):
        await dispatcher.drain()
        wall.pass_(timedelta(seconds=1))
    assert 32 <= len(tried) <= 32 + 32 + 10
    temporal.fails = lambda asked: None
    wall.pass_(LONG)
    assert await dispatcher.drain() == 200


async def test_an_update_that_no_worker_takes_does_not_slow_down_the_others(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    temporal.fails = lambda asked: (
        rpc_error(RPCStatusCode.DEADLINE_EXCEEDED) if asked.what == "pause" else None
    )
    await take(published, *(track("trial_started", customer=f"c{n}") for n in range(100)))
    assert await dispatcher.drain() == 100
    async with published.database.transaction() as session:
        for number in range(50):
            await rows.append(
                session,
                customer_id=f"c{number}",
                kind=OutboxKind.UPDATE,
                payload={"update": "pause", "arg": {"by": "ann"}},
                at=A_DAY,
                enrollment_id=f"trial:c{number}",
            )
    await take(
        published, *(track("trial_cancelled", A_DAY + HOUR, f"c{n}") for n in range(50, 100))
    )
    assert await dispatcher.drain() == 50


async def test_one_that_must_wait_holds_up_its_customer_and_nobody_else(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    def slow_for_c1(asked: Asked) -> BaseException | None:
        return away(asked) if (asked.workflow, asked.what) == ("trial:c1", "start") else None

    temporal.fails = slow_for_c1
    for customer in ("c1", "c2"):
        await take(published, track("trial_started", customer=customer))
        await take(published, track("trial_cancelled", A_DAY + HOUR, customer))
    assert await dispatcher.drain() == 2
    assert {asked.workflow for asked in temporal.heard} == {"trial:c2"}


async def test_what_temporal_heard_before_the_dispatcher_died_is_harmless_to_repeat(
    published: Services, temporal: FakeTemporal, wall: Wall
) -> None:
    await take(published, track("trial_started"), track("trial_cancelled", A_DAY + HOUR))
    killed = Dispatcher(published, temporal.client())
    assert await killed._turn()  # sent off, and never written down
    await asyncio.wait(killed._flying)
    heirs = Dispatcher(published, temporal.client())
    assert await heirs.drain() == 0  # the lease still holds
    temporal.fails = lambda asked: (
        WorkflowAlreadyStartedError(asked.workflow, "trial") if asked.what == "start" else None
    )
    wall.pass_(LONG)
    assert await heirs.drain() == 2
    assert [asked.what for asked in temporal.heard] == ["start", "event"]


async def test_a_signal_to_a_workflow_that_is_gone_is_done(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await take(published, track("trial_started"), track("trial_cancelled", A_DAY + HOUR))
    temporal.fails = lambda asked: (
        rpc_error(RPCStatusCode.NOT_FOUND) if asked.what == "event" else None
    )
    assert await dispatcher.drain() == 2
    async with published.database.reading() as session:
        assert await rows.backlog(session) == rows.Backlog(0, None, 0)


async def test_what_can_never_work_is_put_aside_with_the_reason_and_holds_up_nothing(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await take(published, track("trial_started"), track("trial_cancelled", A_DAY + HOUR))
    temporal.fails = lambda asked: (
        rpc_error(RPCStatusCode.INVALID_ARGUMENT, "blob too large")
        if asked.what == "start"
        else None
    )
    assert await dispatcher.drain() == 1
    async with published.database.reading() as session:
        (parked,) = await rows.parked(session)
    assert (parked.kind, parked.parked_reason) == (
        OutboxKind.START,
        "INVALID_ARGUMENT: blob too large",
    )


async def test_search_attributes_that_are_not_registered_put_nothing_aside(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal, wall: Wall
) -> None:
    await take(published, track("trial_started"))
    temporal.fails = lambda asked: rpc_error(
        RPCStatusCode.INVALID_ARGUMENT, "no mapping defined for search attribute CustomerId"
    )
    assert await dispatcher.drain() == 0
    temporal.fails = lambda asked: None
    wall.pass_(LONG)
    assert await dispatcher.drain() == 1


async def test_an_error_nobody_has_foreseen_is_tried_often_and_then_put_aside(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal, wall: Wall
) -> None:
    await take(published, track("trial_started"))
    temporal.fails = lambda asked: KeyError("a bug")
    for _ in range(19):
        await dispatcher.drain()
        wall.pass_(LONG)
    async with published.database.reading() as session:
        assert (await rows.backlog(session)).parked == 0
    await dispatcher.drain()
    async with published.database.reading() as session:
        (parked,) = await rows.parked(session)
    assert parked.parked_reason == "KeyError: 'a bug'"


@pytest.mark.parametrize(
    "outage",
    [
        rpc_error(RPCStatusCode.UNAVAILABLE),
        WorkflowUpdateRPCTimeoutOrCancelledError(),
        RuntimeError("Failed client connect: nobody listens"),
    ],
    ids=["server", "worker", "first connection"],
)
async def test_however_long_an_outage_lasts_nothing_is_put_aside(
    published: Services,
    dispatcher: Dispatcher,
    temporal: FakeTemporal,
    wall: Wall,
    outage: Exception,
) -> None:
    await take(published, track("trial_started"))
    temporal.fails = lambda asked: outage
    for _ in range(30):
        await dispatcher.drain()
        wall.pass_(LONG)
    temporal.fails = lambda asked: None
    assert await dispatcher.drain() == 1


async def test_a_store_that_goes_away_after_a_long_outage_puts_nothing_aside(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal, wall: Wall
) -> None:
    await take(published, track("trial_started"))
    temporal.fails = away
    for _ in range(30):
        await dispatcher.drain()
        wall.pass_(LONG)
    temporal.fails = lambda asked: StoreAwayError("the store, asked for what to start with")
    assert await dispatcher.drain() == 0
    temporal.fails = lambda asked: None
    wall.pass_(LONG)
    assert await dispatcher.drain() == 1


async def test_a_declined_skip_is_undone_in_the_store_and_told_in_the_audit_log(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await take(published, track("trial_started"))
    async with published.database.transaction() as session:
        await customers.lock(session, "c1", A_DAY)
        await enrollments.skip(session, "trial:c1", "thanks")
        await rows.append(
            session,
            customer_id="c1",
            kind=OutboxKind.UPDATE,
            payload={"update": "skip", "arg": {"by": "ann", "step": "thanks"}},
            at=A_DAY,
            enrollment_id="trial:c1",
        )
    settled = ApplicationError("step `thanks` can't be skipped: it is settled (sent)")
    temporal.fails = lambda asked: (
        WorkflowUpdateFailedError(settled) if asked.what == "skip" else None
    )
    assert await dispatcher.drain() == 2
    assert (await enrollment(published.database)).skipped_steps == []
    async with published.database.reading() as session:
        (entry,) = await audit.newest(session, enrollment_id="trial:c1")
    assert entry.action == "skip.declined"
    assert "it is settled (sent)" in entry.details["why"]


async def test_an_update_has_the_same_id_each_time_it_is_tried(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal, wall: Wall
) -> None:
    await take(published, track("trial_started"))
    async with published.database.transaction() as session:
        row = await rows.append(
            session,
            customer_id="c1",
            kind=OutboxKind.UPDATE,
            payload={"update": "pause", "arg": {"by": "ann"}},
            at=A_DAY,
            enrollment_id="trial:c1",
        )
    temporal.fails_after = lambda asked: (
        rpc_error(RPCStatusCode.DEADLINE_EXCEEDED) if asked.what == "pause" else None
    )
    await dispatcher.drain()
    temporal.fails_after = lambda asked: None
    wall.pass_(LONG)
    await dispatcher.drain()
    ids = [asked.options["id"] for asked in temporal.heard if asked.what == "pause"]
    assert ids == [f"outbox-{row.id}"] * 2


async def test_running_it_carries_at_once_what_is_accepted_and_stops_cleanly(
    published: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    running = asyncio.create_task(dispatcher.run())
    await take(published, track("trial_started"))
    async with asyncio.timeout(20):
        await temporal.hearing.wait()
        dispatcher.stop()
        await running
    async with published.database.reading() as session:
        assert (await rows.backlog(session)).pending == 0
    assert all(row.done_at is not None for row in await outbox(published.database))


async def test_it_stops_though_the_store_is_away_and_its_rows_are_carried_later(
    published: Services,
    dispatcher: Dispatcher,
    temporal: FakeTemporal,
    wall: Wall,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*, durable: bool) -> None:
        raise StoreAwayError("stopped")

    def heard_and_gone(_: Asked) -> None:
        monkeypatch.setattr(published.database, "transaction", refuse)

    await take(published, track("trial_started"))
    temporal.fails_after = heard_and_gone
    running = asyncio.create_task(dispatcher.run())
    async with asyncio.timeout(20):
        await temporal.hearing.wait()
        dispatcher.stop()
        await running
    monkeypatch.undo()
    temporal.fails_after = lambda asked: None
    wall.pass_(LONG)
    assert await Dispatcher(published, temporal.client()).drain() == 1

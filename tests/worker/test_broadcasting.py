"""Broadcasts on a real Temporal server: the workflow has the pages done, and hears of orders."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle

from api.broadcasting import taking_up
from api.broadcasting.asked import Asked
from api.broadcasting.orders import Broadcasting
from api.broadcasting.telling import Teller
from api.dispatcher import Dispatcher
from api.services import Services
from engine.broadcasts import PageDone
from settings import load
from store import broadcasts, enrollments, mailbox
from store.database import Database
from store.tables import Broadcast, Enrollment
from tests.api.broadcasting import known, publish
from tests.api.given import trial
from tests.temporal import connect, dev_server
from worker.desk import build_desk
from worker.running import build_worker

MANY = [f"c{n}" for n in range(25)]

# For one broadcast, on a machine that is busy with other tests.
PATIENCE_S = 60.0

# So slow that a broadcast of these is certainly under way when something is done to it.
SLOWLY = 4.0


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> object:
    with dev_server(tmp_path_factory.mktemp("temporal")) as found:
        yield found


@pytest.fixture
async def services(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Services]:
    """The stack but for the API, with customers; a page is ten of them."""
    monkeypatch.setattr(taking_up, "MOST_TAKEN", 10)
    settings = load(
        database_url=f"sqlite+aiosqlite:///{tmp_path / 'store.db'}",
        secret_key="r" * 64,
        task_queue=tmp_path.name,
    )
    database = Database(settings.database_url)
    database.upgrade()
    client = await connect(address)
    services = Services(database=database, settings=settings, temporal=client)
    await publish(database, trial(ends_at=None))
    await known(services, *MANY)
    desk = build_desk(settings, database, lambda: datetime.now(UTC))
    async with build_worker(
        client, desk, settings.task_queue, timedelta(seconds=5), services=services
    ):
        yield services
    await database.dispose()


def teller(services: Services) -> Teller:
    assert services.temporal is not None
    return Teller(services, services.temporal)


async def begin(services: Services, name: str, **asked: object) -> WorkflowHandle[Broadcast, str]:
    await Broadcasting(services, "ann").start(Asked(name, **asked))  # type: ignore[arg-type]
    assert await teller(services).tell() == 1
    assert services.temporal is not None
    return services.temporal.get_workflow_handle(f"broadcast:{name}", result_type=str)


async def ending(handle: WorkflowHandle[Broadcast, str]) -> str:
    async with asyncio.timeout(PATIENCE_S):
        return await handle.result()


async def state(services: Services, name: str) -> str:
    async with services.database.reading() as session:
        found = await broadcasts.state_of(session, name)
    assert found is not None
    return found.value


async def theirs(services: Services) -> list[Enrollment]:
    async with services.database.reading() as session:
        return await enrollments.found(session, limit=2 * len(MANY))


async def first_page(handle: WorkflowHandle[Broadcast, str]) -> PageDone:
    """Once somebody has been taken up."""
    while True:
        told = await progress(handle)
        if told.taken:
            return told
        await asyncio.sleep(0.05)


async def progress(handle: WorkflowHandle[Broadcast, str]) -> PageDone:
    told: PageDone = await handle.query("progress", result_type=PageDone)
    return told


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.05)


async def test_a_message_goes_to_everybody_without_a_workflow_each(services: Services) -> None:
    handle = await begin(services, "news", message="trial/coupon")
    assert await ending(handle) == "done"
    async with services.database.reading() as session:
        assert await mailbox.count(session) == len(MANY)
        assert (await broadcasts.decided(session, "news")).sent == len(MANY)
    assert {row.state for row in await theirs(services)} == {"completed"}
    assert await state(services, "news") == "done"
    assert services.temporal is not None
    assert await Dispatcher(services, services.temporal).drain() == 0
    told = await progress(handle)
    assert "- taken up: 25" in told.lines


async def test_a_journey_s_workflows_begin_with_their_customers(services: Services) -> None:
    handle = await begin(services, "join", journey="trial")
    assert await ending(handle) == "done"
    assert services.temporal is not None
    assert await Dispatcher(services, services.temporal).drain() == len(MANY)
    described = await services.temporal.get_workflow_handle("trial:c7").describe()
    assert described.status is WorkflowExecutionStatus.RUNNING
    assert len(await theirs(services)) == len(MANY)


async def test_at_a_rate_it_is_paused_resumed_and_stopped(services: Services) -> None:
    handle = await begin(services, "slow", message="trial/coupon", per_second=SLOWLY)
    assert (await first_page(handle)).taken == SLOWLY
    orders, telling = Broadcasting(services, "ann"), teller(services)
    await orders.pause("slow")
    so_many = len(await theirs(services))
    await telling.tell()

    async def is_paused() -> bool:
        return (await progress(handle)).is_paused

    await until(is_paused)
    assert len(await theirs(services)) == so_many < len(MANY)
    assert await telling.tell() == 0  # nothing is new
    await orders.resume("slow")
    await telling.tell()

    async def goes_on() -> bool:
        return len(await theirs(services)) > so_many

    await until(goes_on)
    await orders.stop("slow")
    so_many = len(await theirs(services))
    await telling.tell()
    assert await ending(handle) == "stopped"
    rows = await theirs(services)
    assert len(rows) == so_many < len(MANY)
    assert {row.state for row in rows} <= {"completed", "cancelled"}


async def test_to_cancel_it_in_temporal_is_to_stop_it(services: Services) -> None:
    handle = await begin(services, "cancelled", event="told", per_second=SLOWLY)
    await first_page(handle)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await ending(handle)
    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    assert await state(services, "cancelled") == "stopped"
    assert await teller(services).tell() == 0


async def test_one_that_was_terminated_is_begun_again(services: Services) -> None:
    handle = await begin(services, "killed", message="trial/coupon", per_second=SLOWLY)
    await first_page(handle)
    await handle.terminate()
    assert await teller(services).tell() == 1  # another process, or this one a minute later
    assert await ending(handle) == "done"
    assert len(await theirs(services)) == len(MANY)
    async with services.database.reading() as session:
        assert await mailbox.count(session) == len(MANY)


async def test_one_to_come_sleeps_until_then(services: Services) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    handle = await begin(services, "later", event="told", at=soon)
    assert await ending(handle) == "done"
    history = await handle.fetch_history()
    kinds = [event.WhichOneof("attributes") for event in history.events]
    assert kinds.count("timer_started_event_attributes") == 1
    assert kinds.count("activity_task_scheduled_event_attributes") == 2

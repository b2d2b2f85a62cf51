"""Exit wins: once an exit event is accepted, nothing more is claimed for its enrollment.

On a real server, at the very moment a step is due, with the dispatcher running and without
it, so that Temporal may not have heard of the exit at all.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.accept import accept
from api.dispatcher import Dispatcher
from api.services import Services
from authoring.journey_file import load_journey_data
from engine.calls import Call, Identify, Track
from engine.clock import Clock
from engine.policy import Policy, Sender, Topic
from rendering.messages import MessageSource
from settings import load
from store import journeys, messages, outbox
from store.database import Database
from tests.temporal import connect, dev_server
from worker.desk import build_desk
from worker.running import build_worker

RACES = 100  # with the dispatcher running, and as many without
SPEED = 60.0  # a minute of the journey in a second
SPACING = timedelta(milliseconds=50)  # between one customer's start and the next one's
# Seconds after the step's time at which an exit comes: a busy machine claims within these.
AFTER_DUE = (-0.1, 0.9)

JOURNEY = """
journey: race
title: An exit at the very moment
starts_on: began
ends_on: left
topic: news
steps:
  - send: hello
    at: start + 10 minutes
  - send: later
    at: start + 100 days
"""

POLICY = Policy(
    sender=Sender(name="Race", email="race@example.com"),
    postal_address="1 Race Street",
    topics={"news": Topic(title="News", subscribed=True)},
)
HELLO = MessageSource("hello", {"subject.txt": "Hello", "email.html": "<p>Hello</p>"}, {})
LATER = MessageSource("later", {"subject.txt": "Later", "email.html": "<p>Later</p>"}, {})


@dataclass(frozen=True)
class Race:
    """One customer: what was claimed when the exit had been accepted."""

    customer_id: str
    claimed: frozenset[str]


@asynccontextmanager
async def _stack(folder: Path, address: str) -> AsyncIterator[Services]:
    settings = load(database_url=f"sqlite+aiosqlite:///{folder / 'race.db'}", secret_key="r" * 64)
    database = Database(settings.database_url)
    database.upgrade()
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=[load_journey_data(JOURNEY, "race/journey.yaml")],
            policy=POLICY,
            messages={"race": {"hello": HELLO.to_dict(), "later": LATER.to_dict()}},
            at=datetime.now(UTC),
            by="test",
        )
    now = datetime.now(UTC)
    client = await connect(address)
    services = Services(
        database=database,
        settings=settings,
        temporal=client,
        clock=Clock(real_origin=now, journey_origin=now, speed=SPEED),
    )
    desk = build_desk(settings, database, services.now)
    async with build_worker(client, desk, settings.task_queue, timedelta(seconds=5)):
        yield services
    await database.dispose()


async def _claimed(services: Services, customer_id: str) -> frozenset[str]:
    async with services.database.reading() as session:
        rows = await messages.of_customer(session, customer_id)
    return frozenset(row.key for row in rows if row.first_claimed_at is not None)


async def _race(services: Services, customer_id: str, start: datetime) -> Race:
    """Exit around the moment the step is due."""
    assert services.clock is not None
    due = (
        services.clock.real_origin
        + (start + timedelta(minutes=10) - services.clock.journey_origin) / services.clock.speed
    )
    moment = due + timedelta(seconds=random.uniform(*AFTER_DUE))
    # Real time is what is raced here; nothing is asserted about how long anything takes.
    await asyncio.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))
    left = Track(
        customer_id=customer_id,
        at=services.now(),
        message_id=f"{customer_id}-left",
        event="left",
    )
    await accept(services, [left], services.now())
    return Race(customer_id, await _claimed(services, customer_id))


async def _begin(services: Services, customer_id: str, at: datetime) -> None:
    calls: list[Call] = [
        Identify(
            customer_id=customer_id,
            at=at,
            message_id=f"{customer_id}-id",
            traits={"email": f"{customer_id}@example.com"},
        ),
        Track(customer_id=customer_id, at=at, message_id=f"{customer_id}-began", event="began"),
    ]
    await accept(services, calls, at)


@pytest.mark.parametrize(
    "dispatching",
    [
        pytest.param(True, id="dispatcher"),
        pytest.param(False, id="no-dispatcher", marks=pytest.mark.long),
    ],
)
async def test_nothing_is_claimed_after_an_exit_was_accepted(
    tmp_path: Path, dispatching: bool
) -> None:
    with dev_server(tmp_path) as address:
        async with _stack(tmp_path, address) as services:
            assert services.temporal is not None
            dispatcher = Dispatcher(services, services.temporal)
            first = services.now()
            starts = {f"c{n}": first + n * SPACING * SPEED for n in range(RACES)}
            for customer_id, start in starts.items():
                await _begin(services, customer_id, start)
            await _carry_all(services, dispatcher)
            running = asyncio.create_task(dispatcher.run()) if dispatching else None
            races = await asyncio.gather(
                *(_race(services, customer_id, start) for customer_id, start in starts.items())
            )
            if running is not None:
                dispatcher.stop()
                await running
            await _carry_all(services, Dispatcher(services, services.temporal))
            # Long after every step was due, and every delivery has answered.
            await _until_settled(services, races)
            for race in races:
                assert await _claimed(services, race.customer_id) == race.claimed
            sent = sum(bool(race.claimed) for race in races)
            # Both outcomes happened, else nothing was raced.
            assert 5 <= sent <= RACES - 5, f"{sent} of {RACES} were claimed before the exit"


async def _carry_all(services: Services, dispatcher: Dispatcher) -> None:
    """Until Temporal has heard everything: on a busy machine a call may take two attempts."""
    while True:
        await dispatcher.drain()
        async with services.database.reading() as session:
            if not (await outbox.backlog(session)).pending:
                return
        await asyncio.sleep(0.2)


async def _until_settled(services: Services, races: list[Race]) -> None:
    """Every workflow has closed: nothing of it can claim any more."""
    assert services.temporal is not None
    for race in races:
        await services.temporal.get_workflow_handle(f"race:{race.customer_id}").result()

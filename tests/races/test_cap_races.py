"""A cap holds however many ask at once: never one too many, never one too few.

`deliver` is called a hundred times at once for one customer, each time for another enrollment,
with a provider that takes some, refuses some, and leaves some in the dark. Then once more
through a real Temporal server.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.deliver import deliver
from activities.desk import Attempt, Desk
from activities.providers.outcome import Accepted, Ambiguous, Mail, Refused
from api.accept import accept
from api.dispatcher import Dispatcher
from api.services import Services
from authoring.journey_file import load_journey_data
from engine.calls import Call, Identify, Track
from engine.clock import Clock
from engine.enrollment import Delivery, NotBefore, Outcome, Settled
from engine.orders import DeliverOrder, Report
from engine.reasons import Decision, Reason
from rendering.links import Links
from rendering.messages import MessageSource
from settings import load
from store import journeys, messages, outbox
from store.database import Database
from tests.activities.given import DAY, NOW, TIP, enroll, journey, policy, publish
from tests.postgres import postgres_server  # noqa: F401 — a fixture
from tests.store.conftest import (  # noqa: F401 — fixtures
    db,
    migrated_file,
    migrated_template,
    shared_postgres,
    url,
)
from tests.temporal import connect, dev_server
from worker.desk import build_desk
from worker.running import build_worker

AT_ONCE = 100
MOST = 7
CARTS = journey(key="cart", steps=[{"send": "tip", "at": "start + 1 day"}])
CAPPED = [{"max": MOST, "per": "1 day"}, {"max": MOST + 1, "per": "calendar week"}]
ROUNDS = [
    pytest.param(2, id="2-rounds"),
    pytest.param(200, id="200-rounds", marks=pytest.mark.wide),
]


@dataclass
class Moody:
    """Takes some, refuses some, leaves some in the dark; knows no keys, so none is repeated.

    `most` is how many were out at one moment: taken, in the dark, or in its hands.
    """

    chance: random.Random
    out: Counter[str] = field(default_factory=Counter)
    most: int = 0
    remembers_keys_for: timedelta | None = None
    name: str = "moody"

    async def send(self, mail: Mail) -> Accepted | Refused:
        self.out[mail.customer_id] += 1
        self.most = max(self.most, self.out[mail.customer_id])
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)  # let others come between
        mood = self.chance.random()
        if mood < 0.3:
            # Its place is free only when that is written down, so count it as free no earlier.
            asyncio.get_running_loop().call_soon(self.out.subtract, {mail.customer_id: 1})
            return Refused("not today")
        if mood < 0.5:
            raise Ambiguous("cut off")
        return Accepted(f"p-{mail.key}")

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_a_hundred_at_once_never_exceed_the_cap_nor_fall_short_of_it(
    db: Database,  # noqa: F811 — the fixture
    rounds: int,
) -> None:
    """In every other round the store knows that all of them are due, so that each looks ahead."""
    await publish(db, CARTS, policy(caps=CAPPED), {"tip": TIP})
    for number in range(rounds):
        chance = random.Random(number)
        provider = Moody(chance)
        desk = Desk(db, {"email": provider}, Links("https://acme.example", ["k" * 32]))
        await _one_round(desk, f"c{number}", chance, are_announced=number % 2 == 0)
        assert provider.most == MOST


async def _one_round(
    desk: Desk, customer_id: str, chance: random.Random, *, are_announced: bool
) -> None:
    """Everybody asks at once; those told to wait ask again, until nothing moves any more."""
    waiting = [f"trial:{customer_id}:{n:02}" for n in range(AT_ONCE)]
    due: dict[str, Any] = {"next_step": "tip", "next_at": NOW} if are_announced else {}
    async with desk.database.transaction() as session:
        for name in waiting:
            await enroll(session, CARTS, customer_id, id=name, key=name[-2:], **due)
    asking, at = waiting, NOW
    while True:
        answers = await asyncio.gather(*(_ask(desk, each, customer_id, at) for each in asking))
        assert all(map(_is_an_answer, answers))
        gone = {n for n, a in zip(asking, answers, strict=True) if not isinstance(a, NotBefore)}
        if not gone and asking is waiting:
            break
        waiting = [name for name in waiting if name not in gone]
        # Some are enough to fill a place that was given back; all, to show that none is left.
        asking = sorted(chance.sample(waiting, 2 * MOST)) if gone else waiting
        at += timedelta(minutes=1)
    async with desk.database.reading() as session:
        rows = await messages.of_customer(session, customer_id)
    out = [row for row in rows if row.decision in (Decision.SENT, Decision.UNKNOWN)]
    assert len(out) == MOST
    assert len(waiting) == AT_ONCE - len(rows)


def _is_an_answer(answer: Outcome) -> bool:
    if isinstance(answer, NotBefore):
        return answer.reason is Reason.CAPPED
    return isinstance(answer, Settled) and answer.reason in (None, Reason.PROVIDER_REFUSED)


async def _ask(desk: Desk, enrollment: str, customer_id: str, at: datetime) -> Outcome:
    delivery = Delivery(
        step="tip", occurrence="start", at=at, due_at=NOW, until=NOW + 9 * DAY, zone="Europe/Paris"
    )
    report = Report(enrollment_id=enrollment, customer_id=customer_id)
    order = DeliverOrder(
        journey=CARTS.journey, version=CARTS.version, delivery=delivery, report=report
    )
    return await deliver(desk, Attempt(order, at))


# --- Through Temporal ---------------------------------------------------------------------

RACE = """
journey: race
title: A hundred at one moment
starts_on: began
key: cart
topic: onboarding
steps:
  - send: tip
    at: start + 3 minutes
    grace: 1 hour
"""
SPEED = 60.0  # a minute of the journey in a second


async def test_a_hundred_workflows_at_one_moment_get_what_the_cap_allows(tmp_path: Path) -> None:
    settings = load(database_url=f"sqlite+aiosqlite:///{tmp_path / 'race.db'}", secret_key="r" * 64)
    database = Database(settings.database_url)
    database.upgrade()
    race = load_journey_data(RACE, "race/journey.yaml")
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=[race],
            policy=policy(caps=CAPPED),
            messages={"race": {"tip": MessageSource("tip", dict(TIP), {}).to_dict()}},
            at=datetime.now(UTC),
            by="test",
        )
    now = datetime.now(UTC)
    with dev_server(tmp_path) as address:
        client = await connect(address)
        services = Services(
            database=database,
            settings=settings,
            temporal=client,
            clock=Clock(real_origin=now, journey_origin=now, speed=SPEED),
        )
        desk = build_desk(settings, database, services.now)
        async with build_worker(client, desk, settings.task_queue, timedelta(seconds=5)):
            await _begin(services)
            for n in range(AT_ONCE):
                await client.get_workflow_handle(f"race:c1:{n}").result()
    async with database.reading() as session:
        rows = await messages.of_customer(session, "c1")
    await database.dispose()
    assert Counter((row.decision, row.reason) for row in rows) == {
        (Decision.SENT, None): MOST,
        (Decision.NOT_SENT, Reason.CAPPED): AT_ONCE - MOST,
    }


async def _begin(services: Services) -> None:
    """One customer begins a hundred times at one instant, and Temporal hears of it."""
    assert services.temporal is not None
    at = services.now()
    calls: list[Call] = [
        Identify(
            customer_id="c1",
            at=at,
            message_id="id",
            traits={"email": "c1@example.com", "name": "C"},
        )
    ]
    calls += [
        Track(
            customer_id="c1", at=at, message_id=f"b{n}", event="began", properties={"cart": str(n)}
        )
        for n in range(AT_ONCE)
    ]
    await accept(services, calls, at)
    dispatcher = Dispatcher(services, services.temporal)
    while True:
        await dispatcher.drain()
        async with services.database.reading() as session:
            if not (await outbox.backlog(session)).pending:
                return
        await asyncio.sleep(0.2)  # on a busy machine a call may take two attempts

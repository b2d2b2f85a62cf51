"""Many messages due at once on a channel that has a rate: real workers, a provider that notes when.

Three journeys share the channel: one transactional, one of marketing, and a brief one, whose
message is worth nothing soon after. Knows nothing of how the rate is held.
"""

import asyncio
import sys
from bisect import bisect_left
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.api.enums.v1 import EventType, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from api.accept import accept
from api.dispatcher import Dispatcher
from api.services import Services
from authoring.journey_file import load_journey_data
from engine.calls import Call, Identify, Track
from engine.clock import Clock
from engine.enrollment import Tolerances
from engine.policy import Policy, Sender, Topic
from rendering.messages import MessageSource
from settings import load
from store import journeys, messages, outbox
from store.database import Database
from tests.api.given import SECRET
from tests.cli.running import environment
from tests.crash import stubs
from tests.crash.programs import Program
from tests.lint.checkout import ROOT
from tests.temporal import connect, dev_server

# Of a journey, from its start to its message.
LEAD = timedelta(minutes=10)
BRIEF = timedelta(minutes=1)
LATENESS = Tolerances().lateness

_JOURNEY = """
journey: {name}
title: Due with many others
starts_on: {name}_began
{kind}
steps:
  - send: hello
    at: start + 10 minutes
    grace: {grace}
"""
_KINDS = {
    "receipt": _JOURNEY.format(name="receipt", kind="transactional: true", grace="1 day"),
    "news": _JOURNEY.format(name="news", kind="topic: news", grace="1 day"),
    "brief": _JOURNEY.format(name="brief", kind="topic: news", grace="1 minute"),
}
_POLICY = Policy(
    sender=Sender(name="Rush", email="rush@example.com"),
    postal_address="1 Rush Street",
    topics={"news": Topic(title="News", subscribed=True)},
)
_HELLO = MessageSource("hello", {"subject.txt": "Hello", "email.html": "<p>Hello</p>"}, {})

_START_S = 90.0

_ORDERED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED

_AT_ONCE = 100  # customers a transaction


@dataclass(frozen=True)
class Sent:
    """One mail as the provider saw it; `at` in Unix seconds."""

    enrollment: str
    at: float

    @property
    def journey(self) -> str:
        return self.enrollment.partition(":")[0]


class _Strict(Services):
    """Grace is what the journey says, also where time runs fast: demos bear more."""

    @property
    def tolerances(self) -> Tolerances:
        return Tolerances()


@dataclass
class Rush:
    """The stack, up, its workers running; `due` says when each enrollment's message is."""

    services: Services
    log: stubs.Log
    due: dict[str, datetime] = field(default_factory=dict)

    async def enroll(self, count: Mapping[str, int], due_at: datetime) -> None:
        """So many customers of each journey, taking turns, whose message is due then (real)."""
        assert self.services.clock is not None
        now = self.services.now()
        start = self.services.clock.journey(due_at) - LEAD
        turns = sorted((n / of, journey) for journey, of in count.items() for n in range(of))
        calls: list[Call] = []
        for _, journey in turns:
            who = f"c{len(self.due)}"
            self.due[f"{journey}:{who}"] = due_at
            traits = {"email": f"{who}@example.com"}
            calls.append(Identify(customer_id=who, at=now, message_id=f"{who}-id", traits=traits))
            began = f"{journey}_began"
            calls.append(Track(customer_id=who, at=start, message_id=f"{who}-b", event=began))
        for first in range(0, len(calls), 2 * _AT_ONCE):
            await accept(self.services, calls[first : first + 2 * _AT_ONCE], now)

    async def carry(self) -> None:
        """Until Temporal has heard of everyone."""
        assert self.services.temporal is not None
        dispatcher = Dispatcher(self.services, self.services.temporal)
        while True:
            await dispatcher.drain()
            async with self.services.database.reading() as session:
                if not (await outbox.backlog(session)).pending:
                    return

    async def until_over(self) -> None:
        """Every enrollment has ended: nothing of it can be sent any more."""
        assert self.services.temporal is not None
        for each in self.due:
            await self.services.temporal.get_workflow_handle(each).result()

    async def asked(self) -> float:
        """How often `deliver` was asked about a message, on average of one enrollment in ten."""
        assert self.services.temporal is not None
        sample = list(self.due)[::10]
        orders = 0
        for each in sample:
            history = await self.services.temporal.get_workflow_handle(each).fetch_history()
            orders += sum(event.event_type == _ORDERED for event in history.events)
        return orders / len(sample)

    @property
    def sent(self) -> list[Sent]:
        """What the provider was given, in order."""
        return [
            Sent(key.partition("/")[0], at)
            for key, at in zip(self.log.asked, self.log.asked_at, strict=True)
        ]

    async def expired(self) -> set[str]:
        """The enrollments of which the store says so."""
        found = set()
        async with self.services.database.reading() as session:
            for each in self.due:
                rows = await messages.of_customer(session, each.partition(":")[2])
                found |= {row.enrollment_id for row in rows if row.reason == "expired"}
        return found


@asynccontextmanager
async def rush(
    folder: Path, url: str, *, rate: float, workers: int, speed: float = 1.0
) -> AsyncIterator[Rush]:
    """Temporal, a provider, and so many `parcours worker` at that rate, until the block is left."""
    async with AsyncExitStack() as stack:
        address = stack.enter_context(dev_server(folder))
        log = await stack.enter_async_context(stubs.resend())
        settings = load(database_url=url, secret_key=SECRET)
        database = Database(url)
        stack.push_async_callback(database.dispose)
        database.upgrade()
        await _publish(database)
        for number in range(workers):
            worker = _worker(folder, number, url, address, log.port, rate)
            stack.callback(worker.stop)
            worker.start()
        client = await connect(address)
        await _await_workers(client, settings.task_queue, workers)
        now = datetime.now(UTC)
        services = _Strict(
            database=database,
            settings=settings,
            temporal=client,
            clock=Clock(real_origin=now, journey_origin=now, speed=speed),
        )
        yield Rush(services, log)


def _worker(
    folder: Path, number: int, url: str, address: str, provider_port: int, rate: float
) -> Program:
    settings = environment(
        PARCOURS_DATABASE_URL=url,
        PARCOURS_SECRET_KEY=SECRET,
        PARCOURS_TEMPORAL_ADDRESS=address,
        PARCOURS_EMAIL_PROVIDER="resend",
        PARCOURS_RESEND_API_KEY="re_test",
        PARCOURS_RESEND_BASE_URL=f"http://127.0.0.1:{provider_port}",
        PARCOURS_EMAIL_RATE=str(rate),
        PARCOURS_GRACEFUL_SHUTDOWN="5",
    )
    command = [sys.executable, "-m", "cli", "worker"]
    return Program(f"worker-{number}", command, folder / f"worker-{number}.log", settings, ROOT)


async def _await_workers(client: Client, task_queue: str, workers: int) -> None:
    """Until so many look for work: a process takes seconds to start on a busy machine."""
    question = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    async with asyncio.timeout(_START_S):
        while True:
            described = await client.workflow_service.describe_task_queue(question)
            if len(described.pollers) >= workers:
                return
            await asyncio.sleep(0.1)


async def _publish(database: Database) -> None:
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=[
                load_journey_data(text, f"{name}/journey.yaml") for name, text in _KINDS.items()
            ],
            policy=_POLICY,
            messages={name: {"hello": _HELLO.to_dict()} for name in _KINDS},
            at=datetime.now(UTC),
            by="test",
        )


def most_within(times: Sequence[float], seconds: float) -> int:
    """The most of these (in order) that lie in any window of so many seconds, its end excluded."""
    return max(
        (bisect_left(times, at + seconds) - first for first, at in enumerate(times)), default=0
    )

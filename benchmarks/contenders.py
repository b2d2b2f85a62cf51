"""Who is measured: our enrollment with scripted activities, and the leanest workflow.

Both run on the same server, with the same runner and the same worker settings.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.names import DELIVER, RECORD
from benchmarks.lean import Lean, lean_step
from benchmarks.load import GAP_S, Contender, Watch
from benchmarks.trial import Trial
from engine.enrollment import Settled
from engine.orders import DeliverOrder, DeliverResult, Report
from engine.reasons import Decision
from worker.running import worker_settings
from workflows.enrollment import Enrollment


@activity.defn(name=DELIVER)
async def deliver_nothing(order: DeliverOrder) -> DeliverResult:
    """Say that it was sent."""
    return DeliverResult(
        outcome=Settled(decision=Decision.SENT, channel="email", message=order.delivery.step)
    )


@activity.defn(name=RECORD)
async def record_nothing(report: Report) -> None:
    """Do nothing."""


@asynccontextmanager
async def lean(
    client: Client, name: str = "lean", gap_s: float = GAP_S, **settings: Any
) -> AsyncIterator[Contender]:
    """The leanest workflow, its worker running. `settings` are instead of the worker's."""
    watch = Watch()

    async def start(workflow_id: str, now: datetime) -> None:
        await client.start_workflow(Lean.run, gap_s, id=workflow_id, task_queue=name)

    async with Worker(
        client,
        task_queue=name,
        workflows=[Lean],
        activities=[lean_step],
        interceptors=[watch],
        **{**worker_settings(), **settings},
    ):
        yield Contender(name, start, watch, new_ids(name))


@asynccontextmanager
async def ours(
    client: Client,
    trial: Trial,
    name: str = "ours",
    deliver: Callable[..., Any] = deliver_nothing,
    record: Callable[..., Any] = record_nothing,
    ids: Iterator[str] | None = None,
    **settings: Any,
) -> AsyncIterator[Contender]:
    """Our workflow, its worker running; `ids` are those that the store knows, if it must."""
    watch = Watch()

    async def start(workflow_id: str, now: datetime) -> None:
        given = trial.input(workflow_id, now)
        await client.start_workflow(given.journey, given, id=workflow_id, task_queue=name)

    async with Worker(
        client,
        task_queue=name,
        workflows=[Enrollment],
        activities=[deliver, record],
        interceptors=[watch],
        **{**worker_settings(), **settings},
    ):
        yield Contender(name, start, watch, ids or new_ids(name))


def new_ids(name: str) -> Iterator[str]:
    """Ids that nobody has had."""
    return (f"{name}-{number}" for number in count())

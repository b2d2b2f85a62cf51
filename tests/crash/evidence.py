"""What is there after a crash test: in the store and in Temporal, as plain values for the judge."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlmodel import col
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowExecutionStatus

from engine.disposition import Disposition
from engine.reasons import Decision
from store.database import Database
from store.tables import (
    Enrollment,
    Event,
    EventKind,
    EventStats,
    MailboxMail,
    Message,
    OutboxRow,
)

# Ordinary: something arrived while the task was being answered, and it was simply done again.
_HARMLESS = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND


@dataclass(frozen=True)
class Kept:
    """An event of the store; `did` are its deeds, as `fired trial:c1`."""

    message_id: str
    customer: str
    did: tuple[str, ...]


@dataclass(frozen=True)
class Inside:
    """An enrollment of the store."""

    id: str
    customer: str
    state: str
    ended_by: str | None
    start_event_id: str
    next_step: str | None
    next_at: datetime | None


@dataclass(frozen=True)
class Settled:
    """A message of the store."""

    key: str
    enrollment: str
    occurrence: str
    decision: Decision | None


@dataclass(frozen=True)
class Put:
    """A row of the outbox."""

    event_id: str | None
    enrollment: str | None
    is_done: bool
    is_parked: bool


@dataclass(frozen=True)
class Run:
    """A run of a workflow; `failures` are the causes for which its tasks failed."""

    id: str
    status: WorkflowExecutionStatus
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """All of it. `created` are the events `customer.created`, by customer; `mails` subjects."""

    events: tuple[Kept, ...]
    created: tuple[str, ...]
    stats: dict[tuple[str, str], int]
    enrollments: tuple[Inside, ...]
    messages: tuple[Settled, ...]
    mails: tuple[str, ...]
    outbox: tuple[Put, ...]
    runs: tuple[Run, ...]


async def gather(database: Database, temporal: Client) -> Evidence:
    """Look at everything."""
    found = [run async for run in _runs(temporal)]
    async with database.reading() as session:
        kept = list(await session.scalars(select(Event)))
        stats = await session.scalars(select(EventStats))
        inside = await session.scalars(select(Enrollment))
        settled = await session.scalars(select(Message))
        mails = await session.scalars(select(MailboxMail))
        rows = await session.scalars(select(OutboxRow).order_by(col(OutboxRow.id)))
        return Evidence(
            events=tuple(_kept(each) for each in kept if each.kind is not EventKind.SYSTEM),
            created=tuple(each.customer_id for each in kept if each.name == "customer.created"),
            stats={(each.customer_id, each.name): each.count for each in stats},
            enrollments=tuple(map(_inside, inside)),
            messages=tuple(
                Settled(each.key, each.enrollment_id, each.occurrence, each.decision)
                for each in settled
            ),
            mails=tuple(each.subject for each in mails),
            outbox=tuple(
                Put(
                    each.event_id,
                    each.enrollment_id,
                    each.done_at is not None,
                    each.parked_at is not None,
                )
                for each in rows
            ),
            runs=tuple(found),
        )


async def with_failures(evidence: Evidence, temporal: Client) -> Evidence:
    """The same, and of every run the workflow tasks that failed: reads every history."""
    runs = [replace(run, failures=await _failures(temporal, run.id)) for run in evidence.runs]
    return replace(evidence, runs=tuple(runs))


async def _runs(temporal: Client) -> AsyncIterator[Run]:
    async for each in temporal.list_workflows():
        assert each.status is not None
        yield Run(each.id, each.status)


async def _failures(temporal: Client, workflow_id: str) -> tuple[str, ...]:
    history = await temporal.get_workflow_handle(workflow_id).fetch_history()
    return tuple(
        WorkflowTaskFailedCause.Name(event.workflow_task_failed_event_attributes.cause)
        for event in history.events
        if event.HasField("workflow_task_failed_event_attributes")
        and event.workflow_task_failed_event_attributes.cause != _HARMLESS
    )


def _kept(event: Event) -> Kept:
    told = Disposition.model_validate(event.disposition or {})
    did = tuple(f"{deed.did} {deed.enrollment}" for deed in told.did)
    return Kept(event.message_id, event.customer_id, did)


def _inside(row: Enrollment) -> Inside:
    return Inside(
        id=row.id,
        customer=row.customer_id,
        state=row.state.value,
        ended_by=row.ended_by,
        start_event_id=row.start_event_id,
        next_step=row.next_step,
        next_at=row.next_at,
    )

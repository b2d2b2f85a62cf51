"""One row of the outbox, carried to Temporal: a start, a signal, an Update or a cancel; or an
identify, which is carried to ourselves.

Decides what an answer of Temporal means for the row: done, refused, come back later, or
never. Everything here may be done twice without harm: a start uses the run there is, a
signal carries its number, an Update its id. The one surprising fact: a workflow that is
gone is an outcome, not an error; the store has long known how it ended.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client, RPCTimeoutOrCancelledError, WorkflowUpdateFailedError
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.temporal_names import CUSTOMER_ID, EVENT_SIGNAL, FIRST, JOURNEY_VERSION, RETRY_SIGNAL
from engine.orders import EnrollmentInput
from engine.progress import local_text
from store.away import is_away
from store.tables import OutboxKind, OutboxRow

# What Temporal answers to a request that will be wrong for ever. Everything else (away,
# slow, overloaded, not allowed just now) is trouble that passes or that someone repairs.
_DEFINITE = frozenset({RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.UNIMPLEMENTED})

# No answer: nobody listens, or nobody in time (our own time-out comes back as CANCELLED).
_NO_ANSWER = frozenset(
    {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}
)

# A definite answer to a wrong setting rather than to this row: with the search attributes
# not registered, it would put the whole backlog aside.
_REPAIRABLE = "search attribute"


@dataclass(frozen=True)
class Done:
    """Temporal has heard it, or need not any more: then `note` says why."""

    note: str | None = None


@dataclass(frozen=True)
class Declined:
    """The enrollment declined a person's Update, for a reason in words."""

    why: str


@dataclass(frozen=True)
class Trouble:
    """Not this time: `KIND: text`. `known` is false for an error that nobody has foreseen.

    `unanswered` says that Temporal gave no answer at all: any other row would fare alike.
    """

    error: str
    known: bool = True
    unanswered: bool = False


@dataclass(frozen=True)
class Hopeless:
    """Never, as it is, for a reason `KIND: text`."""

    reason: str


Outcome = Done | Declined | Trouble | Hopeless


# Takes in what a row says that is for ourselves.
TakeOwn = Callable[[OutboxRow], Awaitable[Outcome]]


class Courier:
    """Carries rows to one Temporal namespace; those for ourselves to `take_own`."""

    def __init__(
        self,
        client: Client,
        take_own: TakeOwn,
        *,
        task_queue: str,
        rpc_timeout: timedelta,
    ) -> None:
        self._take_own = take_own
        self._client = client
        self._task_queue = task_queue
        self._rpc_timeout = rpc_timeout

    @property
    def longest(self) -> timedelta:
        """How long one row may take: an Update is two calls, and the store is asked too."""
        return 2 * self._rpc_timeout + timedelta(seconds=5)

    async def carry(self, row: OutboxRow, given: Mapping[str, Any] | None) -> Outcome:
        """Carry it; never raises but when cancelled. `given` is what a start starts with."""
        try:
            async with asyncio.timeout(self.longest.total_seconds()):
                return await self._carry(row, given)
        except WorkflowAlreadyStartedError:
            return Done("already started")
        except WorkflowUpdateFailedError as failed:
            return Declined(str(failed.cause))
        except RPCError as error:
            return _meaning(row, error)
        except TimeoutError:
            return Trouble(f"TimeoutError: no answer within {self.longest}")
        except (RPCTimeoutOrCancelledError, RuntimeError) as error:
            # An Update that no worker takes, and a client that can't make its first
            # connection: as long as either is away, nothing is wrong with the row.
            unanswered = isinstance(error, RuntimeError)
            return Trouble(f"{type(error).__name__}: {error}", unanswered=unanswered)
        except Exception as error:
            if is_away(error):
                return Trouble(f"StoreAway: {type(error).__name__}")
            # Recorded with the row, logged, and put aside in the end: one row that trips
            # over a bug must not stop the others.
            return Trouble(f"{type(error).__name__}: {error}", known=False)

    async def _carry(self, row: OutboxRow, given: Mapping[str, Any] | None) -> Outcome:
        assert row.enrollment_id is not None  # every kind there is concerns an enrollment
        if row.kind is OutboxKind.START:
            return await self._start(given)
        if row.kind in (OutboxKind.IDENTIFY, OutboxKind.CONSENT):
            return await self._take_own(row)
        handle = self._client.get_workflow_handle(row.enrollment_id)
        match row.kind:
            case OutboxKind.SIGNAL:
                notice = {**row.payload, "seq": row.id}
                await handle.signal(EVENT_SIGNAL, notice, rpc_timeout=self._rpc_timeout)
            case OutboxKind.PACED:
                name = EVENT_SIGNAL if "event_id" in row.payload else RETRY_SIGNAL
                await handle.signal(name, row.payload, rpc_timeout=self._rpc_timeout)
            case OutboxKind.UPDATE:
                await handle.execute_update(
                    row.payload["update"],
                    row.payload["arg"],
                    id=f"outbox-{row.id}",
                    rpc_timeout=self._rpc_timeout,
                )
            case OutboxKind.CANCEL:
                await handle.cancel(rpc_timeout=self._rpc_timeout)
        return Done()

    async def _start(self, raw: Mapping[str, Any] | None) -> Outcome:
        if raw is None:
            return Done("the enrollment is gone")
        given = EnrollmentInput.model_validate(raw)
        await self._client.start_workflow(
            given.journey,
            raw,
            id=given.enrollment_id,
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(CUSTOMER_ID, given.customer_id),
                    SearchAttributePair(JOURNEY_VERSION, given.version),
                ]
            ),
            priority=_priority(given),
            static_summary=str(given.definition.get("title", given.journey)),
            static_details=_details(given),
            rpc_timeout=self._rpc_timeout,
        )
        return Done()


def _priority(given: EnrollmentInput) -> Priority:
    """Who wakes up first where many do at once."""
    return FIRST if given.definition.get("transactional") else Priority.default


def _details(given: EnrollmentInput) -> str:
    """What the Temporal UI shows of a run for good; Markdown, and nothing about the person."""
    began = local_text(given.start.at, given.facts.zone)
    lines = [
        f"- journey `{given.journey}`, version `{given.version}`",
        f"- customer `{given.customer_id}`",
        f"- began {began}, by event `{given.start.event_id}`",
    ]
    if given.start.entered_at - given.start.at > timedelta(minutes=1):
        lines.append(f"- enrolled {local_text(given.start.entered_at, given.facts.zone)}")
    return "\n".join(lines)


def _meaning(row: OutboxRow, error: RPCError) -> Outcome:
    told = f"{error.status.name}: {error.message}"
    if error.status is RPCStatusCode.NOT_FOUND and row.kind is not OutboxKind.START:
        return Done("the workflow is gone")
    if error.status in _DEFINITE and _REPAIRABLE not in error.message.lower():
        return Hopeless(told)
    # An Update also waits for a worker.
    return Trouble(
        told, unanswered=error.status in _NO_ANSWER and row.kind is not OutboxKind.UPDATE
    )

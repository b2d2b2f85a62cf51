"""Whether a workflow is waiting for time alone, and for which: for those who move the clock.

Reads histories and asks the workflow; decides nothing. The surprising fact: an activity
that waits for its next attempt looks, in the history, like one that is running, and the
test server calls it started and does not say when it comes; only the number of its attempt
tells it apart.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from engine.progress import Progress, StepState
from worker.errors import RehearsalError

# One look costs a few milliseconds; what is waited for takes tens of them.
_POLL_S = 0.01

# A worker's answer takes milliseconds, on a busy machine a second.
_STUCK_AFTER_S = 60.0

# A delivery in trouble is tried again every half minute, until its grace is over.
_LOOK_AGAIN = timedelta(hours=1)

_TASK_CLOSED = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
        EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    }
)
_ACTIVITY_CLOSED = frozenset(
    {
        EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
        EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
    }
)
_RUN_CLOSED = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    }
)


async def until_quiet(client: Client, workflow_id: str) -> None:
    """Wait (real time) until the workflow is closed or waits for nothing but time.

    Raises RehearsalError if that does not come.
    """
    deadline = time.monotonic() + _STUCK_AFTER_S
    while time.monotonic() < deadline:
        events = await _events(client, workflow_id)
        if _is_closed(events) or _is_idle(events):
            return
        if _open_tasks(events) == 0 and await _is_backing_off(client, workflow_id):
            return
        await asyncio.sleep(_POLL_S)
    raise RehearsalError(f"the workflow {workflow_id} did not come to rest on the test server")


async def next_due(client: Client, workflow_ids: Iterable[str], now: datetime) -> datetime | None:
    """The earliest journey time at which one of the workflows will do something by itself.

    For one in trouble it is some time after `now`: nobody says when it tries again.
    """
    found: list[datetime] = []
    for workflow_id in workflow_ids:
        if not _is_closed(await _events(client, workflow_id)):
            found += await _times(client, workflow_id, now)
    return min(found, default=None)


async def _times(client: Client, workflow_id: str, now: datetime) -> list[datetime]:
    handle = client.get_workflow_handle(workflow_id)
    stands: Progress = await handle.query("progress", result_type=Progress)
    due = [step.at for step in stands.steps if step.state is StepState.DUE]
    times = [at for at in (*due, stands.ends_at) if at is not None]
    if any(step.state is StepState.SENDING for step in stands.steps):
        # Else its timer fired since it was looked at: it is about to answer.
        is_in_trouble = await _is_backing_off(client, workflow_id)
        times.append(now + _LOOK_AGAIN if is_in_trouble else now)
    return times


async def _is_backing_off(client: Client, workflow_id: str) -> bool:
    described = await client.get_workflow_handle(workflow_id).describe()
    pending = described.raw_description.pending_activities
    # None at all is news since the history was read: an answer that is about to be acted upon.
    return bool(pending) and all(each.attempt > 1 for each in pending)


async def _events(client: Client, workflow_id: str) -> Sequence[HistoryEvent]:
    return (await client.get_workflow_handle(workflow_id).fetch_history()).events


def _is_closed(events: Sequence[HistoryEvent]) -> bool:
    return events[-1].event_type in _RUN_CLOSED


def _is_idle(events: Sequence[HistoryEvent]) -> bool:
    return _open_tasks(events) == 0 and _open_activities(events) == 0


def _open_tasks(events: Sequence[HistoryEvent]) -> int:
    asked = EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
    return _count(events, {asked}) - _count(events, _TASK_CLOSED)


def _open_activities(events: Sequence[HistoryEvent]) -> int:
    asked = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    return _count(events, {asked}) - _count(events, _ACTIVITY_CLOSED)


def _count(events: Sequence[HistoryEvent], kinds: Iterable[int]) -> int:
    wanted = set(kinds)
    return sum(event.event_type in wanted for event in events)

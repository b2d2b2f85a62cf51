"""Replay a history and compare what the workflow orders with what it ordered then.

Temporal's own replay sees only the structure: another recipient or another timer length
passes it. So every activity's argument and every timer's length and summary is compared
too, in order.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import (
    Interceptor,
    Replayer,
    StartActivityInput,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from workflows.broadcast import Broadcast
from workflows.enrollment import Enrollment


@dataclass(frozen=True)
class Ordered:
    """A command: an activity with its argument, or a timer with its length."""

    kind: str
    what: str
    argument: Any


def ordered_then(history: WorkflowHistory) -> list[Ordered]:
    """What a history says was ordered."""
    return [found for event in history.events if (found := _ordered(event)) is not None]


async def ordered_now(history: WorkflowHistory) -> list[Ordered]:
    """What today's code orders on the same history. Raises if Temporal finds it another run."""
    watched: list[Ordered] = []
    replayer = Replayer(
        workflows=[Enrollment, Broadcast],
        workflow_runner=UnsandboxedWorkflowRunner(),  # so that a test may seed a change
        data_converter=pydantic_data_converter,
        interceptors=[_Watcher(watched)],
    )
    with _watched_timers(watched):
        await replayer.replay_workflow(history)
    return watched


@contextmanager
def _watched_timers(watched: list[Ordered]) -> Iterator[None]:
    """Timers pass no interceptor, so the calls themselves are watched."""
    real_sleep, real_wait = workflow.sleep, workflow.wait_condition

    async def sleep(duration: timedelta, *, summary: str = "") -> None:
        watched.append(Ordered("timer", summary, _to_the_millisecond(duration)))
        await real_sleep(duration, summary=summary)

    async def wait_condition(
        holds: Callable[[], bool],
        *,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - as it is called
        timeout_summary: str | None = None,
    ) -> None:
        if timeout is not None:
            length = _to_the_millisecond(timeout)
            watched.append(Ordered("timer", timeout_summary or "", length))
        await real_wait(holds, timeout=timeout, timeout_summary=timeout_summary)

    with (
        patch.object(workflow, "sleep", sleep),
        patch.object(workflow, "wait_condition", wait_condition),
    ):
        yield


def _to_the_millisecond(length: timedelta) -> int:
    """On its way through floating-point seconds a length may lose a microsecond."""
    return round(length / timedelta(milliseconds=1))


def _ordered(event: HistoryEvent) -> Ordered | None:
    if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
        scheduled = event.activity_task_scheduled_event_attributes
        argument = json.loads(scheduled.input.payloads[0].data)
        return Ordered("activity", scheduled.activity_type.name, argument)
    if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED:
        started = event.timer_started_event_attributes
        length = started.start_to_fire_timeout.ToTimedelta()
        summary = json.loads(event.user_metadata.summary.data or b'""')
        return Ordered("timer", summary, _to_the_millisecond(length))
    return None


class _Watcher(Interceptor):
    def __init__(self, watched: list[Ordered]) -> None:
        self._watched = watched

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        watched = self._watched

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
                payload = pydantic_data_converter.payload_converter.to_payload(input.args[0])
                argument = json.loads(payload.data)
                watched.append(Ordered("activity", input.activity, argument))
                return super().start_activity(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

        return Inbound

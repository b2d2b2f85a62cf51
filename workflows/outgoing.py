"""The activities of an enrollment that are under way: deliveries, and the report to the store.

Each runs as its own task and tells the loop when it is done. A delivery that is no longer
wanted is asked to stop, and what it answers still counts; one that was stopped or has died
is asked about once more, so that nothing it claimed is left in the dark.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError

from activities.names import DELIVER, RECORD
from engine.enrollment import Answer
from engine.orders import DeliverOrder, DeliverResult, Report
from workflows.policies import (
    DELIVER_ATTEMPT,
    DELIVER_RETRY,
    DELIVER_SLACK,
    RECORD_ATTEMPT,
    RECORD_RETRY,
)

_Handle = workflow.ActivityHandle[DeliverResult]


class Outgoing:
    """What is under way. `answered` and `reported` are called as each comes back."""

    def __init__(
        self,
        answered: Callable[[DeliverOrder, Answer], None],
        reported: Callable[[Report], None],
    ) -> None:
        self._answered = answered
        self._reported = reported
        self._deliveries: dict[tuple[str, str], _Handle] = {}
        self._reports = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop keeps only weak ones

    @property
    def delivering(self) -> bool:
        return bool(self._deliveries)

    @property
    def idle(self) -> bool:
        """Whether nothing at all is under way."""
        return not self._deliveries and not self._reports

    def deliver(self, order: DeliverOrder, left: timedelta, priority: int) -> None:
        """Begin to deliver; `left` is the real time until the order's deadline."""
        handle = workflow.start_activity(
            DELIVER,
            order,
            result_type=DeliverResult,
            summary=f"send {order.delivery.step}",
            start_to_close_timeout=DELIVER_ATTEMPT,
            schedule_to_close_timeout=max(left, timedelta(0)) + DELIVER_SLACK,
            retry_policy=DELIVER_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            priority=Priority(priority_key=priority),
        )
        self._deliveries[order.delivery.step, order.delivery.occurrence] = handle
        self._spawn(self._await_answer(order, handle))

    def stop(self, unwanted: Callable[[tuple[str, str]], bool]) -> None:
        """Ask those deliveries to stop."""
        for key, handle in self._deliveries.items():
            if unwanted(key):
                handle.cancel()

    def report(self, report: Report) -> None:
        """Tell the store, however long it takes."""
        self._reports += 1
        self._spawn(self._await_report(report))

    async def _await_answer(self, order: DeliverOrder, handle: _Handle) -> None:
        key = (order.delivery.step, order.delivery.occurrence)
        try:
            result = await handle
        except (ActivityError, asyncio.CancelledError):  # stopped, or the worker died with it
            result = await workflow.execute_activity(
                DELIVER,
                order.model_copy(update={"settle_only": True}),
                result_type=DeliverResult,
                summary=f"settle {order.delivery.step}",
                start_to_close_timeout=DELIVER_ATTEMPT,
                retry_policy=RECORD_RETRY,
            )
        del self._deliveries[key]
        self._answered(order, Answer(step=key[0], occurrence=key[1], outcome=result.outcome))

    async def _await_report(self, report: Report) -> None:
        await workflow.execute_activity(
            RECORD,
            report,
            summary="record" if report.ended is None else f"record {report.ended.ending}",
            start_to_close_timeout=RECORD_ATTEMPT,
            retry_policy=RECORD_RETRY,
        )
        self._reports -= 1
        self._reported(report)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

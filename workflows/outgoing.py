"""The activities of an enrollment that are under way: deliveries, and the report to the store.

Each runs as its own task and tells the loop when it is done. A delivery is ordered promptly
first; if it is in trouble for more than some seconds it is ordered again, patiently, and
the loop goes on meanwhile. One that is no longer wanted is asked to stop, and what it
answers still counts; one that was stopped or has died is asked about once more, so that
nothing it claimed is left in the dark.
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
    DELIVER_HEARTBEAT,
    DELIVER_RETRY,
    DELIVER_SLACK,
    PROMPT_LIMIT,
    RECORD_ATTEMPT,
    RECORD_RETRY,
)

_Handle = workflow.ActivityHandle[DeliverResult]
_Key = tuple[str, str]  # step, occurrence


class Outgoing:
    """What is under way. `answered` and `reported` are called as each comes back, `troubled`
    when a delivery turns out to take long.
    """

    def __init__(
        self,
        answered: Callable[[DeliverOrder, Answer], None],
        reported: Callable[[Report], None],
        troubled: Callable[[], None],
    ) -> None:
        self._answered = answered
        self._reported = reported
        self._troubled = troubled
        self._deliveries: dict[_Key, _Handle] = {}
        self._prompt: set[_Key] = set()
        self._stopped: set[_Key] = set()
        self._reports = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop keeps only weak ones

    @property
    def delivering(self) -> bool:
        return bool(self._deliveries)

    @property
    def idle(self) -> bool:
        """Whether nothing at all is under way."""
        return not self._deliveries and not self._reports

    @property
    def prompt(self) -> bool:
        """Whether a delivery will answer, or turn out to be in trouble, within `PROMPT_LIMIT`."""
        return bool(self._prompt)

    def deliver(self, order: DeliverOrder, left: timedelta, priority: int) -> None:
        """Begin to deliver; `left` is the real time until the order's deadline."""
        key = (order.delivery.step, order.delivery.occurrence)
        self._prompt.add(key)
        prompt = order.model_copy(update={"prompt": True})
        handle = self._start(key, prompt, PROMPT_LIMIT, priority)
        patience = max(left, timedelta(0)) + DELIVER_SLACK
        self._spawn(self._await_answer(order, handle, patience, priority))

    def stop(self, unwanted: Callable[[_Key], bool]) -> None:
        """Ask those deliveries to stop."""
        for key, handle in self._deliveries.items():
            if unwanted(key):
                self._stopped.add(key)
                handle.cancel()

    def report(self, report: Report) -> None:
        """Tell the store, however long it takes."""
        self._reports += 1
        self._spawn(self._await_report(report))

    async def _await_answer(
        self, order: DeliverOrder, handle: _Handle, patience: timedelta, priority: int
    ) -> None:
        key = (order.delivery.step, order.delivery.occurrence)
        result = await _answer_of(handle)
        self._prompt.discard(key)
        if result is None and key not in self._stopped:
            self._troubled()
            result = await _answer_of(self._start(key, order, patience, priority))
        if result is None:  # stopped, or its last worker died with it
            order = order.model_copy(update={"settle_only": True})
            result = await workflow.execute_activity(
                DELIVER,
                order,
                result_type=DeliverResult,
                summary=f"settle {order.delivery.step}",
                start_to_close_timeout=DELIVER_ATTEMPT,
                heartbeat_timeout=DELIVER_HEARTBEAT,
                retry_policy=RECORD_RETRY,
            )
        del self._deliveries[key]
        self._stopped.discard(key)
        self._answered(order, Answer(step=key[0], occurrence=key[1], outcome=result.outcome))

    def _start(self, key: _Key, order: DeliverOrder, limit: timedelta, priority: int) -> _Handle:
        handle = self._deliveries[key] = workflow.start_activity(
            DELIVER,
            order,
            result_type=DeliverResult,
            summary=f"send {order.delivery.step}",
            start_to_close_timeout=DELIVER_ATTEMPT,
            heartbeat_timeout=DELIVER_HEARTBEAT,
            schedule_to_close_timeout=limit,
            retry_policy=DELIVER_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            priority=Priority(priority_key=priority),
        )
        return handle

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


async def _answer_of(handle: _Handle) -> DeliverResult | None:
    """What a delivery answered; None if it was stopped, gave up, or its worker died."""
    try:
        return await handle
    except (ActivityError, asyncio.CancelledError):
        return None

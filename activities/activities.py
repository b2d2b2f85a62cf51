"""`deliver` and `record` as Temporal sees them: names, times, and trouble turned into retries.

What is raised here ends up in the Temporal UI, so nothing but the texts of `Trouble` gets
through, which quote no customer's data. The one surprising fact: an attempt that is asked to
stop finishes first. Broken off between the provider and the record, it would be ambiguous.
"""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.deliver import deliver
from activities.desk import Attempt, Desk, Trouble
from activities.names import DELIVER, RECORD
from activities.record import record
from engine.clock import real_span
from engine.orders import DeliverOrder, DeliverResult, Report
from engine.reasons import Reason

_T = TypeVar("_T")

# A provider is asked again soon, and then less and less often.
_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=5)

# A broken template is mended by a person: asking every second helps nobody, and a journey
# with thousands of customers on it would do nothing else.
_FIRST_TEMPLATE_PAUSE = timedelta(seconds=30)

# A `prompt` order holds the enrollment's other steps up: it gives up rather than pause longer.
_LONGEST_PROMPT_PAUSE = timedelta(seconds=3)

# Past the deadline by so much, an attempt certainly finds it passed.
_INSTANT = timedelta(milliseconds=10)

# Several in the time after which a silent worker is taken for dead. Nearly every attempt is
# over before the first.
_HEARTBEAT = timedelta(seconds=3)


class Activities:
    """The activities of one worker, around the desk they work at."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @activity.defn(name=DELIVER)
    async def deliver(self, order: DeliverOrder) -> DeliverResult:
        """Settle one step, or say why it can't be yet."""
        info = activity.info()
        # The server's time, not this machine's: a server that skips time has its own.
        attempt = Attempt(order=order, now=info.started_time)
        try:
            outcome = await _to_its_end(deliver(self._desk, attempt))
        except Trouble as trouble:
            pause = _pause(trouble, attempt, info.attempt)
            raise ApplicationError(
                str(trouble),
                type=trouble.reason,
                next_retry_delay=pause,
                # Trouble that lasts: the workflow looks after its other steps meanwhile.
                non_retryable=order.prompt and pause > _LONGEST_PROMPT_PAUSE,
            ) from None
        except Exception as error:
            raise _unexpected(error) from None
        return DeliverResult(outcome=outcome)

    @activity.defn(name=RECORD)
    async def record(self, report: Report) -> None:
        """Write down what neither `deliver` nor the API has told the store."""
        try:
            await record(self._desk.database, report, activity.info().scheduled_time)
        except Exception as error:
            raise _unexpected(error) from None


def _unexpected(error: Exception) -> ApplicationError:
    """A fault that nobody foresaw, by its name: its text may quote anything, as databases do."""
    activity.logger.error("the activity failed", exc_info=error)
    name = type(error).__name__
    return ApplicationError(f"{name}: the worker's log says more", type=name)


def _pause(trouble: Trouble, attempt: Attempt, number: int) -> timedelta:
    """How long until the next attempt: never past the step's deadline, which settles it."""
    is_template = trouble.reason is Reason.TEMPLATE_ERROR
    first = _FIRST_TEMPLATE_PAUSE if is_template else _FIRST_PAUSE
    doublings = min(number - 1, 20)  # far beyond the longest pause
    pause: timedelta = min(first * 2**doublings, _LONGEST_PAUSE)
    if trouble.retry_after is not None:
        pause = max(pause, trouble.retry_after)
    left = real_span(attempt.order.clock, attempt.deadline - attempt.at)
    return max(min(pause, left + _INSTANT), _INSTANT)


async def _to_its_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Do the work to its end, with signs of life, unless the worker itself has to stop."""
    task = asyncio.create_task(work)
    signs = asyncio.create_task(_signs_of_life())
    try:
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.done() or _must_stop():
                    raise
    finally:
        signs.cancel()
        task.cancel()


def _must_stop() -> bool:
    details = activity.cancellation_details()
    return details is not None and details.worker_shutdown


async def _signs_of_life() -> None:
    while True:
        await asyncio.sleep(_HEARTBEAT.total_seconds())
        activity.heartbeat()

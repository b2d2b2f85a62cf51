"""`deliver` and `record` as Temporal sees them: names, times, and trouble turned into retries."""

from datetime import datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.deliver import Desk, deliver
from activities.names import DELIVER, RECORD
from activities.record import apply_report
from activities.settle import Trouble
from engine.clock import journey_time, real_span
from engine.orders import DeliverOrder, DeliverResult, Report
from engine.reasons import Reason
from store import customers, enrollments

# A provider is asked again soon, and then less and less often.
_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=5)

# A `prompt` order holds the enrollment's other steps up: it gives up rather than pause longer.
_LONGEST_PROMPT_PAUSE = timedelta(seconds=3)

# A broken template is mended by a person: asking every second helps nobody.
_TEMPLATE_PAUSE = timedelta(seconds=30)


class Activities:
    """The activities of one worker, around the desk they work at."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @activity.defn(name=DELIVER)
    async def deliver(self, order: DeliverOrder) -> DeliverResult:
        """Settle one step, or say why it can't be yet."""
        info = activity.info()
        # The server's time, not this machine's: a server that skips time has its own.
        now = info.started_time
        try:
            return DeliverResult(outcome=await deliver(self._desk, order, now))
        except Trouble as trouble:
            pause = _pause(trouble, order, now, info.attempt)
            raise ApplicationError(
                str(trouble),
                type=trouble.reason,
                next_retry_delay=pause,
                # Trouble that lasts: the workflow looks after its other steps meanwhile.
                non_retryable=order.prompt and pause > _LONGEST_PROMPT_PAUSE,
            ) from trouble

    @activity.defn(name=RECORD)
    async def record(self, report: Report) -> None:
        """Write down what neither `deliver` nor the API has told the store."""
        now = activity.info().started_time
        async with self._desk.database.transaction() as session:
            enrollment = await enrollments.get(session, report.enrollment_id)
            if enrollment is None:
                return
            await customers.lock(session, enrollment.customer_id, now)
            await apply_report(session, report, now, foretold=True)


def _pause(trouble: Trouble, order: DeliverOrder, now: datetime, attempt: int) -> timedelta:
    """How long until the next attempt: never past the step's deadline, which settles it."""
    if trouble.reason is Reason.TEMPLATE_ERROR:
        pause = _TEMPLATE_PAUSE
    else:
        pause = min(_FIRST_PAUSE * 2 ** min(attempt - 1, 20), _LONGEST_PAUSE)
    if trouble.retry_after is not None:
        pause = max(pause, trouble.retry_after)
    at = journey_time(order.clock, now)
    deadline = order.delivery.until + order.tolerances.lateness
    # A little past it, so that the attempt that comes then finds it passed.
    left = real_span(order.clock, deadline - at) + timedelta(milliseconds=10)
    return max(min(pause, left), timedelta(milliseconds=10))

"""One customer in one journey, for as long as it lasts: a durable shell around the machine.

Rules for whoever edits this next:

1. The machine decides. Nothing here knows kinds of steps, reasons or calendar time.
2. Handlers only append to the inbox; the loop alone applies, hands out, waits and ends.
3. One timer, replaced only when the (time, step) it stands for changes: a timer is billed.
4. A delivery on its way is stopped by asking, and what it answers still counts; one that
   died is asked about once more with `settle_only`.
5. Whatever changes the order of commands must replay the recorded histories.
6. Nothing that names a person comes in here: ids, times, reasons.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError

from activities.names import DELIVER, RECORD
from engine.clock import journey_time, real_span
from engine.enrollment import Answer, End, Input, NotBefore, Notice, Over, Wakeup
from engine.machine import Illegal, Machine
from engine.orders import Carried, DeliverOrder, DeliverResult, Next, Report, foretell
from engine.progress import Progress, as_markdown, local_text, progress
from engine.reasons import Decision, Ending
from workflows.inbox import UPDATES, pinned_again, read_input, read_notice, read_order
from workflows.policies import (
    DELIVER_ATTEMPT,
    DELIVER_RETRY,
    DELIVER_SLACK,
    MAX_SIGNALS,
    RECORD_ATTEMPT,
    RECORD_RETRY,
)

_Handle = workflow.ActivityHandle[DeliverResult]
_Arrival = Input | tuple[DeliverOrder, Answer]


@workflow.defn(dynamic=True)
class Enrollment:
    """The one workflow class; the type's name is the journey's."""

    @workflow.init
    def __init__(self, args: Sequence[RawValue]) -> None:
        self._input, self._machine, carried = read_input(args)
        self._inbox: list[_Arrival] = []
        self._last_seq = carried.last_seq if carried is not None else 0
        self._told_next = carried.told_next if carried is not None else self._input.next
        self._told_end = self._recording = self._stirred = False
        self._by_hand: list[str] = []
        self._deliveries: dict[tuple[str, str], _Handle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: tuple[Wakeup, asyncio.Task[None]] | None = None
        self._awake_at: datetime | None = None
        self._signals = 0
        self._cancelled: asyncio.CancelledError | None = None
        for name in UPDATES:
            self._accept(name)

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        """Until the machine has ended and the store knows how; returns the ending."""
        while True:
            self._drain()
            if not self._renewing():
                self._hand_out()
            self._stop_unwanted()
            self._record()
            workflow.set_current_details(as_markdown(progress(self._machine)))
            if self._machine.ended is not None and not self._tasks:
                break
            try:
                if self._renewing() and not self._tasks:
                    await self._renew()
                    continue
                self._set_timer()
                await workflow.wait_condition(lambda: self._stirred)
            except asyncio.CancelledError as cancel:
                self._cancelled = cancel
                self._arrive(End(at=self._now(), ending=Ending.CANCELLED, by="temporal"))
        self._drop_timer()
        await workflow.wait_condition(workflow.all_handlers_finished)
        ending = self._machine.ended.ending
        if ending is Ending.CANCELLED and self._cancelled is not None:
            raise self._cancelled
        return ending

    # --- What comes in --------------------------------------------------------------------

    @workflow.signal
    def event(self, *args: Any) -> None:
        """An event that this journey waits on, exits on, or whose traits anchor a time."""
        self._signals += 1
        notice = read_notice(args)
        if notice is None:
            workflow.logger.warning("a signal `event` that is not a notice was dropped")
        elif notice.seq == 0 or notice.seq > self._last_seq:
            self._last_seq = max(self._last_seq, notice.seq)
            self._arrive(notice)

    @workflow.signal(dynamic=True)
    def other(self, name: str, args: Sequence[RawValue]) -> None:
        """Any other signal is nothing to us, and must not fail the run."""
        workflow.logger.warning("an unknown signal `%s` was dropped", name)

    @workflow.query
    def progress(self) -> Progress:
        """Every step with its state, its time and its reason."""
        return progress(self._machine)

    def _accept(self, name: str) -> None:
        """One Update for people: validated against the machine, then queued."""

        def check(arg: Any = None) -> None:
            self._machine.check(read_order(name, arg, self._now()).told)

        def accept(arg: Any = None) -> str:
            order = read_order(name, arg, self._now())
            if order.by is None:
                self._by_hand.append(name if arg is None else f"{name} {arg}")
            self._arrive(order.told)
            return "accepted"

        workflow.set_update_handler(name, accept, validator=check)

    def _arrive(self, what: _Arrival) -> None:
        self._inbox.append(what)
        self._stirred = True

    def _drain(self) -> None:
        self._stirred = False
        while self._inbox:
            arrival = self._inbox.pop(0)
            if isinstance(arrival, tuple):
                self._answered(*arrival)
                continue
            try:
                self._machine.apply(arrival)
            except Illegal as illegal:  # two people at once: the second finds it done
                workflow.logger.warning("%s", illegal)
            if isinstance(arrival, Notice) and arrival.ending is not None:
                self._told_end = True  # routing closed it in the store before it told us

    def _answered(self, order: DeliverOrder, answer: Answer) -> None:
        self._machine.apply(answer)
        self._machine.recorded(order.report.decided)
        if isinstance(answer.outcome, NotBefore):
            self._told_next = self._next()  # `deliver` wrote it with its answer
        elif isinstance(answer.outcome, Over):
            self._told_end = True
        elif order.foretells(answer.outcome):
            self._told_next = order.report.next
            self._told_end = self._told_end or order.report.ended is not None

    # --- Deliveries -----------------------------------------------------------------------

    def _hand_out(self) -> None:
        while (delivery := self._machine.take(self._now())) is not None:
            order = DeliverOrder(
                journey=self._machine.journey.journey,
                version=self._machine.journey.version,
                delivery=delivery,
                report=self._report(**foretell(self._machine, delivery, Decision.SENT)),
                holds_if_not_sent=(
                    foretell(self._machine, delivery, Decision.SENT)
                    == foretell(self._machine, delivery, Decision.NOT_SENT)
                ),
                tolerances=self._input.tolerances,
                clock=self._input.clock,
            )
            self._deliver(order)

    def _deliver(self, order: DeliverOrder) -> None:
        left = real_span(self._input.clock, order.delivery.until - self._now())
        handle = workflow.start_activity(
            DELIVER,
            order,
            result_type=DeliverResult,
            summary=f"send {order.delivery.step}",
            start_to_close_timeout=DELIVER_ATTEMPT,
            schedule_to_close_timeout=max(left, timedelta(0)) + DELIVER_SLACK,
            retry_policy=DELIVER_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        self._deliveries[order.delivery.step, order.delivery.occurrence] = handle
        self._spawn(self._await_answer(order, handle))

    async def _await_answer(self, order: DeliverOrder, handle: _Handle) -> None:
        delivery = order.delivery
        try:
            result = await handle
        except (ActivityError, asyncio.CancelledError):  # stopped, or the worker died with it
            result = await workflow.execute_activity(
                DELIVER,
                order.model_copy(update={"settle_only": True}),
                result_type=DeliverResult,
                summary=f"settle {delivery.step}",
                start_to_close_timeout=DELIVER_ATTEMPT,
                retry_policy=RECORD_RETRY,
            )
        del self._deliveries[delivery.step, delivery.occurrence]
        answer = Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=result.outcome)
        self._arrive((order, answer))

    def _stop_unwanted(self) -> None:
        """Ask deliveries to stop that have ended, moved away, or stand before a renewal."""
        unwanted = {(p.step, p.occurrence) for p in self._machine.stopping}
        for key, handle in self._deliveries.items():
            if key in unwanted or self._renewing():
                handle.cancel()

    # --- What the store must learn --------------------------------------------------------

    def _record(self) -> None:
        """One `record` where neither `deliver` nor the API has told the store."""
        ended = self._machine.ended
        untold = ended is not None and not self._told_end
        moved = ended is None and self._next() != self._told_next
        news = bool(self._machine.state.unrecorded or self._by_hand or untold or moved)
        if news and not self._deliveries and not self._recording:
            self._recording = True
            self._spawn(self._send_report(self._report(next=self._next(), ended=ended)))

    async def _send_report(self, report: Report) -> None:
        await workflow.execute_activity(
            RECORD,
            report,
            summary="record" if report.ended is None else f"record {report.ended.ending}",
            start_to_close_timeout=RECORD_ATTEMPT,
            retry_policy=RECORD_RETRY,
        )
        self._machine.recorded(report.decided)
        self._by_hand = self._by_hand[len(report.by_hand) :]
        self._told_next = report.next
        self._told_end = self._told_end or report.ended is not None
        self._recording = False
        self._stirred = True

    def _report(self, **news: Any) -> Report:
        return Report(
            enrollment_id=self._input.enrollment_id,
            customer_id=self._input.customer_id,
            decided=self._machine.state.unrecorded,
            paused=self._machine.state.paused,
            by_hand=tuple(self._by_hand),
            **news,
        )

    def _next(self) -> Next | None:
        wake = self._machine.wakeup(self._now())
        return Next(step=wake.step, at=wake.at) if wake is not None else None

    # --- Time -----------------------------------------------------------------------------

    def _now(self) -> datetime:
        """Journey time; never before the wake-up a timer was set for, whatever rounding says."""
        now = journey_time(self._input.clock, workflow.now())
        return now if self._awake_at is None else max(now, self._awake_at)

    def _set_timer(self) -> None:
        wake = self._machine.wakeup(self._now()) if self._machine.ended is None else None
        if self._timer is not None and wake is not None and _same(self._timer[0], wake):
            return
        self._drop_timer()
        if wake is not None:
            self._timer = (wake, asyncio.create_task(self._sleep(wake)))

    async def _sleep(self, wake: Wakeup) -> None:
        what = wake.step or self._machine.journey.journey
        summary = f"{what} · {'due' if wake.step else 'ends'} {local_text(wake.at, wake.zone)}"
        left = real_span(self._input.clock, wake.at - self._now())
        await workflow.sleep(max(left, timedelta(0)), summary=summary)
        self._timer = None
        self._awake_at = wake.at
        self._stirred = True

    def _drop_timer(self) -> None:
        if self._timer is not None:
            self._timer[1].cancel()
            self._timer = None

    # --- Tasks and renewal ----------------------------------------------------------------

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def done(finished: asyncio.Task[None]) -> None:
            self._tasks.discard(finished)
            self._stirred = True

        task.add_done_callback(done)

    def _renewing(self) -> bool:
        """Whether history has grown long enough to go on in a new run."""
        suggested = workflow.info().is_continue_as_new_suggested()
        return self._machine.ended is None and (suggested or self._signals >= MAX_SIGNALS)

    async def _renew(self) -> None:
        """Continue as new, losing no signal and no cancel request that arrives just now."""
        await workflow.sleep(timedelta(milliseconds=1))
        self._drain()
        if self._machine.ended is None and not self._tasks:
            self._drop_timer()
            carried = Carried(
                state=self._machine.state, last_seq=self._last_seq, told_next=self._told_next
            )
            workflow.continue_as_new(pinned_again(self._input, self._machine.journey, carried))


def _same(one: Wakeup, other: Wakeup) -> bool:
    return (one.at, one.step) == (other.at, other.step)

"""One customer in one journey, for as long as it lasts: a durable shell around the machine.

Rules for whoever edits this next:

1. The machine decides. Nothing here knows kinds of steps, reasons or calendar time.
2. Handlers only append to the inbox; the loop alone applies, hands out, waits and ends.
3. One timer, replaced only when the (time, step) it stands for changes: a timer is billed.
4. The store learns by `deliver`, or from routing, which knew first; `record` is for the rest.
5. Whatever changes the order of commands must replay the recorded histories.
6. Nothing that names a person comes in here: ids, times, reasons.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from engine.clock import journey_time, real_span
from engine.enrollment import Answer, Delivery, End, Input, NotBefore, Notice, Over, Settled, Wakeup
from engine.machine import Illegal
from engine.orders import Carried, DeliverOrder, Next, Report, foretell
from engine.progress import Progress, as_markdown, progress
from engine.reasons import Decision, Ending
from workflows.inbox import pinned_again, read_input, read_notice, read_order, read_retry
from workflows.outgoing import Outgoing
from workflows.policies import (
    HEAR_RETRY,
    MAX_SIGNALS,
    PRIORITY_MARKETING,
    PRIORITY_TRANSACTIONAL,
    PROMPT_LIMIT,
    RECORD_AFTER_TWO_AT_ONCE,
)
from workflows.timer import Timer

_Arrival = Input | tuple[DeliverOrder, Answer] | Report


def _for_people(name: str) -> Any:
    """An Update for people. Of the class: six of its own would cost each enrollment 5 KB."""

    def accept(enrollment: Any, arg: Any = None) -> str:
        told: str = enrollment.accept(name, arg)
        return told

    def check(enrollment: Any, arg: Any = None) -> None:
        enrollment.check(name, arg)

    update = workflow.update(name=name)(accept)
    update.validator(check)
    return update


@workflow.defn(dynamic=True)
class Enrollment:
    """The one workflow class; the type's name is the journey's."""

    @workflow.init
    def __init__(self, args: Sequence[RawValue]) -> None:
        self._input, self._machine, carried = read_input(args)
        self._inbox: list[_Arrival] = []
        self._signals = 0
        self._last_seq = carried.last_seq if carried is not None else 0
        self._told_next = carried.told_next if carried is not None else self._input.next
        self._told_end = False
        self._unsure = False  # which of two reports the store has had last
        self._by_hand: list[str] = []
        self._stirred = False
        self._outgoing = Outgoing(
            answered=lambda order, answer: self._arrive((order, answer)),
            reported=self._arrive,
            troubled=self._stir,
        )
        self._timer = Timer(self._stir)

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        """Until the machine has ended and the store knows how; returns the ending."""
        cancelled: asyncio.CancelledError | None = None
        while not self._is_over():
            try:
                if self._is_long() and self._outgoing.idle:
                    await self._renew()
                    continue
                self._timer.stand_for(*self._next_wake())
                await workflow.wait_condition(lambda: self._stirred)
            except asyncio.CancelledError as cancel:
                cancelled = cancel
                self._arrive(End(at=self._now(), ending=Ending.CANCELLED, by="temporal"))
        self._timer.drop()
        await workflow.wait_condition(workflow.all_handlers_finished)
        assert self._machine.ended is not None
        if self._machine.ended.ending is Ending.CANCELLED and cancelled is not None:
            raise cancelled
        return self._machine.ended.ending

    def _is_over(self) -> bool:
        """Take in what came, do what is due; whether there is nothing left to do."""
        self._drain()
        while not self._is_long() and (delivery := self._machine.take(self._now())) is not None:
            self._deliver(delivery)
        unwanted = {(p.step, p.occurrence) for p in self._machine.stopping}
        self._outgoing.stop(lambda key: key in unwanted or self._is_long())
        self._report()
        workflow.set_current_details(as_markdown(progress(self._machine)))
        return self._machine.ended is not None and self._outgoing.idle

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

    @workflow.signal
    def retry(self, *args: Any) -> None:
        """What held a step up may be gone: ask about it again, ahead of its time."""
        self._signals += 1
        order = read_retry(args, self._now())
        if order is None:
            workflow.logger.warning("a signal `retry` that names no step was dropped")
        elif workflow.patched(HEAR_RETRY):
            self._arrive(order)

    @workflow.signal(dynamic=True)
    def other(self, name: str, args: Sequence[RawValue]) -> None:
        """Any other signal is nothing to us, and must not fail the run."""
        workflow.logger.warning("an unknown signal `%s` was dropped", name)

    @workflow.query
    def progress(self) -> Progress:
        """Every step with its state, its time and its reason."""
        return progress(self._machine)

    pause, resume, exit = _for_people("pause"), _for_people("resume"), _for_people("exit")
    skip, send_now = _for_people("skip"), _for_people("send_now")
    adopt = _for_people("adopt")

    def check(self, name: str, arg: Any) -> None:
        """Raise Illegal, which refuses a person's Update, if it makes no sense now."""
        self._machine.check(read_order(name, arg, self._now()).told)

    def accept(self, name: str, arg: Any) -> str:
        """Queue a person's Update."""
        order = read_order(name, arg, self._now())
        if order.by is None:
            self._by_hand.append(name if arg is None else f"{name} {arg}")
        self._arrive(order.told)
        return "accepted"

    def _arrive(self, what: _Arrival) -> None:
        self._inbox.append(what)
        self._stir()

    def _stir(self) -> None:
        self._stirred = True

    def _drain(self) -> None:
        self._stirred = False
        while self._inbox:
            match self._inbox.pop(0):
                case (DeliverOrder() as order, Answer() as answer):
                    self._answered(order, answer)
                case Report() as report:
                    self._reported(report)
                case told:
                    self._told(told)

    def _told(self, told: Input) -> None:
        try:
            self._machine.apply(told)
        except Illegal as illegal:  # two people at once: the second finds it done
            workflow.logger.warning("%s", illegal)
        if isinstance(told, Notice) and told.ending is not None:
            self._told_end = True  # routing closed it in the store before it told us

    # --- What goes out --------------------------------------------------------------------

    def _deliver(self, delivery: Delivery) -> None:
        journey = self._machine.journey
        sent = foretell(self._machine, delivery, Decision.SENT)
        order = DeliverOrder(
            journey=journey.journey,
            version=journey.version,
            delivery=delivery,
            report=self._news(**sent),
            holds_if_not_sent=sent == foretell(self._machine, delivery, Decision.NOT_SENT),
            tolerances=self._input.tolerances,
            clock=self._input.clock,
        )
        topic = journey.topic_of(journey.step(delivery.step))
        if self._outgoing.delivering and workflow.patched(RECORD_AFTER_TWO_AT_ONCE):
            self._unsure = True
        self._outgoing.deliver(
            order,
            left=real_span(self._input.clock, delivery.until - self._now()),
            priority=PRIORITY_TRANSACTIONAL if topic is None else PRIORITY_MARKETING,
        )

    def _answered(self, order: DeliverOrder, answer: Answer) -> None:
        self._machine.apply(answer)
        self._machine.recorded(order.report.decided)
        match answer.outcome:
            case NotBefore() if not order.settle_only:
                self._told_next = self._next()  # `deliver` wrote it with its answer
            case Over():
                self._told_end = True
            case Settled() as settled if order.foretells(settled):
                self._told_next = order.report.next
                self._told_end = self._told_end or order.report.ended is not None

    def _report(self) -> None:
        """One `record` where neither `deliver` nor routing has told the store."""
        ended = self._machine.ended
        untold = not self._told_end
        if ended is None:
            untold = self._unsure or self._next() != self._told_next
        news = untold or bool(self._machine.state.unrecorded or self._by_hand)
        if news and self._outgoing.idle:
            self._outgoing.report(self._news(next=self._next(), ended=ended))

    def _reported(self, report: Report) -> None:
        self._machine.recorded(report.decided)
        self._by_hand = self._by_hand[len(report.by_hand) :]
        self._told_next, self._unsure = report.next, False
        self._told_end = self._told_end or report.ended is not None

    def _news(self, **known: Any) -> Report:
        return Report(
            enrollment_id=self._input.enrollment_id,
            customer_id=self._input.customer_id,
            decided=self._machine.state.unrecorded,
            paused=self._machine.state.paused,
            by_hand=tuple(self._by_hand),
            **known,
        )

    # --- Time -----------------------------------------------------------------------------

    def _now(self) -> datetime:
        """Journey time; never before the wake-up the timer fired for, whatever rounding says."""
        now = journey_time(self._input.clock, workflow.now())
        return now if self._timer.fired_for is None else max(now, self._timer.fired_for)

    def _next(self) -> Next | None:
        wake = self._machine.wakeup(self._now())
        return Next.of(wake) if wake is not None else None

    def _next_wake(self) -> tuple[Wakeup | None, timedelta, str]:
        """What the timer should stand for; nothing far away while a prompt delivery is out."""
        now = self._now()
        wake = self._machine.wakeup(now)
        left = real_span(self._input.clock, wake.at - now) if wake is not None else timedelta(0)
        if self._outgoing.prompt and left > PROMPT_LIMIT:
            wake = None
        return wake, left, self._input.journey

    def _is_long(self) -> bool:
        """Whether history has grown so long that the enrollment must go on in a new run."""
        suggested = workflow.info().is_continue_as_new_suggested()
        return self._machine.ended is None and (suggested or self._signals >= MAX_SIGNALS)

    async def _renew(self) -> None:
        """Continue as new, losing no signal and no cancel request that arrives just now."""
        await workflow.sleep(timedelta(milliseconds=1))
        self._drain()
        if self._machine.ended is None:
            carried = Carried(
                state=self._machine.state, last_seq=self._last_seq, told_next=self._told_next
            )
            workflow.continue_as_new(pinned_again(self._input, self._machine.journey, carried))

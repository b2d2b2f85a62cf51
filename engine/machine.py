"""One enrollment's life as a pure machine: told what happened and what time it is, it says
what to deliver and when it wants to be woken.

Rules for whoever edits this next:

1. No clock, no I/O. `now` comes in; everything else that is a time is computed.
2. Every change goes through `Ledger.become`; only `apply` and `take` ask for any. `apply`
   finishes or leaves everything as it was; `check` always leaves it.
3. An input that makes no sense raises `Illegal` before anything changes. A notice that comes
   too late is not illegal: it is late, and ignored.
4. Events come before steps: the caller applies all inputs it has before it calls `take`.
5. The time of a decision is virtual (`Pending.comes_up_at`), never `now`. `now` says only
   what is due, and what has been missed.
6. Exit wins: once it has ended nothing is ever handed out again.
7. What a step waits for follows from the state alone (`plan`). Whatever changes what is
   known has the steps it may concern replanned, and nothing else times a step.
8. Nothing iterates over a set, and ties fall in file order: a replay must decide alike.
9. A change of what is decided raises `RULES_VERSION` and keeps the recorded histories green.
"""

from datetime import datetime
from typing import assert_never

from pydantic import ValidationError

from engine import plan
from engine.agenda import Agenda
from engine.definition import Journey, Step
from engine.enrollment import (
    Adopt,
    Answer,
    Delivery,
    End,
    Ended,
    Facts,
    Input,
    NotBefore,
    Notice,
    Over,
    Pause,
    Pending,
    Resume,
    Retry,
    SendNow,
    Settled,
    Settlement,
    Skip,
    Start,
    State,
    Tolerances,
    Wakeup,
)
from engine.ledger import Ledger
from engine.reasons import Decision, Ending, Reason

# Answers given without asking whether the customer was active.
_UNCHECKED = (Reason.EXPIRED, Reason.SKIPPED, Reason.STOPPED)


class Illegal(ValueError):  # noqa: N818 - an answer to a person, told by name
    """An input that makes no sense now; says why, in words for the person who sent it."""


class Machine:
    """The state machine of one enrollment.

    Call `apply` for everything that happened, then `take` until it gives None, deliver what
    it gave, `apply` the answers, and sleep until `wakeup`. Pass `state` to go on from one
    that was kept.
    """

    def __init__(
        self,
        journey: Journey,
        start: Start,
        facts: Facts,
        *,
        tolerances: Tolerances | None = None,
        state: State | None = None,
    ) -> None:
        self._tolerances = tolerances or Tolerances()
        if state is not None:
            self._ledger = Ledger(journey, start, state)
        else:
            self._ledger = Ledger.opened(journey, start, facts)

    @property
    def journey(self) -> Journey:
        return self._ledger.journey

    @property
    def start(self) -> Start:
        return self._ledger.start

    @property
    def state(self) -> State:
        return self._ledger.state

    @property
    def tolerances(self) -> Tolerances:
        return self._tolerances

    @property
    def ended(self) -> Ended | None:
        return self.state.ended

    @property
    def stopping(self) -> tuple[Pending, ...]:
        """Deliveries that the shell must stop: ended, moved away, or skipped by a person."""
        return tuple(p for p in self.state.pending if p.taken_at is not None and p.stop)

    # --- What happened --------------------------------------------------------------------

    def apply(self, told: Input) -> None:
        """Take in something that happened. Raises Illegal, and then nothing has changed."""
        before = self._ledger.snapshot()
        try:
            self._apply(told)
            self._ledger.complete_if_done(self.start.entered_at)
        except BaseException:
            self._ledger.restore(before)
            raise

    def check(self, told: Input) -> None:
        """Raise Illegal if `apply` would; change nothing."""
        before = self._ledger.snapshot()
        try:
            self.apply(told)
        finally:
            self._ledger.restore(before)

    def _apply(self, told: Input) -> None:
        if isinstance(told, Answer):
            self._answer(told)
            return
        if self.ended is not None:
            if isinstance(told, Notice | Retry | End):
                return
            raise Illegal(f"the enrollment has already ended ({self.ended.ending})")
        match told:
            case Notice():
                self._notice(told)
            case Pause():
                self._ledger.become(paused=True)
            case Resume():
                self._resume(told.at)
            case Skip():
                self._skip(told)
            case SendNow():
                self._send_now(told)
            case Retry():
                self._retry(told)
            case End():
                self._ledger.end(told.ending, told.at, told.by)
            case Adopt():
                self._adopt(told)
            case _:
                assert_never(told)

    def _notice(self, notice: Notice) -> None:
        if notice.ending is not None:
            at = max(notice.at, self.start.entered_at)  # it may be told of what was before
            self._ledger.end(notice.ending, at, notice.name)
            return
        if notice.tells_facts:
            self._move(notice)
        for step_id in notice.fires:
            if self.journey.has_step(step_id):
                self._fire(self.journey.step(step_id), notice)

    def _move(self, notice: Notice) -> None:
        """Anchors or the zone changed: waiting steps take their new times."""
        facts = self.state.facts
        traits = facts.traits if notice.traits is None else notice.traits
        changed = [p for p in self.journey.live_traits if traits.get(p) != facts.traits.get(p)]
        zone_changed = notice.zone is not None and notice.zone != facts.zone
        hours = facts.hours if notice.hours is None else notice.hours
        if not changed and not zone_changed and hours == facts.hours:
            return
        known = {"traits": traits, "zone": notice.zone or facts.zone, "hours": hours}
        self._ledger.learn(facts.model_copy(update=known), changed, notice.at)

    def _fire(self, step: Step, notice: Notice) -> None:
        if step.after_event is None:
            return
        known = [p.occurrence for p in self.state.pending if p.step == step.id]
        known += [s.occurrence for s in plan.settlements(step, self.state)]
        if notice.event_id in known or (step.repeat is None and known):
            return
        since = max(notice.at, self.start.entered_at)
        pending = plan.fired(step, notice.name, notice.event_id, notice.at, since, self.state)
        if pending is not None:
            self._ledger.add(pending)

    def _resume(self, at: datetime) -> None:
        if not self.state.paused:
            return
        self._ledger.become(paused=False)
        for p in self.state.pending:
            if p.taken_at is None and p.comes_up_at < at:
                self._ledger.replace(p, ready_at=at)

    def _skip(self, skip: Skip) -> None:
        step = self._step_for(skip.step, "skipped")
        pending = self._ledger.next_of(step)
        if pending is not None and pending.taken_at is not None:
            self._ledger.replace(pending, stop=True, stop_reason=Reason.SKIPPED)
        elif pending is not None:
            self._ledger.settle_pending(pending, Reason.SKIPPED, skip.at)
        elif step.repeat is not None:
            raise Illegal(f"step `{step.id}` has nothing to skip: it waits for its next occurrence")
        else:
            self._ledger.settle(
                self._ledger.settlement(step.id, "skipped", Reason.SKIPPED, skip.at)
            )

    def _send_now(self, order: SendNow) -> None:
        step = self._step_for(order.step, "sent now")
        if self.state.paused:
            raise Illegal("the enrollment is paused: resume it first")
        pending = self._ledger.next_of(step)
        if pending is None:
            by_hand = Pending(
                step=step.id,
                occurrence=f"by-hand-{order.at.isoformat()}",
                due_at=order.at,
                ready_at=order.at,
                zone=self.state.facts.zone,
                forced=True,
            )
            self._ledger.add(by_hand)
        elif pending.taken_at is not None:
            raise Illegal(f"step `{step.id}` is being sent right now")
        else:
            self._ledger.replace(pending, due_at=order.at, ready_at=order.at, forced=True)

    def _retry(self, order: Retry) -> None:
        """Bring forward what was put off, never to before its due time; else nothing."""
        for p in [p for p in self.state.pending if p.step == order.step]:
            if p.taken_at is not None:
                self._ledger.replace(p, retry_at=order.at)
            elif p.held_by is not None and order.at < p.ready_at:
                self._ledger.replace(p, ready_at=order.at, held_by=None)

    def _adopt(self, adopt: Adopt) -> None:
        try:
            journey = Journey.model_validate(adopt.definition)
        except ValidationError as error:
            raise Illegal(f"this is no journey: {error}") from error
        if journey.journey != self.journey.journey:
            raise Illegal(f"`{journey.journey}` is another journey than `{self.journey.journey}`")
        self._ledger.adopt(journey, adopt)

    # --- What `deliver` answered ----------------------------------------------------------

    def _answer(self, answer: Answer) -> None:
        pending = self._ledger.find(answer.step, answer.occurrence)
        if pending is None or pending.taken_at is None:
            raise Illegal(f"nobody asked about `{answer.step}` ({answer.occurrence})")
        match answer.outcome:
            case Settled():
                self._settled_by_delivery(pending, answer.outcome)
            case NotBefore():
                self._not_yet(pending, answer.outcome)
            case Over():
                self._ledger.remove(pending)
                if self.ended is None:
                    self._ledger.end(answer.outcome.ending, answer.outcome.at, answer.outcome.by)
            case _:
                assert_never(answer.outcome)

    def _settled_by_delivery(self, pending: Pending, outcome: Settled) -> None:
        at = pending.comes_up_at
        if pending.idle_since is not None and outcome.reason not in _UNCHECKED:
            self._ledger.become(activity_known_at=at)
        settlement = self._ledger.settlement(
            pending.step, pending.occurrence, outcome.reason, at, pending
        )
        told = {
            "decision": outcome.decision,
            "channel": outcome.channel,
            "message": outcome.message,
        }
        self._ledger.remove(pending)
        self._ledger.settle(settlement.model_copy(update=told), told=True)

    def _not_yet(self, pending: Pending, outcome: NotBefore) -> None:
        at = pending.comes_up_at
        if self.ended is not None or not self.journey.has_step(pending.step):
            self._ledger.remove(pending)
            self._ledger.complete_if_done(self.state.changed_at)  # when its step was removed
        elif pending.stop_reason is not None:
            self._ledger.settle_pending(pending, pending.stop_reason, at)
        elif pending.stop:
            back = self._ledger.replace(pending, taken_at=None, stop=False)
            self._ledger.replan(self.journey.step(back.step), at)
        elif pending.idle_since is not None and outcome.last_activity_at is not None:
            self._was_active(pending, outcome.last_activity_at)
        elif outcome.until is None:  # it was put back, undecided
            self._ledger.replace(pending, taken_at=None)
        elif outcome.until > self._agenda().delivery(pending, at).until:
            self._ledger.settle_pending(pending, outcome.reason or Reason.EXPIRED, at)
        else:
            # An answer that leads nowhere must not be asked for again at once, for ever.
            later = outcome.until if outcome.until > at else at + self._tolerances.held_after
            held_by = outcome.reason
            if pending.retry_at is not None and held_by is not None:  # it was asked too early
                later, held_by = min(later, max(pending.retry_at, at)), None
            self._ledger.replace(
                pending, taken_at=None, ready_at=later, held_by=held_by, retry_at=None
            )

    def _was_active(self, pending: Pending, last_activity_at: datetime) -> None:
        """The idle spell we asked about was not one, or is still the same: look again later."""
        at = pending.comes_up_at
        facts = self.state.facts
        last = max(last_activity_at, facts.last_activity_at or last_activity_at)
        self._ledger.become(
            facts=facts.model_copy(update={"last_activity_at": last}), activity_known_at=at
        )
        if pending.idle_since == max(last, self.start.at) and not pending.spell_settled:
            self._ledger.replace(pending, taken_at=None, ready_at=at + self._tolerances.held_after)
            return
        self._ledger.remove(pending)
        self._ledger.replan(self.journey.step(pending.step), at)

    # --- What to do -----------------------------------------------------------------------

    def take(self, now: datetime) -> Delivery | None:
        """The next delivery that is due, or None. What was missed is settled on the way.

        At the same moment steps come in file order, each when the one before has answered
        or has been in trouble for long.
        """
        while self.ended is None:
            agenda = self._agenda()
            pending = agenda.up_next(now)
            if agenda.ends_at is not None and agenda.is_over(pending, now):
                self._ledger.end(Ending.COMPLETED, max(agenda.ends_at, self.state.changed_at), None)
            elif pending is None:
                return None
            elif agenda.is_missed(pending, now):
                stopped = pending.held_by is Reason.STOPPED
                reason = Reason.STOPPED if stopped else Reason.EXPIRED
                self._ledger.settle_pending(pending, reason, pending.comes_up_at)
                self._ledger.complete_if_done(self.start.entered_at)
            else:
                self._ledger.replace(pending, taken_at=now)
                return agenda.delivery(pending, now)
        return None

    def wakeup(self, now: datetime) -> Wakeup | None:
        """When to call `take` again if nothing happens before; None: only an event or an answer."""
        return None if self.ended is not None else self._agenda().wakeup(now)

    def preview(self, delivery: Delivery) -> Wakeup | None:
        """What would come next if this delivery were settled as sent; for the store's lists."""
        copy = Machine(
            self.journey,
            self.start,
            self.state.facts,
            tolerances=self._tolerances,
            state=self.state,
        )
        sent = Settled(decision=Decision.SENT)
        copy.apply(Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=sent))
        return copy.wakeup(delivery.at)

    def recorded(self, settlements: tuple[Settlement, ...]) -> None:
        """The store knows these decisions now."""
        left = tuple(s for s in self.state.unrecorded if s not in settlements)
        self._ledger.become(unrecorded=left)

    def _agenda(self) -> Agenda:
        return Agenda(self.journey, self.state, self._tolerances, self._ledger.ends_at)

    # --- Looking --------------------------------------------------------------------------

    def _step_for(self, step_id: str, what: str) -> Step:
        """The step a person means; Illegal if it does not exist or is settled for good."""
        if not self.journey.has_step(step_id):
            known = ", ".join(f"`{step.id}`" for step in self.journey.steps)
            raise Illegal(
                f"there is no step `{step_id}` in `{self.journey.journey}`; there is {known}"
            )
        step = self.journey.step(step_id)
        if plan.is_done(step, self.journey, self.state):
            last = plan.settlements(step, self.state)[-1:]
            told = " ".join(f"({s.decision}{f', {s.reason}' if s.reason else ''})" for s in last)
            raise Illegal(f"step `{step_id}` can't be {what}: it is settled {told}".rstrip())
        return step

"""One enrollment's life as a pure machine: told what happened and what time it is, it says
what to deliver and when it wants to be woken.

Rules for whoever edits this next:

1. No clock, no I/O. `now` comes in; everything else that is a time is computed.
2. Every change of state goes through `_become`; `apply` and `take` either finish or leave
   the state as it was.
3. An input that makes no sense raises `Illegal` before anything changes. A notice or an
   answer that comes too late is not illegal: it is late, and ignored.
4. Events come before steps: the caller applies all inputs it has before it calls `take`.
5. The time of a decision is virtual (`Pending.comes_up_at`), never `now`. `now` says only
   what is due, and what has been missed.
6. Exit wins: after `_end` nothing is ever handed out again.
7. Nothing iterates over a set, and ties fall in file order: a replay must decide alike.
8. A change of what is decided raises `RULES_VERSION` and keeps the recorded histories green.
"""

from datetime import datetime
from typing import assert_never

from engine import plan
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
    SendNow,
    Settled,
    Settlement,
    Skip,
    Start,
    State,
    Tolerances,
    Wakeup,
)
from engine.expressions import StepAnchor, TraitAnchor
from engine.reasons import Decision, Ending, Reason


class Illegal(ValueError):
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
        self.journey = journey
        self.start = start
        self._tolerances = tolerances or Tolerances()
        self._order = {step.id: place for place, step in enumerate(journey.steps)}
        if state is not None:
            self._state = state
            return
        self._state = State(facts=facts, changed_at=start.entered_at)
        for step in journey.steps:
            self._replan(step)
        self._complete_if_done(start.entered_at)

    @property
    def state(self) -> State:
        return self._state

    @property
    def tolerances(self) -> Tolerances:
        return self._tolerances

    @property
    def ended(self) -> Ended | None:
        return self._state.ended

    @property
    def stopping(self) -> tuple[Pending, ...]:
        """Deliveries that the shell must stop: ended, moved away, or skipped by a person."""
        return tuple(p for p in self._state.pending if p.taken_at is not None and p.stop)

    # --- What happened --------------------------------------------------------------------

    def apply(self, told: Input) -> None:
        """Take in something that happened. Raises Illegal, and then nothing has changed."""
        before = self._state
        try:
            self._apply(told)
        except BaseException:
            self._state = before
            raise

    def check(self, told: Input) -> None:
        """Raise Illegal if `apply` would; change nothing."""
        before = self._state
        try:
            self._apply(told)
        finally:
            self._state = before

    def _apply(self, told: Input) -> None:
        if isinstance(told, Answer):
            return self._answer(told)
        if self.ended is not None:
            if isinstance(told, Notice | End):
                return None
            raise Illegal(f"the enrollment has already ended ({self.ended.ending})")
        match told:
            case Notice():
                self._notice(told)
            case Pause():
                self._become(paused=True)
            case Resume():
                self._resume(told.at)
            case Skip():
                self._skip(told)
            case SendNow():
                self._send_now(told)
            case End():
                self._end(told.ending, told.at, told.by)
            case Adopt():
                self._adopt(told)
            case _:
                assert_never(told)

    def _notice(self, notice: Notice) -> None:
        if notice.ending is not None:
            self._end(notice.ending, notice.at, notice.name)
            return
        if notice.traits is not None or notice.zone is not None:
            self._move(notice)
        for step_id in notice.fires:
            if step_id in self._order:
                self._fire(self.journey.step(step_id), notice)

    def _move(self, notice: Notice) -> None:
        """Anchors or the zone changed: waiting steps take their new times."""
        facts = self._state.facts
        traits = facts.traits if notice.traits is None else notice.traits
        changed = [p for p in self.journey.live_traits if traits.get(p) != facts.traits.get(p)]
        zone_changed = notice.zone is not None and notice.zone != facts.zone
        if not changed and not zone_changed:
            return
        new = facts.model_copy(update={"traits": traits, "zone": notice.zone or facts.zone})
        arrived = {**self._state.arrived_at, **{path: notice.at for path in changed}}
        changed_at = max(notice.at, self.start.entered_at)
        self._become(facts=new, changed_at=changed_at, arrived_at=arrived)
        for step in self.journey.steps:
            anchor = step.at.anchor if step.at is not None else None
            if zone_changed or (isinstance(anchor, TraitAnchor) and anchor.path in changed):
                self._replan(step)

    def _fire(self, step: Step, notice: Notice) -> None:
        mine = [p for p in self._state.pending if p.step == step.id]
        known = {p.occurrence for p in mine} | {s.occurrence for s in self._settled(step)}
        if notice.event_id in known or (step.repeat is None and known):
            return
        if pending := plan.after_event(step, notice.name, notice.event_id, notice.at, self._state):
            self._become(pending=(*self._state.pending, pending))

    def _resume(self, at: datetime) -> None:
        if not self._state.paused:
            return
        held = tuple(
            p.model_copy(update={"ready_at": max(p.ready_at, at)}) if p.comes_up_at < at else p
            for p in self._state.pending
        )
        self._become(paused=False, pending=held)

    def _skip(self, skip: Skip) -> None:
        step = self._step_for(skip.step, "skipped")
        pending = self._first_pending(step)
        if pending is not None and pending.taken_at is not None:
            self._replace(pending, stop=True, stop_reason=Reason.SKIPPED)
            return
        if pending is None and step.repeat is not None:
            raise Illegal(f"step `{step.id}` has nothing to skip: it waits for its next occurrence")
        occurrence = pending.occurrence if pending is not None else "skipped"
        self._settle(step, occurrence, Decision.NOT_SENT, Reason.SKIPPED, skip.at, pending)

    def _send_now(self, order: SendNow) -> None:
        step = self._step_for(order.step, "sent now")
        if self._state.paused:
            raise Illegal("the enrollment is paused: resume it first")
        pending = self._first_pending(step)
        if pending is not None and pending.taken_at is not None:
            raise Illegal(f"step `{step.id}` is being sent right now")
        now = {"due_at": order.at, "ready_at": order.at, "forced": True}
        if pending is not None:
            self._replace(pending, **now)
            return
        self._become(
            pending=(
                *self._state.pending,
                Pending(
                    step=step.id,
                    occurrence=f"by-hand-{order.at.isoformat()}",
                    zone=self._state.facts.zone,
                    due_at=order.at,
                    ready_at=order.at,
                    forced=True,
                ),
            )
        )

    def _adopt(self, adopt: Adopt) -> None:
        journey = Journey.model_validate(adopt.definition)
        if journey.journey != self.journey.journey:
            raise Illegal(f"`{journey.journey}` is another journey than `{self.journey.journey}`")
        self.journey = journey
        self._order = {step.id: place for place, step in enumerate(journey.steps)}
        kept = tuple(
            p if p.step in self._order else p.model_copy(update={"stop": True})
            for p in self._state.pending
            if p.step in self._order or p.taken_at is not None
        )
        self._become(pending=kept, changed_at=adopt.at)
        for step in journey.steps:
            self._replan(step)
        self._complete_if_done(adopt.at)

    def _answer(self, answer: Answer) -> None:
        pending = self._find(answer.step, answer.occurrence)
        if pending is None or pending.taken_at is None:
            raise Illegal(f"nobody asked about `{answer.step}` ({answer.occurrence})")
        outcome = answer.outcome
        match outcome:
            case Settled():
                self._settled_by_delivery(pending, outcome)
            case NotBefore():
                self._not_yet(pending, outcome)
            case Over():
                self._remove(pending)
                if self.ended is None:
                    self._end(outcome.ending, outcome.at, outcome.by)
            case _:
                assert_never(outcome)

    def _settled_by_delivery(self, pending: Pending, outcome: Settled) -> None:
        step = self._known_step(pending.step)
        if step is None:
            self._remove(pending)
            return
        self._settle(
            step,
            pending.occurrence,
            outcome.decision,
            outcome.reason,
            pending.comes_up_at,
            pending,
            outcome,
        )

    def _not_yet(self, pending: Pending, outcome: NotBefore) -> None:
        self._remove(pending)
        step = self._known_step(pending.step)
        if self.ended is not None or step is None:
            return
        at = pending.comes_up_at
        if pending.stop_reason is not None:
            self._settle(
                step, pending.occurrence, Decision.NOT_SENT, pending.stop_reason, at, pending
            )
        elif pending.stop:
            self._replan(step)
        elif outcome.last_activity_at is not None:
            last = outcome.last_activity_at
            self._become(facts=self._state.facts.model_copy(update={"last_activity_at": last}))
            self._add(plan.idle_from(step, last, at, self._state))
        else:
            later = {"taken_at": None, "ready_at": max(at, outcome.until or at)}
            self._add(pending.model_copy(update=later))

    # --- What to do -----------------------------------------------------------------------

    def take(self, now: datetime) -> Delivery | None:
        """The next delivery that is due, or None. What was missed is settled on the way.

        At the same moment steps come in file order, each when the one before has answered
        or has been in trouble for long.
        """
        while self.ended is None:
            pending = self._first_up(now)
            ends_at = plan.ends_at(self.journey, self.start, self._state)
            if ends_at is not None and self._is_over(pending, ends_at, now):
                self._end(Ending.COMPLETED, max(ends_at, self._state.changed_at), None)
                return None
            if pending is None:
                return None
            step = self.journey.step(pending.step)
            limit = self._grace_end(step, pending)
            late = pending.comes_up_at > limit or now > limit + self._tolerances.lateness
            if late:
                at = pending.comes_up_at
                self._settle(
                    step, pending.occurrence, Decision.NOT_SENT, Reason.EXPIRED, at, pending
                )
                continue
            self._replace(pending, taken_at=now)
            last = limit if ends_at is None else min(limit, ends_at)
            return _delivery(pending, until=last)
        return None

    def wakeup(self, now: datetime) -> Wakeup | None:
        """When to call `take` again if nothing happens before; None: only an event or an answer."""
        if self.ended is not None:
            return None
        young = [
            p.taken_at + self._tolerances.held_after
            for p in self._state.pending
            if p.taken_at is not None and p.taken_at + self._tolerances.held_after > now
        ]
        found: list[tuple[datetime, int, Wakeup]] = []
        if not self._state.paused:
            for p in self._state.pending:
                if p.taken_at is None:
                    at = max([p.comes_up_at, *young])
                    found.append((at, self._order[p.step], Wakeup(at=at, step=p.step, zone=p.zone)))
        ends_at = plan.ends_at(self.journey, self.start, self._state)
        if ends_at is not None and not young:
            found.append(
                (ends_at, len(self._order), Wakeup(at=ends_at, step=None, zone=self._state.facts.zone))
            )
        return min(found, key=lambda each: each[:2])[2] if found else None

    def preview(self, delivery: Delivery) -> Wakeup | None:
        """What would come next if this delivery were settled as sent; for the store's lists."""
        copy = Machine(
            self.journey,
            self.start,
            self._state.facts,
            tolerances=self._tolerances,
            state=self._state,
        )
        sent = Settled(decision=Decision.SENT)
        copy.apply(Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=sent))
        return copy.wakeup(delivery.at)

    def recorded(self, settlements: tuple[Settlement, ...]) -> None:
        """The store knows these decisions now."""
        left = tuple(s for s in self._state.unrecorded if s not in settlements)
        self._become(unrecorded=left)

    def _is_over(self, pending: Pending | None, ends_at: datetime, now: datetime) -> bool:
        """Whether `ends_at` comes before anything else that is due.

        A step due exactly then goes out; after an outage across it, nothing does. A delivery
        on its way answers by itself, its own limit being `ends_at` too.
        """
        if ends_at > now:
            return False
        if pending is not None:
            limit = self._grace_end(self.journey.step(pending.step), pending)
            missed = now > limit + self._tolerances.lateness
            gone = not missed and now > ends_at + self._tolerances.lateness
            return pending.comes_up_at > ends_at or gone
        young = [
            p
            for p in self._state.pending
            if p.taken_at is not None and now < p.taken_at + self._tolerances.held_after
        ]
        return not young or now > ends_at + self._tolerances.lateness

    def _first_up(self, now: datetime) -> Pending | None:
        if self._state.paused:
            return None
        for p in self._state.pending:
            if p.taken_at is not None and now < p.taken_at + self._tolerances.held_after:
                return None
        due = [p for p in self._state.pending if p.taken_at is None and p.comes_up_at <= now]
        return min(due, key=lambda p: (p.comes_up_at, self._order[p.step]), default=None)

    def _grace_end(self, step: Step, pending: Pending) -> datetime:
        tz = plan.state_zone(self._state)
        return plan.grace_end(step, pending.due_at, tz, self._tolerances.least_grace)

    # --- Changes of state -----------------------------------------------------------------

    def _become(self, **changes: object) -> None:
        """The only place where the state changes."""
        self._state = self._state.model_copy(update=changes)

    def _replan(self, step: Step) -> None:
        """Give the step the occurrence that follows from what is known now."""
        mine = [p for p in self._state.pending if p.step == step.id]
        new: Pending | None = None
        if mine and mine[0].anchor_at is not None:  # after a step or an event: timed anew, not anew caused
            for p in mine:
                if p.taken_at is None:
                    self._replace(p, **plan.moved(p, step, self._state).model_dump())
            return
        if not plan.is_done(step, self.journey, self._state):
            planned = plan.next_occurrence(step, self.start, self._state)
            if isinstance(planned, Reason):
                at = self.start.entered_at
                self._settle(step, "missing", Decision.NOT_SENT, planned, at, None)
                return
            new = planned
        for old in mine:
            same = new is not None and (old.occurrence, old.due_at) == (new.occurrence, new.due_at)
            if same or old.forced:
                new = None
            elif old.taken_at is not None:
                self._replace(old, stop=True)
                new = None  # planned again when the delivery has stopped
            else:
                self._remove(old)
        self._add(new)

    def _settle(
        self,
        step: Step,
        occurrence: str,
        decision: Decision,
        reason: Reason | None,
        at: datetime,
        pending: Pending | None,
        by: Settled | None = None,
    ) -> None:
        """An occurrence is done with; what hangs on it follows at the same instant.

        `by` is the delivery's answer; without it the store has yet to be told.
        """
        settlement = Settlement(
            step=step.id,
            occurrence=occurrence,
            decision=decision,
            reason=reason,
            at=at,
            due_at=pending.due_at if pending is not None else None,
            zone=pending.zone if pending is not None else self._state.facts.zone,
            channel=by.channel if by is not None else None,
            message=by.message if by is not None else None,
        )
        if pending is not None:
            self._remove(pending)
        self._become(settled=(*self._state.settled, settlement))
        if by is None:
            self._become(unrecorded=(*self._state.unrecorded, settlement))
        if self.ended is not None:
            return
        for other in self.journey.steps:
            anchor = other.at.anchor if other.at is not None else None
            if isinstance(anchor, StepAnchor) and anchor.step == step.id:
                self._follow(other, settlement)
        self._come_again(step, pending)
        self._complete_if_done(at)

    def _follow(self, step: Step, anchor: Settlement) -> None:
        """A step whose anchor was just settled: timed, or settled as the anchor was not sent."""
        cause = plan.step_occurrence(anchor.step, anchor.occurrence)
        if step.repeat is None and (
            self._first_pending(step) is not None
            or any(s.reason is not Reason.ANCHOR_NOT_SENT for s in self._settled(step))
        ):
            return
        if anchor.decision is Decision.NOT_SENT:
            if all(s.occurrence != cause for s in self._settled(step)):
                self._settle(
                    step, cause, Decision.NOT_SENT, Reason.ANCHOR_NOT_SENT, anchor.at, None
                )
            return
        self._add(plan.after_step(step, cause, anchor.at, self._state))

    def _come_again(self, step: Step, settled: Pending | None) -> None:
        """The next occurrence of a step that repeats."""
        if step.repeat is None or settled is None or self._first_pending(step) is not None:
            return
        if step.after_idle is not None and settled.idle_since is not None:
            at = settled.comes_up_at
            self._add(plan.idle_from(step, settled.idle_since, at, self._state))
        elif settled.anchor_at is not None and isinstance(step.repeat, str):
            cause = settled.occurrence.rsplit("/", 1)[0]
            self._add(plan.after_step(step, cause, settled.anchor_at, self._state))
        elif step.after_event is None and settled.anchor_at is None:
            planned = plan.next_occurrence(step, self.start, self._state)
            self._add(planned if isinstance(planned, Pending) else None)

    def _complete_if_done(self, at: datetime) -> None:
        if self.ended is None and not self._state.pending and all(
            plan.is_done(step, self.journey, self._state) for step in self.journey.steps
        ):
            self._end(Ending.COMPLETED, at, None)

    def _end(self, ending: Ending, at: datetime, by: str | None) -> None:
        running = tuple(
            p.model_copy(update={"stop": True}) for p in self._state.pending if p.taken_at is not None
        )
        self._become(ended=Ended(ending=ending, at=at, by=by), pending=running)

    def _add(self, pending: Pending | None) -> None:
        if pending is not None:
            self._become(pending=(*self._state.pending, pending))

    def _remove(self, pending: Pending) -> None:
        kept = tuple(
            p
            for p in self._state.pending
            if (p.step, p.occurrence) != (pending.step, pending.occurrence)
        )
        self._become(pending=kept)

    def _replace(self, pending: Pending, **changes: object) -> None:
        new = pending.model_copy(update=changes)
        self._become(
            pending=tuple(
                new if (p.step, p.occurrence) == (pending.step, pending.occurrence) else p
                for p in self._state.pending
            )
        )

    # --- Looking --------------------------------------------------------------------------

    def _settled(self, step: Step) -> list[Settlement]:
        return [s for s in self._state.settled if s.step == step.id]

    def _find(self, step_id: str, occurrence: str) -> Pending | None:
        for p in self._state.pending:
            if (p.step, p.occurrence) == (step_id, occurrence):
                return p
        return None

    def _first_pending(self, step: Step) -> Pending | None:
        mine = [p for p in self._state.pending if p.step == step.id]
        return min(mine, key=lambda p: p.comes_up_at, default=None)

    def _known_step(self, step_id: str) -> Step | None:
        return self.journey.step(step_id) if step_id in self._order else None

    def _step_for(self, step_id: str, what: str) -> Step:
        """The step a person means; Illegal if it does not exist or is settled for good."""
        step = self._known_step(step_id)
        if step is None:
            known = ", ".join(f"`{each}`" for each in self._order)
            raise Illegal(f"there is no step `{step_id}` in `{self.journey.journey}`; there is {known}")
        if plan.is_done(step, self.journey, self._state):
            last = self._settled(step)[-1]
            told = last.decision if last.reason is None else f"{last.decision}, {last.reason}"
            raise Illegal(f"step `{step_id}` can't be {what}: it is settled ({told})")
        return step


def _delivery(pending: Pending, until: datetime) -> Delivery:
    return Delivery(
        step=pending.step,
        occurrence=pending.occurrence,
        at=pending.comes_up_at,
        due_at=pending.due_at,
        until=until,
        zone=pending.zone,
        event_id=pending.event_id,
        idle_since=pending.idle_since,
        spell_settled=pending.spell_settled,
        forced=pending.forced,
    )

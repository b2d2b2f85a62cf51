"""What is due, when to wake, whether it is over: the machine's questions about time.

They change nothing. The one surprising fact: a delivery that is out holds the others up
only while it is young; after that it is in trouble, and they go on without it.
"""

from dataclasses import dataclass
from datetime import datetime

from engine.anchors import state_zone
from engine.definition import Journey
from engine.enrollment import Delivery, Pending, State, Tolerances, Wakeup
from engine.localtime import shift
from engine.reasons import Reason


@dataclass(frozen=True, slots=True)
class Agenda:
    """The questions, over one state. `ends_at` is the journey's latest time, if it has one."""

    journey: Journey
    state: State
    tolerances: Tolerances
    ends_at: datetime | None

    def up_next(self, now: datetime) -> Pending | None:
        """The occurrence to take up now: the earliest that is due, at one moment in file order.

        None while paused, and while a delivery is out that is still young.
        """
        if self.state.paused or self._held_until(now) is not None:
            return None
        due = [p for p in self.state.pending if p.taken_at is None and p.comes_up_at <= now]
        return min(due, key=self._turn, default=None)

    def is_missed(self, pending: Pending, now: datetime) -> bool:
        """Whether it came up past its grace, or nobody came for it in its grace.

        An idle check can't be late: whoever asks it gets the spell's own time.
        """
        if pending.spell_settled:
            return False
        limit = self.grace_end(pending)
        return pending.comes_up_at > limit or now > limit + self.tolerances.lateness

    def is_over(self, pending: Pending | None, now: datetime) -> bool:
        """Whether `ends_at` comes before whatever is up next.

        A step due exactly then goes out. After an outage across it nothing does; what had
        been missed before it is told first. A delivery that is out is waited for, however
        long it has been in trouble: its own limit is `ends_at` too.
        """
        if self.ends_at is None or now < self.ends_at:
            return False
        if pending is None:
            return not self._is_one_out
        if pending.comes_up_at > self.ends_at:
            return True
        had_expired = self.grace_end(pending) < self.ends_at and self.is_missed(pending, now)
        return now > self.ends_at + self.tolerances.lateness and not had_expired

    def grace_end(self, pending: Pending) -> datetime:
        """The last moment at which the occurrence may go out, `ends_at` aside."""
        return self._with_grace(pending, pending.due_at)

    def delivery(self, pending: Pending, now: datetime) -> Delivery:
        """The order to deliver it. An idle check has its grace from now on, however late."""
        since = max(pending.due_at, now) if pending.spell_settled else pending.due_at
        limit = self._with_grace(pending, since)
        return Delivery(
            step=pending.step,
            occurrence=pending.occurrence,
            at=pending.comes_up_at,
            due_at=pending.due_at,
            until=limit if self.ends_at is None else min(limit, self.ends_at),
            zone=pending.zone,
            event_id=pending.event_id,
            idle_since=pending.idle_since,
            spell_settled=pending.spell_settled,
            forced=pending.forced,
        )

    def wakeup(self, now: datetime) -> Wakeup | None:
        """When something is up next, or over, if nothing happens before."""
        held_until = self._held_until(now)
        waiting = [p for p in self.state.pending if p.taken_at is None and not self.state.paused]
        first = min(waiting, key=self._turn, default=None)
        at = first.comes_up_at if first is not None else None
        if at is not None and held_until is not None:
            at = max(at, held_until)
        ends_at = None if self._is_one_out else self.ends_at
        if ends_at is not None and (at is None or ends_at < at):
            return Wakeup(at=ends_at, step=None, zone=self.state.facts.zone)
        if first is None or at is None:
            return None
        is_stopped = first.held_by is Reason.STOPPED
        return Wakeup(at=at, step=first.step, zone=first.zone, is_stopped=is_stopped)

    def _with_grace(self, pending: Pending, since: datetime) -> datetime:
        grace = self.journey.step(pending.step).grace.terms
        limit = shift(since, grace, state_zone(self.state))
        return max(limit, since + self.tolerances.least_grace)

    @property
    def _is_one_out(self) -> bool:
        """Whether a delivery is yet to answer, which it does by `ends_at`."""
        return any(p.taken_at is not None for p in self.state.pending)

    def _held_until(self, now: datetime) -> datetime | None:
        """Until when young deliveries hold the others up; None if there are none."""
        ends = (
            p.taken_at + self.tolerances.held_after
            for p in self.state.pending
            if p.taken_at is not None
        )
        return max((end for end in ends if end > now), default=None)

    def _turn(self, pending: Pending) -> tuple[datetime, int]:
        return pending.comes_up_at, self.journey.place(pending.step)

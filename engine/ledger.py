"""The occurrences of one enrollment: those that have a time, and those that are settled.

The machine says what happened; this keeps the two lists true to what is known. It alone
changes the state, and all in one method, `become`. The one surprising fact: it never asks
what changed. A step is planned anew from all that is known (`plan`), and what comes out is
laid beside what was pending.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from engine import plan
from engine.definition import Journey, Step
from engine.enrollment import Adopt, Ended, Facts, Pending, Settlement, Start, State
from engine.expressions import StepAnchor, TraitAnchor
from engine.reasons import Decision, Ending, Reason


class Ledger:
    """The journey, its start and its state, with the steps by which a state becomes the next."""

    def __init__(self, journey: Journey, start: Start, state: State) -> None:
        self.journey = journey
        self.start = start
        self.state = state
        self._ends_at_of: tuple[Journey, Facts, datetime | None] | None = None

    @classmethod
    def opened(cls, journey: Journey, start: Start, facts: Facts) -> "Ledger":
        """That of an enrollment which begins now: every step planned, and done if all are."""
        at = start.entered_at
        ledger = cls(journey, start, State(facts=facts, changed_at=at, activity_known_at=at))
        ledger._replan_all(at)
        ledger.complete_if_done(at)
        return ledger

    @property
    def ends_at(self) -> datetime | None:
        """The journey's latest time, as far as it is known; asked often, so it is kept."""
        kept, facts = self._ends_at_of, self.state.facts
        if kept is None or kept[0] is not self.journey or kept[1] is not facts:
            at = plan.ends_at(self.journey, self.start, self.state)
            kept = self._ends_at_of = (self.journey, facts, at)
        return kept[2]

    def snapshot(self) -> tuple[State, Journey]:
        """What `restore` takes back to."""
        return self.state, self.journey

    def restore(self, before: tuple[State, Journey]) -> None:
        """Undo everything since that `snapshot`."""
        self.state, self.journey = before

    def become(self, **changes: object) -> None:
        """The only place where the state changes."""
        self.state = self.state.model_copy(update=changes)

    def learn(self, facts: Facts, changed: Collection[str], at: datetime) -> None:
        """Know this of the customer from now on; `changed` are the anchors that moved `at`.

        Steps that count from these move, in another zone all do, and those that choose their
        hour where hours are liked otherwise or the end has moved.
        """
        before, ended_at, since = self.state.facts, self.ends_at, max(at, self.state.changed_at)
        arrived_at = {**self.state.arrived_at, **dict.fromkeys(changed, at)}
        self.become(facts=facts, changed_at=since, arrived_at=arrived_at)
        rechosen = facts.hours != before.hours or ended_at != self.ends_at
        for step in self.journey.steps:
            anchor = step.at.anchor if step.at is not None else None
            moved = isinstance(anchor, TraitAnchor) and anchor.path in changed
            if moved or facts.zone != before.zone or (rechosen and plan.chooses(step)):
                self.replan(step, since)

    def replan(self, step: Step, since: datetime) -> None:
        """Give the step the occurrences that follow from what is known now.

        Those that stay as they are keep what was answered about them; a delivery that is
        out is asked to stop, and what replaces it is planned when it has. What a person
        sent by hand stays, and without `repeat` it is the step's one occurrence.
        """
        wanted = list(plan.planned(step, self.journey, self.start, self.state, since))
        keeps_one = False
        for old in [p for p in self.state.pending if p.step == step.id]:
            new = next((w for w in wanted if w.occurrence == old.occurrence), None)
            same = isinstance(new, Pending) and new.due_at == old.due_at
            if same or old.forced or old.taken_at is not None:
                wanted = [w for w in wanted if w is not new]
                keeps_one = True
                if not same and not old.forced:
                    self.withdraw(old)
            else:
                self.remove(old)
        if keeps_one and step.repeat is None:
            return
        for each in wanted:
            if isinstance(each, Pending):
                self.add(each)
            else:
                self.settle(self.settlement(step.id, each.occurrence, each.reason, each.at))

    def adopt(self, journey: Journey, adopt: Adopt) -> None:
        """Go on under another version of the journey."""
        self.journey = journey
        facts = self.state.facts
        if adopt.traits is not None:
            facts = facts.model_copy(update={"traits": adopt.traits})
        at = max(adopt.at, self.state.changed_at)
        values = self.state.values if adopt.values is None else adopt.values
        self.become(facts=facts, values=values, changed_at=at)
        for p in self.state.pending:
            if not journey.has_step(p.step):
                self.withdraw(p)
        self._replan_all(at)
        self.complete_if_done(at)

    def _replan_all(self, since: datetime) -> None:
        """Every step by what is known now, in file order."""
        for step in self.journey.steps:
            self.replan(step, since)

    def settle(self, settlement: Settlement, *, told: bool = False) -> None:
        """An occurrence is done with; what hangs on it follows at the same instant.

        `told`: the store knows, for `deliver` wrote it. No occurrence is settled twice.
        """
        mine = [s for s in self.state.settled if s.step == settlement.step]
        if all(s.occurrence != settlement.occurrence for s in mine):
            self.become(settled=(*self.state.settled, settlement))
            if not told:
                self.become(unrecorded=(*self.state.unrecorded, settlement))
        if self.state.ended is not None:
            return
        for step in self.journey.steps:
            anchor = step.at.anchor if step.at is not None else None
            follows = isinstance(anchor, StepAnchor) and anchor.step == settlement.step
            if follows or (step.id == settlement.step and step.repeat is not None):
                self.replan(step, settlement.at)

    def settle_pending(self, pending: Pending, reason: Reason, at: datetime) -> None:
        """The machine itself settles an occurrence as not sent."""
        self.remove(pending)
        settlement = self.settlement(pending.step, pending.occurrence, reason, at, pending)
        self.settle(settlement)

    def settlement(
        self,
        step: str,
        occurrence: str,
        reason: Reason | None,
        at: datetime,
        pending: Pending | None = None,
    ) -> Settlement:
        """Not sent, for that reason; who knows better changes it."""
        return Settlement(
            step=step,
            occurrence=occurrence,
            decision=Decision.NOT_SENT,
            reason=reason,
            at=at,
            due_at=pending.due_at if pending is not None else None,
            zone=pending.zone if pending is not None else self.state.facts.zone,
        )

    def complete_if_done(self, since: datetime) -> None:
        """End it if every step is settled for good: when the last one was, but not before."""
        if self.state.ended is not None or self.state.pending:
            return
        if all(plan.is_done(step, self.journey, self.state) for step in self.journey.steps):
            at = max([since, *(s.at for s in self.state.settled)])
            self.end(Ending.COMPLETED, at, None)

    def end(self, ending: Ending, at: datetime, by: str | None) -> None:
        """It is over; what is being delivered is asked to stop."""
        self.become(ended=Ended(ending=ending, at=at, by=by))
        for p in self.state.pending:
            self.withdraw(p)

    def add(self, pending: Pending) -> None:
        """One more occurrence that has a time."""
        self.become(pending=(*self.state.pending, pending))

    def withdraw(self, pending: Pending) -> None:
        """Take it away, or, if it is being delivered, ask that to stop."""
        if pending.taken_at is None:
            self.remove(pending)
        else:
            self.replace(pending, stop=True)

    def remove(self, pending: Pending) -> None:
        """One less, whatever has become of it."""
        self.become(pending=tuple(p for p in self.state.pending if not _same(p, pending)))

    def replace(self, pending: Pending, **changes: Any) -> Pending:
        """The same occurrence with something about it changed; returned as it is now."""
        new = replace(pending, **changes)
        kept = self.state.pending
        self.become(pending=tuple(new if _same(p, pending) else p for p in kept))
        return new

    def find(self, step_id: str, occurrence: str) -> Pending | None:
        """The pending occurrence of that name."""
        mine = (p for p in self.state.pending if p.step == step_id)
        return next((p for p in mine if p.occurrence == occurrence), None)

    def next_of(self, step: Step) -> Pending | None:
        """The step's next occurrence; an idle check is none."""
        mine = [p for p in self.state.pending if p.step == step.id and not p.spell_settled]
        return min(mine, key=lambda p: p.comes_up_at, default=None)


def _same(one: Pending, other: Pending) -> bool:
    return (one.step, one.occurrence) == (other.step, other.occurrence)

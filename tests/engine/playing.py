"""Plays a random life as the workflow shell would, and checks at every step what always holds.

It has no opinion on what should be sent when; that is for the tests by example.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from engine import plan
from engine.anchors import anchor_value
from engine.enrollment import (
    Answer,
    Delivery,
    NotBefore,
    Pending,
    Settled,
    Settlement,
    State,
)
from engine.expressions import StepAnchor
from engine.machine import Illegal, Machine
from engine.reasons import Decision
from tests.engine.strategies import DAY, Happening, Life, Reply

# More deliveries than a life of 40 days has by rights; past it, it goes round in circles.
_MOST_DELIVERIES = 900
_MOST_NONSENSE = 10


@dataclass
class Played:
    """What became of a life."""

    machine: Machine
    deliveries: list[tuple[datetime, Delivery]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def settled(self) -> tuple[Settlement, ...]:
        return self.machine.state.settled


class Shell:
    """One enrollment being played; `renew` continues as new at every step."""

    def __init__(self, life: Life, *, renew: bool = False) -> None:
        self._life = life
        self._renew = renew
        self._used: list[datetime] = []
        self._asked = 0
        self._out: list[tuple[datetime, int, Answer]] = []
        self.played = Played(Machine(life.journey, life.start, life.facts))

    @property
    def _machine(self) -> Machine:
        return self.played.machine

    def play(self, ticks: Iterable[datetime] = ()) -> Played:
        life = self._life
        waiting = list(life.happenings)
        ticking = [tick for tick in ticks if tick >= life.start.entered_at]
        now = life.start.entered_at
        while True:
            self._apply_due(waiting, now)
            self._take_all(now)
            wake = self._machine.wakeup(now)
            assert wake is None or wake.at > now, "it wants to be woken for nothing"
            times = [each.at for each in waiting[:1]] + [at for at, _, _ in self._out]
            ticking = [tick for tick in ticking if tick > now]
            times += ticking[:1] + ([wake.at] if wake is not None else [])
            if not times or min(times) > life.until:
                return self.played
            now = min(times)

    def _apply_due(self, waiting: list[Happening], now: datetime) -> None:
        while self._out and min(self._out)[0] <= now:
            first = min(self._out, key=lambda each: each[:2])
            self._out.remove(first)
            self._machine.apply(first[2])
            self._always(now)
        while waiting and waiting[0].at <= now:
            happening = waiting.pop(0)
            if happening.told is None:
                self._used.append(happening.at)
                continue
            before, journey = self._machine.state, self._machine.journey
            legal = True
            try:
                self._machine.check(happening.told)
            except Illegal:
                legal = False
            assert self._machine.state == before
            try:
                self._machine.apply(happening.told)
                assert legal, "what was refused was done"
            except Illegal as illegal:
                assert not legal, "what was allowed was refused"
                assert self._machine.state == before
                assert self._machine.journey is journey
                self.played.refused.append(str(illegal))
            self._always(now)

    def _take_all(self, now: datetime) -> None:
        while True:
            was_paused, before = self._machine.state.paused, self._machine.state.pending
            was_over = self._machine.ended is not None
            delivery = self._machine.take(now)
            self._always(now)
            if delivery is None:
                return
            assert not was_over
            assert not was_paused
            self._fits(delivery, before, now)
            self.played.deliveries.append((now, delivery))
            assert len(self.played.deliveries) < _MOST_DELIVERIES
            reply = self._life.replies[self._asked % len(self._life.replies)]
            self._asked += 1
            answer = Answer(
                step=delivery.step,
                occurrence=delivery.occurrence,
                outcome=self._outcome(delivery, reply),
            )
            if not reply.after:
                self._machine.apply(answer)
                self._always(now)
            else:
                self._out.append((now + reply.after, self._asked, answer))

    def _outcome(self, delivery: Delivery, reply: Reply) -> Settled | NotBefore:
        if delivery.idle_since is not None and not delivery.forced:
            start = self._life.start.at
            used = [start, self._life.facts.last_activity_at or start, *self._used]
            if max(used) > delivery.idle_since or delivery.spell_settled:
                return NotBefore(last_activity_at=max(used))
        if reply.outcome is None:  # undecided: put back, but every other time settled
            if self._asked % 2:
                return NotBefore()
            return Settled(decision=Decision.SENT)
        if isinstance(reply.outcome, NotBefore) and reply.later is not None:
            # Nonsense now and then, but not for ever: it is asked again every ten seconds.
            later = reply.later if self._asked < _MOST_NONSENSE else max(reply.later, DAY)
            return reply.outcome.model_copy(update={"until": delivery.at + later})
        return reply.outcome

    def _fits(self, delivery: Delivery, before: tuple[Pending, ...], now: datetime) -> None:
        """What holds for everything that is handed out."""
        machine = self._machine
        assert delivery.due_at <= delivery.at <= now
        assert delivery.at <= delivery.until
        held = machine.tolerances.held_after
        assert all(p.taken_at is None or p.taken_at + held <= now for p in before)
        ends_at = plan.ends_at(machine.journey, machine.start, machine.state)
        assert ends_at is None or delivery.at <= ends_at
        step = machine.journey.step(delivery.step)
        settled = [s for s in machine.state.settled if s.step == step.id]
        if not delivery.spell_settled:
            assert all(s.occurrence != delivery.occurrence for s in settled)
        if delivery.forced or step.at is None:
            return
        if isinstance(anchor := step.at.anchor, StepAnchor):
            above = [s for s in machine.state.settled if s.step == anchor.step]
            assert any(s.decision is not Decision.NOT_SENT for s in above)
        else:
            assert anchor_value(step.at, machine.start, machine.state) is not None

    def _always(self, now: datetime) -> None:
        """What holds for every state."""
        machine, state = self._machine, self._machine.state
        names = [(s.step, s.occurrence) for s in state.settled]
        assert len(names) == len(set(names)), "an occurrence was settled twice"
        waiting = [(p.step, p.occurrence) for p in state.pending]
        assert len(waiting) == len(set(waiting))
        assert all(machine.start.entered_at <= s.at <= now for s in state.settled)
        for step in machine.journey.steps:
            sent = [
                s for s in state.settled if s.step == step.id and s.decision != Decision.NOT_SENT
            ]
            assert step.repeat is not None or len(sent) <= 1
        if state.ended is not None:
            assert machine.start.entered_at <= state.ended.at <= now
            assert all(p.taken_at is not None and p.stop for p in state.pending)
        if self._renew:
            again = State.model_validate_json(state.model_dump_json())
            assert again == state
            self.played.machine = Machine(
                machine.journey, machine.start, machine.state.facts, state=again
            )

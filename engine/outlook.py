"""What an enrollment that begins now would come to, step by step, if nothing happened.

Decides which steps are past, due at once, due soon or later, by playing the machine; knows
no customer and no gate. The one surprising fact: everything due is taken to be sent, for
consent, conditions and caps are asked when it is, and not before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from engine.enrollment import Answer, Delivery, Ended, NotBefore, Settled
from engine.machine import Machine
from engine.reasons import Decision, Reason


class When(StrEnum):
    """When an occurrence of a step comes, seen from now."""

    PAST = "past"  # and past its grace: not sent, `expired`
    NOW = "now"
    SOON = "soon"
    LATER = "later"
    WAITING = "waiting"  # for an event, a date, or another step
    NEVER = "never"


@dataclass(frozen=True)
class Outlook:
    """`steps` has an entry an occurrence. `ended`: the enrollment is over as soon as it begins."""

    steps: tuple[tuple[str, When], ...]
    ended: Ended | None


def outlook(machine: Machine, now: datetime, soon: timedelta) -> Outlook:
    """Look ahead from `now`, with `soon` being so long. The machine is used up by it."""
    steps = [(step, When.NOW) for step in _taken(machine, now)]
    ended = machine.ended
    wake = machine.wakeup(now)
    while wake is not None and wake.at <= now + soon:
        steps += [(step, When.SOON) for step in _taken(machine, wake.at)]
        wake = machine.wakeup(wake.at)
    decided = [s for s in machine.state.settled if s.decision is Decision.NOT_SENT]
    steps += [(s.step, When.PAST if s.reason is Reason.EXPIRED else When.NEVER) for s in decided]
    if machine.ended is None:
        pending = [p.step for p in machine.state.pending]
        steps += [(step, When.LATER) for step in pending]
        told = {step for step, _ in steps}
        steps += [(s.id, When.WAITING) for s in machine.journey.steps if s.id not in told]
    return Outlook(tuple(steps), ended)


def _taken(machine: Machine, at: datetime) -> Iterator[str]:
    """The steps of all that is handed out at `at`, each sent before the next is asked for."""
    while (delivery := machine.take(at)) is not None:
        outcome: Settled | NotBefore = Settled(decision=Decision.SENT)
        if delivery.spell_settled:  # no message, only the question whether a new spell began
            outcome = NotBefore(last_activity_at=delivery.idle_since)
        else:
            yield delivery.step
        machine.apply(_answer(delivery, outcome))


def _answer(delivery: Delivery, outcome: Settled | NotBefore) -> Answer:
    return Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=outcome)

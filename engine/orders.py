"""What crosses between the durable workflow and the rest: its input, its orders, its report.

Everything here is written into Temporal's history, so nothing names a person: the
customer is a pseudonym that only the store resolves.
"""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from engine.clock import Clock
from engine.enrollment import (
    RULES_VERSION,
    Answer,
    Delivery,
    Ended,
    Facts,
    Outcome,
    Settled,
    Settlement,
    Start,
    State,
    Tolerances,
    Wakeup,
)
from engine.machine import Machine
from engine.reasons import Decision, Reason


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Next(_Value):
    """What comes up next, for lists: a step, or (None) the enrollment's end.

    `reason` is `stopped` where a person stopped it, and else left out: so histories from
    before there were stop buttons hold the same orders.
    """

    step: str | None
    at: datetime
    reason: Reason | None = None

    @classmethod
    def of(cls, wake: Wakeup) -> Self:
        """What the machine wants to be woken for."""
        reason = Reason.STOPPED if wake.is_stopped else None
        return cls(step=wake.step, at=wake.at, reason=reason)

    @model_serializer(mode="wrap")
    def _without_no_reason(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        told: dict[str, Any] = whole(self)
        if self.reason is None:
            del told["reason"]
        return told


class Carried(_Value):
    """What a continued run takes over from the one before."""

    state: State
    last_seq: int
    told_next: Next | None


class EnrollmentInput(_Value):
    """The one argument of the enrollment workflow; its type is `journey`, its id `enrollment_id`.

    `definition` is the whole journey, pinned: history alone says what this customer runs. The
    store leaves it out, for there the version names it. `next` is what the store was told at
    entry.
    """

    enrollment_id: str
    customer_id: str
    journey: str
    version: str
    definition: dict[str, Any] = {}
    start: Start
    facts: Facts
    next: Next | None = None
    rules_version: int = RULES_VERSION
    tolerances: Tolerances = Tolerances()
    clock: Clock | None = None
    carried: Carried | None = None


class Report(_Value):
    """What the store must learn of an enrollment; repeating it changes nothing.

    `decided` are settlements that the engine made by itself. `ended` closes the enrollment.
    """

    enrollment_id: str
    customer_id: str
    decided: tuple[Settlement, ...] = ()
    next: Next | None = None
    ended: Ended | None = None
    paused: bool = False
    by_hand: tuple[str, ...] = ()  # Updates that did not come through our API, for the audit log


class DeliverOrder(_Value):
    """Settle one occurrence, or say why it can't be yet. The argument of `deliver`.

    `report` rides along: what the store learns if the step is settled now. With
    `settle_only` nothing new is begun: a message that was claimed before is brought to its
    end, and `NotBefore` answers that there was none. With `prompt` others wait for it: it
    fails after a few seconds of trouble, and is ordered again without.
    """

    journey: str
    version: str
    delivery: Delivery
    report: Report
    holds_if_not_sent: bool = False
    tolerances: Tolerances = Tolerances()
    clock: Clock | None = None
    settle_only: bool = False
    prompt: bool = False

    def foretells(self, outcome: Settled) -> bool:
        """Whether `report.next` and `report.ended` are true after this answer.

        They are worked out for a message that goes out. One that doesn't may settle other
        steps with it, or (`expired`) leave its own step open for an anchor that moves on.
        """
        if self.settle_only:
            return False  # something else has happened since
        if outcome.decision is not Decision.NOT_SENT:
            return True
        return self.holds_if_not_sent and outcome.reason is not Reason.EXPIRED


class DeliverResult(_Value):
    """What `deliver` answers."""

    outcome: Outcome


def foretell(machine: Machine, delivery: Delivery, decision: Decision) -> dict[str, Any]:
    """What a report says of `next` and `ended` once this delivery is settled so."""
    copy = Machine(
        machine.journey,
        machine.start,
        machine.state.facts,
        tolerances=machine.tolerances,
        state=machine.state,
    )
    reason = Reason.CONDITION if decision is Decision.NOT_SENT else None
    outcome = Settled(decision=decision, reason=reason)
    copy.apply(Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=outcome))
    wake = copy.wakeup(delivery.at)
    following = Next.of(wake) if wake is not None else None
    return {"next": following, "ended": copy.ended}

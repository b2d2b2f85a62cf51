"""Stop buttons: what people have stopped, and whether that holds a message up.

A stopped message is not decided: it waits, until somebody starts it again or its grace is
over. The one surprising fact: the gate is asked first. Whoever would get nothing anyway has
their answer at once, and what waits is only what would go out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from engine.enrollment import Delivery, NotBefore, Settled
from engine.reasons import Decision, Reason


class StopScope(StrEnum):
    """How much a stop button stops."""

    EVERYTHING = "everything"
    MARKETING = "marketing"
    CHANNEL = "channel"
    JOURNEY = "journey"
    STEP = "step"


@dataclass(frozen=True)
class Target:
    """What a stop button stops; `journey`, `step` and `channel` as its scope needs them."""

    scope: StopScope
    journey: str | None = None
    step: str | None = None
    channel: str | None = None

    @property
    def in_words(self) -> str:
        """`step coupon of trial-onboarding`."""
        match self.scope:
            case StopScope.EVERYTHING | StopScope.MARKETING:
                return self.scope.value
            case StopScope.CHANNEL:
                return f"channel {self.channel}"
            case StopScope.JOURNEY:
                return f"journey {self.journey}"
            case StopScope.STEP:
                return f"step {self.step} of {self.journey}"
            case _:
                assert_never(self.scope)


@dataclass(frozen=True)
class Outgoing:
    """A message that could go out now, as far as a stop button looks at it."""

    journey: str
    step: str
    channel: str
    is_marketing: bool


def stops(target: Target, message: Outgoing) -> bool:
    """Whether the button holds this message. Marketing's leaves transactional ones alone."""
    match target.scope:
        case StopScope.EVERYTHING:
            return True
        case StopScope.MARKETING:
            return message.is_marketing
        case StopScope.CHANNEL:
            return target.channel == message.channel
        case StopScope.JOURNEY:
            return target.journey == message.journey
        case StopScope.STEP:
            return (target.journey, target.step) == (message.journey, message.step)
        case _:
            assert_never(target.scope)


def held_up(
    in_force: Iterable[Target], message: Outgoing, delivery: Delivery
) -> NotBefore | Settled | None:
    """What to answer in place of sending it; None if nothing stops it.

    It waits for the last moment at which it may go out. Asked about then, it is over.
    """
    if not any(stops(target, message) for target in in_force):
        return None
    if delivery.at >= delivery.until:
        return Settled(decision=Decision.NOT_SENT, reason=Reason.STOPPED)
    return NotBefore(until=delivery.until, reason=Reason.STOPPED)

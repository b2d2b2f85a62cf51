"""What a play prints: decisions, and how enrollments begin and end. Values only."""

from dataclasses import dataclass
from datetime import datetime

from engine.reasons import Decision, Ending, Reason


@dataclass(frozen=True, kw_only=True)
class StepLine:
    """A decision about a step, at the engine's time."""

    at: datetime
    customer: str
    journey: str
    key: str | None
    step: str
    decision: Decision
    channel: str | None
    message: str | None
    reason: Reason | None


@dataclass(frozen=True, kw_only=True)
class LifeLine:
    """An enrollment began (`ending` None) or ended; `event` names the cause of an exit."""

    at: datetime
    customer: str
    journey: str
    key: str | None
    ending: Ending | None
    event: str | None = None


Line = StepLine | LifeLine


def in_order(lines: list[Line], customers: list[str]) -> list[Line]:
    """By time; at one instant by customer, in the order given, each in decision order."""
    places = {name: place for place, name in enumerate(customers)}
    return sorted(lines, key=lambda line: (line.at, places.get(line.customer, len(places))))

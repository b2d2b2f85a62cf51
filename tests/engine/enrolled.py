"""One enrollment, played by example: told things, woken on time, every delivery answered."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.definition import Journey
from engine.enrollment import (
    Answer,
    Delivery,
    Ended,
    Facts,
    Input,
    NotBefore,
    Notice,
    Over,
    Settled,
    Start,
    Tolerances,
)
from engine.machine import Machine
from engine.reasons import Decision, Ending, Reason

START = datetime(2026, 11, 23, 8, tzinfo=UTC)  # a Monday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

SENT = Settled(decision=Decision.SENT, channel="email", message="m")
UNKNOWN = Settled(decision=Decision.UNKNOWN)

Outcome = Settled | NotBefore | Over
Told = tuple[str, str, datetime]  # step, "sent" or the reason, when


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def not_sent(reason: Reason = Reason.CONDITION) -> Settled:
    return Settled(decision=Decision.NOT_SENT, reason=reason)


def journey(*steps: dict[str, Any], **keys: Any) -> Journey:
    """A journey of these steps; a step without `send` sends what it is called."""
    told = [
        step
        if {"send", "variants", "call", "set", "unsubscribe"} & step.keys()
        else {**step, "send": "m"}
        for step in steps
    ]
    data = {"journey": "trial", "title": "Trial", "topic": "news", "steps": told}
    return Journey.model_validate(data | keys, extra="forbid")


class Enrolled:
    """A machine and the world around it; `reply` is what `deliver` answers."""

    def __init__(
        self,
        *steps: dict[str, Any],
        at: datetime = START,
        entered_at: datetime | None = None,
        zone: str = "UTC",
        traits: dict[str, Any] | None = None,
        values: dict[str, Any] | None = None,
        active_at: datetime | None = None,
        tolerances: Tolerances | None = None,
        **keys: Any,
    ) -> None:
        self.machine = Machine(
            journey(*steps, **keys),
            Start(event_id="e0", at=at, entered_at=entered_at or at, values=values or {}),
            Facts(zone=zone, traits=traits or {}, last_activity_at=active_at),
            tolerances=tolerances,
        )
        self.now = entered_at or at
        self.used: list[datetime] = []
        self.reply: Callable[[Delivery], Outcome] = lambda delivery: SENT
        self.asked: list[Delivery] = []

    def tell(self, told: Input) -> "Enrolled":
        self.machine.apply(told)
        return self

    def event(self, name: str, at: datetime, **more: Any) -> "Enrolled":
        return self.tell(Notice(event_id=f"{name}-{at.isoformat()}", name=name, at=at, **more))

    def leaves(self, at: datetime) -> "Enrolled":
        return self.event("left", at, ending=Ending.EXITED)

    def moves(self, at: datetime, zone: str | None = None, **traits: Any) -> "Enrolled":
        return self.event("identify", at, traits=traits or None, zone=zone)

    def until(self, at: datetime) -> "Enrolled":
        """Time passes, and every wake-up comes on time."""
        for _ in range(500):
            self.wake(self.now)
            wake = self.machine.wakeup(self.now)
            if wake is None or wake.at > at:
                self.now = at
                return self.wake(at)
            self.now = wake.at
        raise AssertionError("woken 500 times")

    def wake(self, now: datetime) -> "Enrolled":
        """Woken now, however late that is."""
        self.now = now
        while (delivery := self.machine.take(now)) is not None:
            self.asked.append(delivery)
            self.answer(delivery, self._idle(delivery) or self.reply(delivery))
        return self

    def answer(self, delivery: Delivery, outcome: Outcome) -> "Enrolled":
        return self.tell(
            Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=outcome)
        )

    def take(self, now: datetime) -> Delivery:
        """What is handed out now; it stays out."""
        self.now = now
        delivery = self.machine.take(now)
        assert delivery is not None
        return delivery

    def _idle(self, delivery: Delivery) -> NotBefore | None:
        if delivery.idle_since is None or delivery.forced:
            return None
        last = max([delivery.idle_since, *(at for at in self.used if at <= self.now)])
        if last > delivery.idle_since or delivery.spell_settled:
            return NotBefore(last_activity_at=last)
        return None

    @property
    def told(self) -> list[Told]:
        """Every decision: step, what, when."""
        return [
            (s.step, s.decision if s.reason is None else s.reason, s.at)
            for s in self.machine.state.settled
        ]

    @property
    def ended(self) -> Ended | None:
        return self.machine.ended

    @property
    def ending(self) -> tuple[Ending, datetime] | None:
        return None if self.ended is None else (self.ended.ending, self.ended.at)

    @property
    def next_at(self) -> datetime | None:
        wake = self.machine.wakeup(self.now)
        return wake.at if wake is not None else None

"""What customers do in a crash test: drawn by chance from a seed, so that it can be had again.

Each life is a list of calls in the order in which they happen. Nothing in it is random but
what happens: whatever was answered with 200, the lives say what must be in the store.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from engine.keys import anonymous_customer, enrollment_id

START, ORDER, EXIT, GOAL, LOOK = (
    "trial_started",
    "order_placed",
    "trial_cancelled",
    "subscription_purchased",
    "looked",
)

CALLS = 10  # of each customer

# The reminder of the journey counts from a date this many days away, so it never comes up.
_TRIAL_DAYS = range(30, 300)
REMINDER_BEFORE = timedelta(days=5)

_VISITORS = 0.1  # are known only from their third call on
_LEAVERS = 0.25
_BUYERS = 0.25

# Between beginning and end: what each call is, and how often. In a busy life every second call
# is for Temporal to hear, in a quiet one, as of most customers of most apps, every fifth or so.
BUSY = {"order": 35, "look": 30, "move": 25, "group": 10}
QUIET = {"order": 5, "look": 85, "move": 5, "group": 5}


@dataclass(frozen=True)
class Call:
    """One call: `customer` is whom it is about in the end, `name` the event's if it has one.

    `ends_at` is the date a call brings that the journey's reminder counts from, `visitor` who
    did it as far as was known before the alias.
    """

    message_id: str
    customer: str
    kind: str
    body: dict[str, Any]
    name: str | None = None
    ends_at: datetime | None = None
    visitor: str | None = None

    def payload(self, at: datetime) -> dict[str, Any]:
        """What is sent, first at `at`."""
        return {"messageId": self.message_id, "timestamp": at.isoformat(), **self.body}


@dataclass(frozen=True)
class Life:
    """One customer's calls, in order."""

    customer: str
    calls: tuple[Call, ...]

    @property
    def enrollment(self) -> str:
        """Of which there is exactly one."""
        return enrollment_id("trial", self.customer)


def draw_lives(
    chance: random.Random, customers: int, today: datetime, doings: Mapping[str, int] = BUSY
) -> list[Life]:
    """That many customers, each with `CALLS` calls."""
    return [_life(chance, f"c{number}", today, doings) for number in range(customers)]


def _life(chance: random.Random, customer: str, today: datetime, doings: Mapping[str, int]) -> Life:
    calls = _Calls(customer, chance, today)
    drawn = [*_beginning(calls, chance)]
    ends = chance.random()
    last = (
        calls.track(EXIT)
        if ends < _LEAVERS
        else calls.track(GOAL)
        if ends < _LEAVERS + _BUYERS
        else calls.track(LOOK)
    )
    while len(drawn) < CALLS - 1:
        (doing,) = chance.choices(list(doings), list(doings.values()))
        drawn.append(getattr(calls, doing)())
    return Life(customer, (*drawn, last))


def _beginning(calls: "_Calls", chance: random.Random) -> Iterator[Call]:
    if chance.random() < _VISITORS:
        yield calls.visit()
        yield calls.alias()
    yield calls.move()
    yield calls.track(START)


class _Calls:
    """Makes one customer's calls, numbered."""

    def __init__(self, customer: str, chance: random.Random, today: datetime) -> None:
        self._customer = customer
        self._chance = chance
        self._midnight = today.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._numbers = count()

    def visit(self) -> Call:
        """Something done by somebody whom nobody knows yet."""
        visitor = f"v-{self._customer}"
        body = {"event": LOOK, "anonymousId": visitor}
        return self._call("track", body, name=LOOK, visitor=anonymous_customer(visitor))

    def alias(self) -> Call:
        """It was this customer."""
        return self._call("alias", {**self._whose, "previousId": f"v-{self._customer}"})

    def move(self) -> Call:
        """The trial ends on another day than it did."""
        day = self._midnight + timedelta(days=self._chance.choice(_TRIAL_DAYS))
        traits = {
            "email": f"{self._customer}@reader.example",
            "trial_ends_at": day.isoformat(),
        }
        return self._call("identify", {**self._whose, "traits": traits}, ends_at=day)

    def group(self) -> Call:
        """They belong to one of a few companies."""
        company = f"company-{self._chance.randrange(10)}"
        return self._call("group", {**self._whose, "groupId": company})

    def order(self) -> Call:
        """They order something, for which there is a receipt with the order's own number."""
        return self.track(ORDER)

    def look(self) -> Call:
        """They look around, for which no journey waits."""
        return self.track(LOOK)

    def track(self, name: str) -> Call:
        """An event of theirs."""
        return self._call("track", {**self._whose, "event": name}, name=name)

    @property
    def _whose(self) -> dict[str, str]:
        return {"userId": self._customer}

    def _call(self, kind: str, body: dict[str, Any], **more: Any) -> Call:
        message_id = f"{self._customer}-m{next(self._numbers)}"
        if kind == "track":
            body = {**body, "properties": {"order": message_id}}
        return Call(message_id, self._customer, kind, body, **more)

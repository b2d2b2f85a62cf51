"""The messages of a broadcast whose time has come: each settled by `deliver`, as a step's is.

Decides how many are in the air, and when one that met trouble is tried again; whether it may
go out is `deliver`'s to say. The surprising fact: no workflow stands behind these messages.
What Temporal keeps for a step (its time, its attempts) is here the enrollment's row, so all of
it survives a crash, and to send one again is as harmless as it is there.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from activities.deliver import deliver
from activities.desk import Attempt, Desk, Trouble
from engine.clock import Clock, journey_time
from engine.definition import Step
from engine.enrollment import Delivery, Ended, NotBefore, Over, Settled, Tolerances
from engine.localtime import next_opening, shift, zone
from engine.orders import DeliverOrder, Report
from engine.reasons import Ending, Reason
from engine.routing import zone_of
from store import broadcasts, enrollments, journeys
from store.tables import Customer, Enrollment

# Messages in the air at once: they wait for the provider most of the time, and for each other
# on SQLite. A worker that dies leaves no more than these in doubt.
AT_ONCE = 20

# When what met trouble is tried again. Longer than `deliver`'s first pauses, for here are
# many with the same trouble; a broken template waits for a person.
_PAUSE, _TEMPLATE_PAUSE = timedelta(seconds=15), timedelta(minutes=1)

# Past the deadline by so much, an attempt certainly finds it passed.
_INSTANT = timedelta(milliseconds=10)

# What the occurrence of the only message is called.
_OCCURRENCE = "start"


@dataclass(frozen=True)
class Sending:
    """With what the messages of a broadcast are sent. `wall` is the real time."""

    desk: Desk
    wall: Callable[[], datetime]
    tolerances: Tolerances
    clock: Clock | None = None

    def now(self) -> datetime:
        """Journey time."""
        return journey_time(self.clock, self.wall())


@dataclass(frozen=True)
class Sent:
    """How many messages were taken up, and how many of them met trouble: of one, which."""

    tried: int = 0
    troubled: int = 0
    trouble: str | None = None


@dataclass(frozen=True)
class _Due:
    row: Enrollment
    order: DeliverOrder


async def send_due(sending: Sending, broadcast: str, most: int) -> Sent:
    """Settle, or put off, up to so many messages that are due."""
    found, put_off = await _due(sending, broadcast, most)
    for row_id, at in put_off:
        await _put_off(sending, row_id, at)
    left = iter(found)
    takers = (_take(sending, left) for _ in range(min(AT_ONCE, len(found))))
    told = await asyncio.gather(*takers, return_exceptions=True)
    for each in told:
        if isinstance(each, BaseException):
            raise each  # once the others are done: a bug holds up its own message alone
    troubles = [trouble for each in told if isinstance(each, list) for trouble in each]
    return Sent(len(found), len(troubles), troubles[-1] if troubles else None)


async def _due(
    sending: Sending, broadcast: str, most: int
) -> tuple[list[_Due], list[tuple[str, datetime]]]:
    """What is due; and of whom the window is closed after all, for they have travelled."""
    now, found, closed = sending.now(), [], []
    async with sending.desk.database.reading() as session:
        published = await journeys.newest_publication(session)
        assert published is not None  # or nothing could have been broadcast
        for row, customer in await broadcasts.due(session, broadcast, now, most):
            journey = await journeys.version(session, row.journey, row.version)
            assert row.next_step is not None  # as it was opened
            order = _order(
                sending, row, customer, journey.step(row.next_step), published.policy.timezone
            )
            if order.delivery.at > now:
                closed.append((row.id, order.delivery.at))
            else:
                found.append(_Due(row, order))
    return found, closed


def _order(
    sending: Sending, row: Enrollment, customer: Customer, step: Step, default_zone: str
) -> DeliverOrder:
    """As the workflow of an enrollment would order it, whose step is due at its start."""
    name, _ = zone_of(customer.traits, customer.context_timezone, default_zone)
    tz = zone(name)
    assert tz is not None  # `zone_of` gives one that exists
    assert row.next_at is not None  # or it would not be due
    due_at = next_opening(row.start_at, tz, step.between, step.days)
    limit = max(shift(due_at, step.grace.terms, tz), due_at + sending.tolerances.least_grace)
    at = max(row.next_at, due_at)
    return DeliverOrder(
        journey=row.journey,
        version=row.version,
        delivery=Delivery(
            step=step.id, occurrence=_OCCURRENCE, at=at, due_at=due_at, until=limit, zone=name
        ),
        report=Report(
            enrollment_id=row.id,
            customer_id=customer.pseudonym,
            ended=Ended(ending=Ending.COMPLETED, at=at),
        ),
        holds_if_not_sent=True,
        tolerances=sending.tolerances,
        clock=sending.clock,
    )


async def _take(sending: Sending, left: Iterator[_Due]) -> list[str]:
    """Deliver one after the other; what trouble they met, which quotes no customer's data."""
    found = [await _trouble(sending, each) for each in left]
    return [trouble for trouble in found if trouble is not None]


async def _trouble(sending: Sending, due: _Due) -> str | None:
    attempt = Attempt(order=due.order, now=sending.wall())
    try:
        outcome = await deliver(sending.desk, attempt)
    except Trouble as trouble:
        await _put_off(sending, due.row.id, _again_at(attempt, trouble))
        return f"{trouble.reason}: {trouble}"
    match outcome:
        case Settled() if not due.order.foretells(outcome):
            await _close(sending, due)
        case NotBefore(until=None):
            await _put_off(sending, due.row.id, attempt.at + _PAUSE)
        case NotBefore() | Settled() | Over():
            pass  # it is written down, with the answer
    return None


async def _close(sending: Sending, due: _Due) -> None:
    """It is settled for good: a step of a journey might still be timed again, this is not."""
    ended = due.order.report.ended
    assert ended is not None  # `_order` gave it one
    async with sending.desk.database.transaction() as session:
        if await enrollments.held(session, due.row.id) is not None:
            await enrollments.close(session, due.row.id, ended.ending, ended.at, ended.by)


async def _put_off(sending: Sending, enrollment_id: str, at: datetime) -> None:
    async with sending.desk.database.transaction() as session:
        if await enrollments.held(session, enrollment_id) is not None:
            await broadcasts.put_off(session, enrollment_id, at)


def _again_at(attempt: Attempt, trouble: Trouble) -> datetime:
    """Not before what the provider says; never past the deadline, at which it is settled."""
    pause = _TEMPLATE_PAUSE if trouble.reason is Reason.TEMPLATE_ERROR else _PAUSE
    if trouble.retry_after is not None:
        pause = max(pause, trouble.retry_after)
    later = journey_time(attempt.order.clock, attempt.now + pause)
    return min(later, max(attempt.deadline, attempt.at) + _INSTANT)

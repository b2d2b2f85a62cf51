"""Rows that tests begin with: each function needs only what its test is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from engine.definition import Journey
from engine.keys import enrollment_id, message_key
from engine.policy import Policy
from store import customers, enrollments, journeys
from store.events import NewEvent
from store.tables import Customer, Enrollment, EventKind, HourOfClicks, Message

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def journey(name: str = "trial", **changes: Any) -> Journey:
    """A journey of one step."""
    given: dict[str, Any] = {
        "journey": name,
        "title": "A trial",
        "starts_on": "trial_started",
        "topic": "onboarding",
        "steps": [{"send": "tip", "at": "start + 2 days"}],
    }
    return Journey.model_validate({**given, **changes})


def policy(**changes: Any) -> Policy:
    """A policy with two topics, whose order is not the alphabet's."""
    given: dict[str, Any] = {
        "sender": {"name": "Acme", "email": "hello@acme.example"},
        "postal_address": "1 Main Street",
        "topics": {
            "onboarding": {"title": "Getting started", "subscribed": True},
            "news": {"title": "News", "subscribed": False},
        },
        "caps": [{"max": 2, "per": "1 week"}],
        "quiet_hours": {"sms": "21:00-08:00"},
    }
    return Policy.model_validate({**given, **changes})


def event(message_id: str, name: str = "app_opened", at: datetime = NOON, **more: Any) -> NewEvent:
    """An event of customer `c1`."""
    given: dict[str, Any] = {
        "customer_id": "c1",
        "kind": EventKind.TRACK,
        "properties": {},
        "context": {},
        "received_at": at,
    }
    return NewEvent(message_id=message_id, name=name, occurred_at=at, **{**given, **more})


async def use(session: AsyncSession, customer: Customer, at: datetime) -> None:
    """Have a locked customer use the product."""
    customers.record_seen(customer, at)
    customers.record_used(customer, at)
    await customers.write_seen(session, [], [customer])


async def a_customer(session: AsyncSession, customer_id: str = "c1") -> None:
    """A customer, seen at noon."""
    await use(session, await customers.lock(session, customer_id, NOON), NOON)


async def an_enrollment(
    session: AsyncSession, customer_id: str = "c1", ordinal: int = 1, **changes: Any
) -> Enrollment:
    """An open enrollment in `trial`, which is published for it."""
    await a_customer(session, customer_id)
    published, _ = await journeys.publish(
        session,
        journeys=[journey(changes.get("journey", "trial"))],
        policy=policy(),
        messages={},
        at=NOON,
        by="test",
    )
    name, followed = next(iter(published.journeys.items()))
    given: dict[str, Any] = {
        "id": enrollment_id(name, customer_id, changes.get("key"), ordinal),
        "customer_id": customer_id,
        "journey": name,
        "version": followed.version,
        "ordinal": ordinal,
        "start_event_id": f"start-{ordinal}",
        "start_at": NOON,
        "entered_at": NOON,
    }
    enrollment = Enrollment(**{**given, **changes})
    assert await enrollments.insert(session, enrollment)
    return enrollment


def a_claim(step: str = "tip", at: datetime = NOON, **changes: Any) -> Message:
    """A claim of customer `c1` in their first enrollment in `trial`."""
    enrollment = changes.get("enrollment_id", "trial:c1")
    given: dict[str, Any] = {
        "key": message_key(enrollment, step, "start"),
        "enrollment_id": enrollment,
        "customer_id": "c1",
        "journey": "trial",
        "step": step,
        "occurrence": "start",
        "channel": "email",
        "body": b"finished bytes",
        "claimed_at": at,
        "decided_at": at,
    }
    return Message(**{**given, **changes})


async def clicks_by_hour(session: AsyncSession) -> dict[int, int]:
    """How many clicks each hour has had; hours without any are left out."""
    return {row.hour: row.clicks for row in await session.scalars(select(HourOfClicks))}

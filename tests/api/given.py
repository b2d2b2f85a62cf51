"""What tests of this room begin with: a published trial journey, calls, a clock by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select

from api.accept import Accepted, accept
from api.services import Services
from engine.calls import Call, Identify, Track
from engine.definition import Journey
from engine.policy import Policy
from settings import Settings, load
from store import enrollments, journeys, keys
from store.database import Database
from store.tables import Enrollment, Event, OutboxRow
from tests.store.given import policy

A_DAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECRET = "x" * 32

_numbers = count(1)


@dataclass
class Wall:
    """The real time; `pass_` moves it."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, span: timedelta) -> None:
        self.at += span


def load_settings(url: str = "sqlite+aiosqlite:///unused.db", **more: Any) -> Settings:
    return load(database_url=url, secret_key=SECRET, **more)


def trial(**changes: Any) -> Journey:
    """The journey of the design, with an idle step and a live anchor."""
    given: dict[str, Any] = {
        "journey": "trial",
        "title": "A trial",
        "starts_on": "trial_started",
        "ends_on": ["trial_cancelled"],
        "ends_at": "customer.trial_ends_at",
        "goal": {"event": "subscription_purchased", "value": "total"},
        "topic": "onboarding",
        "steps": [
            {"send": "thanks", "at": "start + 1 day"},
            {"send": "demo", "after_idle": "10 days"},
            {"send": "coupon", "at": "customer.trial_ends_at - 5 days"},
        ],
    }
    return Journey.model_validate({**given, **changes})


async def publish(database: Database, *published: Journey, rules: Policy | None = None) -> None:
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=published or (trial(),),
            policy=rules or policy(),
            messages={},
            at=A_DAY,
            by="test",
        )


async def make_key(
    database: Database, *scopes: str, name: str = "test", rate: int | None = None
) -> str:
    async with database.transaction() as session:
        _, key = await keys.create(session, name, scopes, A_DAY, rate)
    return key


def track(event: str, at: datetime = A_DAY, customer: str = "c1", **more: Any) -> Track:
    given: dict[str, Any] = {"message_id": f"m{next(_numbers)}"}
    return Track(customer_id=customer, at=at, event=event, **{**given, **more})


def identify(at: datetime = A_DAY, customer: str = "c1", **traits: Any) -> Identify:
    return Identify(customer_id=customer, at=at, message_id=f"m{next(_numbers)}", traits=traits)


async def take(services: Services, *calls: Call) -> Accepted:
    """Accept calls in one request, received when the last of them happened."""
    return await accept(services, calls, max(call.at for call in calls))


async def outbox(database: Database) -> Sequence[OutboxRow]:
    async with database.reading() as session:
        return list(await session.scalars(select(OutboxRow).order_by(OutboxRow.id)))  # type: ignore[arg-type]


async def kept_events(database: Database) -> Sequence[Event]:
    async with database.reading() as session:
        return list(await session.scalars(select(Event)))


async def enrollment(database: Database, enrollment_id: str = "trial:c1") -> Enrollment:
    async with database.reading() as session:
        found = await enrollments.get(session, enrollment_id)
    assert found is not None
    return found

"""What tests of broadcasts begin with: some customers, and what is asked for."""

from datetime import datetime
from typing import Any

from api.broadcasting.asked import Asked
from api.broadcasting.orders import Broadcasting
from api.broadcasting.taking_up import Taken, take_up
from api.services import Services
from engine.definition import Journey
from engine.policy import Policy
from rendering.sources import MessageSource
from store import broadcasts, enrollments, journeys
from store.database import Database
from store.tables import Broadcast, Enrollment
from tests.api.given import A_DAY, identify, take, trial
from tests.store.given import policy

TEXT = {"subject.txt": "Hello", "email.html": "<p>Hello.</p>"}


def loud() -> Policy:
    """Neither caps nor quiet hours."""
    return policy(caps=[], quiet_hours={})


async def publish(database: Database, *published: Journey, rules: Policy | None = None) -> None:
    """With messages for every step."""
    found = published or (trial(),)
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=found,
            policy=rules or loud(),
            messages={
                each.journey: {
                    name: MessageSource(name, TEXT, {}).to_dict()
                    for step in each.steps
                    for name in step.messages
                }
                for each in found
            },
            at=A_DAY,
            by="test",
        )


async def known(services: Services, *names: str, **traits: Any) -> None:
    """Customers with an address each."""
    for name in names:
        await take(services, identify(customer=name, email=f"{name}@acme.example", **traits))


async def begun(services: Services, name: str = "sale", **asked: Any) -> Broadcast:
    return await Broadcasting(services, "test").start(Asked(name, **asked))


async def all_pages(services: Services, name: str = "sale") -> list[Taken]:
    """Every page until there is nothing to do just now."""
    told = []
    while True:
        taken = await take_up(services, name)
        assert taken is not None
        told.append(taken)
        if taken.all_seen or taken.again_at is not None or taken.state != "running":
            return told


async def row_of(services: Services, name: str = "sale") -> Broadcast:
    async with services.database.reading() as session:
        row = await broadcasts.get(session, name)
    assert row is not None
    return row


async def enrolled(services: Services, *names: str) -> dict[str, Enrollment]:
    """The enrollments of these customers, one each, or all that there are of one."""
    async with services.database.reading() as session:
        found = {name: await enrollments.of_customer(session, name) for name in names}
    return {name: row for name, rows in found.items() for row in rows}


def later(services: Services, at: datetime) -> None:
    """It is then."""
    services.wall.at = at  # type: ignore[attr-defined]

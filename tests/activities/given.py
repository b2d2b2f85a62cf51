"""An office for `deliver`: a published journey, a customer in it, and orders as the engine gives.

Each test says only what it is about; the rest is the trial that everything starts from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from activities.deliver import deliver
from activities.desk import Attempt, Desk
from activities.providers.outcome import (
    Accepted,
    AnyProvider,
    Parcel,
    ProviderTrouble,
    Refused,
)
from engine.definition import Journey
from engine.enrollment import Delivery, Outcome
from engine.keys import enrollment_id, message_key
from engine.orders import DeliverOrder, Report
from engine.policy import Policy
from rendering.links import Links
from rendering.sources import MessageSource
from store import consents, customers, enrollments, journeys, messages, suppressions
from store.database import Database
from store.tables import (
    Consent,
    ConsentState,
    Enrollment,
    EnrollmentState,
    Message,
    Suppression,
)
from store.traits import merge_traits
from tests.store.given import use

LINKS = Links("https://acme.example", ["x" * 32])

# When the step is due, decided and first asked about. The trial began the day before.
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
START = NOW - timedelta(days=1)
DAY = timedelta(days=1)

TIP = {"subject.txt": "A tip for {{ customer.name }}", "email.html": "<p>Try it.</p>"}
COUPON = {"subject.txt": "For you", "email.html": "<p>Buy now.</p>"}
VOUCHER = {"subject.txt": "For you", "email.html": "<p>Code {{ offer.code }}</p>"}
BROKEN = {"subject.txt": "Hello", "email.html": "<p>{{ customer.name | no_such_filter }}</p>"}


def journey(**changes: Any) -> Journey:
    """A journey whose step `tip` is due; `step` changes that step."""
    step = {"send": "tip", "at": "start + 1 day", **changes.pop("step", {})}
    step = {key: value for key, value in step.items() if value is not None}
    given: dict[str, Any] = {
        "journey": "trial",
        "title": "A trial",
        "starts_on": "trial_started",
        "topic": "onboarding",
        "steps": [step, {"send": "coupon", "at": "start + 5 days"}],
    }
    return Journey.model_validate({**given, **changes})


def policy(**changes: Any) -> Policy:
    """A policy under which everything may go out."""
    given: dict[str, Any] = {
        "sender": {"name": "Acme", "email": "hello@acme.example"},
        "postal_address": "1 Main Street",
        "topics": {
            "onboarding": {"title": "Getting started", "subscribed": True},
            "news": {"title": "News", "subscribed": False},
        },
    }
    return Policy.model_validate({**given, **changes})


@dataclass
class FakeProvider:
    """Gives the answers it was told, then accepts; keeps what it was given.

    `meanwhile` is awaited while the mail is under way.
    """

    answers: list[Accepted | Refused | ProviderTrouble] = field(default_factory=list)
    remembers_keys_for: timedelta | None = timedelta(hours=23)
    name: str = "fake"
    given: list[Any] = field(default_factory=list)
    meanwhile: Any = None

    async def send(self, parcel: Parcel, /) -> Accepted | Refused:
        self.given.append(parcel)
        if self.meanwhile is not None:
            await self.meanwhile()
        answer = self.answers.pop(0) if self.answers else Accepted(f"p-{len(self.given)}")
        if isinstance(answer, ProviderTrouble):
            raise answer
        return answer

    async def close(self) -> None:
        pass


@dataclass
class Office:
    """A desk, and the one enrollment that the test is about. `others` carry other channels."""

    database: Database
    provider: Any
    journey: Journey
    customer_id: str = "c1"
    enrollment: str = "trial:c1"
    others: Mapping[str, AnyProvider] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    links: Links = LINKS

    @property
    def desk(self) -> Desk:
        return Desk(
            database=self.database,
            providers={"email": self.provider, **self.others},
            links=self.links,
            rates=self.rates,
        )

    def order(self, **changes: Any) -> DeliverOrder:
        """What the workflow orders for the step `tip`; `delivery` and `report` change theirs."""
        delivery = Delivery(
            step="tip",
            occurrence="start",
            at=NOW,
            due_at=NOW,
            until=NOW + DAY,
            zone="UTC",
        ).model_copy(update=changes.pop("delivery", {}))
        report = Report(enrollment_id=self.enrollment, customer_id="c1").model_copy(
            update=changes.pop("report", {})
        )
        return DeliverOrder(
            journey=self.journey.journey,
            version=self.journey.version,
            delivery=delivery,
            report=report,
            **changes,
        )

    async def deliver(
        self, order: DeliverOrder | None = None, *, after: timedelta = timedelta(0)
    ) -> Outcome:
        """One attempt, `after` the step's time."""
        return await deliver(self.desk, Attempt(order or self.order(), NOW + after))

    async def message(self, order: DeliverOrder | None = None) -> Message | None:
        """The row of an order's occurrence."""
        delivery = (order or self.order()).delivery
        key = message_key(self.enrollment, delivery.step, delivery.occurrence)
        async with self.database.reading() as session:
            return await messages.get_by_key(session, key)

    async def row(self, order: DeliverOrder | None = None) -> Message:
        """The same, where there must be one."""
        found = await self.message(order)
        assert found is not None
        return found

    async def in_store(self) -> Enrollment:
        """The enrollment, as the store has it."""
        async with self.database.reading() as session:
            found = await enrollments.get(session, self.enrollment)
        assert found is not None
        return found

    async def exit(self) -> None:
        """The API accepts an exit event."""
        async with self.database.transaction() as session:
            await customers.lock(session, self.customer_id, NOW)
            row = await enrollments.get(session, self.enrollment)
            assert row is not None
            row.state, row.ended_at, row.ended_by = EnrollmentState.EXITED, NOW, "trial_cancelled"

    async def change(self, **values: Any) -> None:
        """A person changes the enrollment's row: `paused_at`, `skipped_steps`."""
        async with self.database.transaction() as session:
            await customers.lock(session, self.customer_id, NOW)
            row = await enrollments.get(session, self.enrollment)
            assert row is not None
            for name, value in values.items():
                setattr(row, name, value)

    async def traits(self, **traits: Any) -> None:
        """The app says something new about the customer."""
        async with self.database.transaction() as session:
            customer = await customers.lock(session, self.customer_id, NOW)
            customer.traits = {**customer.traits, **traits}

    async def unsubscribe(self, topic: str | None = "onboarding") -> None:
        """The customer leaves a topic."""
        async with self.database.transaction() as session:
            await customers.lock(session, self.customer_id, NOW)
            await say(session, self.customer_id, ConsentState.UNSUBSCRIBED, topic)

    async def suppress(self, address: str = "ann@acme.example") -> None:
        """Nothing may be sent to the address any more."""
        async with self.database.transaction() as session:
            await suppressions.add(
                session,
                Suppression(
                    channel="email", address=address, reason="bounced", at=NOW, source="test"
                ),
            )

    async def publish(
        self,
        texts: Mapping[str, Mapping[str, str]] | None = None,
        rules: Policy | None = None,
    ) -> None:
        """Publish other texts, another policy."""
        await publish(self.database, self.journey, rules or policy(), texts)

    def with_provider(self, provider: AnyProvider) -> "Office":
        return replace(self, provider=provider)


async def say(session: AsyncSession, customer: str, state: ConsentState, topic: str | None) -> None:
    """The customer says whether they want to be written to."""
    await consents.append(
        session, Consent(customer_id=customer, topic=topic, state=state, source="test", at=NOW)
    )


async def publish(
    database: Database,
    what: Journey,
    rules: Policy,
    texts: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Publish one journey with its messages."""
    folders = {"tip": TIP, "coupon": COUPON} if texts is None else texts
    sources = {
        name: MessageSource(name, dict(files), {}).to_dict() for name, files in folders.items()
    }
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=[what],
            policy=rules,
            messages={what.journey: sources},
            at=START,
            by="test",
        )


async def enroll(
    session: AsyncSession,
    what: Journey,
    customer_id: str = "c1",
    traits: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Enrollment:
    """A customer, and their open enrollment."""
    customer = await customers.lock(session, customer_id, START)
    await use(session, customer, START)
    given = {"email": "ann@acme.example", "name": "Ann"} if traits is None else traits
    merge_traits(customer, given, START)
    values: dict[str, Any] = {
        "id": enrollment_id(what.journey, customer_id),
        "customer_id": customer_id,
        "journey": what.journey,
        "version": what.version,
        "start_event_id": f"start-{customer_id}",
        "start_at": START,
        "entered_at": START,
        **changes,
    }
    row = Enrollment(**values)
    assert await enrollments.insert(session, row)
    return row


async def open_office(
    database: Database,
    provider: Any = None,
    *,
    what: Journey | None = None,
    rules: Policy | None = None,
    texts: Mapping[str, Mapping[str, str]] | None = None,
    traits: Mapping[str, Any] | None = None,
    **enrollment: Any,
) -> Office:
    """Publish, enroll, and be ready to deliver."""
    what = what or journey()
    await publish(database, what, rules or policy(), texts)
    async with database.transaction() as session:
        await enroll(session, what, traits=traits, **enrollment)
    return Office(database, provider or FakeProvider(), what)

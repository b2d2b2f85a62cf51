"""What is known when a step is to be decided, read from the store in one session.

Only what the question needs is read: past events that a condition names, messages only
where a cap or a condition asks about them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from engine import gate
from engine.definition import Journey, Step
from engine.orders import DeliverOrder
from engine.policy import Policy
from engine.routing import zone_of
from rendering.conditions import compile_condition, evaluate
from rendering.errors import TemplateError
from rendering.messages import MessageSource
from store import consents, customers, enrollments, events, journeys, messages, suppressions
from store.journeys import Published
from store.tables import ConsentState, Customer, Enrollment, Event, Message


@dataclass(frozen=True)
class Case:
    """Everything about one delivery, as the store has it at one moment.

    `message` is the row of this occurrence, if an earlier attempt made one.
    """

    enrollment: Enrollment
    customer: Customer
    journey: Journey
    step: Step
    published: Published
    fired_by: Event | None
    message: Message | None
    occasion: gate.Occasion
    facts: gate.Customer
    zone: str

    @property
    def policy(self) -> Policy:
        return self.published.policy

    def source(self, message: str) -> MessageSource:
        """The newest published text of a message folder. Raises TemplateError if it is gone."""
        try:
            return _sources(self.published, self.journey.journey)[message]
        except KeyError:
            raise TemplateError("this message is no longer published", file=message) from None


async def read_case(session: AsyncSession, order: DeliverOrder, key: str) -> Case | None:
    """The case of an order; None if the store knows no such enrollment."""
    enrollment = await enrollments.get(session, order.report.enrollment_id)
    published = await journeys.newest_publication(session)
    if enrollment is None or published is None:
        return None
    customer = await customers.get(session, enrollment.customer_id)
    assert customer is not None  # an enrollment's customer exists
    journey = await journeys.version(session, order.journey, order.version)
    step = journey.step(order.delivery.step)
    fired_by = (
        await events.get(session, order.delivery.event_id) if order.delivery.event_id else None
    )
    occasion = gate.Occasion(
        journey=journey,
        step=step,
        enrollment=enrollment.id,
        start_at=enrollment.start_at,
        key=enrollment.key,
        event=enrollment.start_properties if fired_by is None else fired_by.properties,
        delivery=order.delivery,
        channels={n: s.channels for n, s in _sources(published, journey.journey).items()},
    )
    return Case(
        enrollment=enrollment,
        customer=customer,
        journey=journey,
        step=step,
        published=published,
        fired_by=fired_by,
        message=await messages.get_by_key(session, key),
        occasion=occasion,
        facts=await _facts(session, occasion, customer, published.policy, key),
        zone=zone_of(customer.traits, customer.context_timezone, published.policy.timezone)[0],
    )


# Message folders parsed, by publication and journey: named by what they hold, so never stale.
_parsed: dict[tuple[str, str], Mapping[str, MessageSource]] = {}
_MOST_PARSED = 200  # publications in use times journeys; a journey's folders take some 100 KB


def _sources(published: Published, journey: str) -> Mapping[str, MessageSource]:
    """The newest text of every message folder of a journey."""
    known = _parsed.get((published.content_hash, journey))
    if known is None:
        folders = published.messages.get(journey, {})
        known = {name: MessageSource.from_dict(folder) for name, folder in folders.items()}
        if len(_parsed) >= _MOST_PARSED:
            _parsed.clear()
        _parsed[published.content_hash, journey] = known
    return known


async def _facts(
    session: AsyncSession,
    occasion: gate.Occasion,
    customer: Customer,
    policy: Policy,
    key: str,
) -> gate.Customer:
    said = await consents.of_customer(session, customer.id)
    addresses = _addresses(occasion, customer.traits)
    bad = await suppressions.suppressed_among(session, addresses) if addresses else frozenset()
    past = await _past_events(session, occasion, customer)

    def subscribed(channel: str, topic: str) -> bool | None:
        state = consents.state_of(said, channel, topic)
        return None if state is None else state is ConsentState.SUBSCRIBED

    return gate.Customer(
        id=customer.id,
        traits=customer.traits,
        last_activity_at=_last_activity(occasion, customer, past),
        events=past,
        messages=await _past_messages(session, occasion, customer, policy, key),
        subscribed=subscribed,
        suppressed=lambda channel, address: (channel, address) in bad,
    )


def _addresses(occasion: gate.Occasion, traits: Mapping[str, Any]) -> set[tuple[str, str]]:
    channels = {channel for each in occasion.channels.values() for channel in each}
    found = ((channel, gate.address_of(traits, channel)) for channel in sorted(channels))
    return {(channel, address) for channel, address in found if address is not None}


async def _past_events(
    session: AsyncSession, occasion: gate.Occasion, customer: Customer
) -> tuple[gate.PastEvent, ...]:
    names = {match.event for match in occasion.step.unless}
    if occasion.step.when is not None:
        names |= compile_condition(occasion.step.when).event_names
    if occasion.delivery.idle_since is not None:
        names |= {match.event for match in occasion.journey.activity}
    found = await events.happened(session, customer.id, names) if names else []
    if _any_activity_by_key(occasion):
        known = {event.message_id for event in found}
        newest = await events.newest(session, customer.id)
        found = [*found, *(event for event in newest if event.message_id not in known)]
    return tuple(
        gate.PastEvent(
            name=event.name or event.kind, at=event.occurred_at, properties=event.properties
        )
        for event in found
    )


def _any_activity_by_key(occasion: gate.Occasion) -> bool:
    """Any event counts as activity, but only with this enrollment's key, or with none."""
    return (
        occasion.delivery.idle_since is not None
        and not occasion.journey.activity
        and occasion.key is not None
    )


def _last_activity(
    occasion: gate.Occasion, customer: Customer, past: tuple[gate.PastEvent, ...]
) -> datetime | None:
    if occasion.delivery.idle_since is None or not (
        occasion.journey.activity or _any_activity_by_key(occasion)
    ):
        return customer.last_seen_at
    return gate.last_activity(occasion.journey, occasion.key, past, customer.traits, evaluate)


async def _past_messages(
    session: AsyncSession,
    occasion: gate.Occasion,
    customer: Customer,
    policy: Policy,
    key: str,
) -> tuple[gate.PastMessage, ...]:
    """What went out before, as far as caps or the step's condition look back."""
    asks = occasion.step.when is not None and compile_condition(occasion.step.when).step_ids
    if not asks and not policy.caps:
        return ()
    rows = await messages.sent_since(session, customer.id)
    return tuple(
        gate.PastMessage(
            enrollment=row.enrollment_id,
            step=row.step,
            at=row.decided_at,
            channel=row.channel or "",
            topic=row.topic,
        )
        for row in rows
        if row.key != key
    )

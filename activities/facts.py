"""What the gate wants to know of a customer, and no more than this step's questions need.

Decides which questions need which rows; the answers are the gate's. The surprising fact: most
steps ask for nothing but consent and suppression, and then those are all that is read.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from activities import places
from engine import gate, matching
from engine.expressions import Term
from engine.localtime import OutOfRange, shift, zone
from engine.places import Whereabouts
from engine.policy import Policy
from engine.reached import reached
from rendering.conditions import compile_condition, evaluate
from store import consents, delivery_events, events, messages, suppressions
from store.activity import last_activity
from store.deliveries import Rows
from store.tables import ConsentState

# Caps look back by the customer's calendar, and a month back is not always the month forward:
# a few days more are read, and the gate counts exactly.
_MARGIN = timedelta(days=4)

# `store.delivery_events` keeps the provider's word for it.
_CLICKED = "clicked"


async def customer_facts(
    session: AsyncSession, occasion: gate.Occasion, rows: Rows, policy: Policy
) -> gate.Customer:
    """The customer as the gate sees them."""
    customer = rows.customer
    is_asked = rows.has_spoken and occasion.journey.topic_of(occasion.step) is not None
    said = await consents.of_customer(session, customer.id) if is_asked else []
    addresses = _addresses(occasion, rows.traits)
    if rows.message is not None and rows.message.channel and rows.message.address:
        addresses.add((rows.message.channel, rows.message.address))
    bad = await suppressions.suppressed_among(session, addresses) if addresses else frozenset()

    def subscribed(channel: str, topic: str) -> bool | None:
        state = consents.state_of(said, channel, topic)
        return None if state is None else state is ConsentState.SUBSCRIBED

    return gate.Customer(
        id=customer.id,
        traits=rows.traits,
        last_activity_at=await _last_activity(session, occasion, rows),
        events=await _past_events(session, occasion, customer.id),
        messages=await _past_messages(session, occasion, rows, policy),
        subscribed=subscribed,
        suppressed=lambda channel, address: (channel, address) in bad,
        read_phone=places.e164,
        where=Whereabouts(rows.traits, customer.context_timezone, policy.timezone, places),
    )


def _addresses(occasion: gate.Occasion, traits: Mapping[str, Any]) -> set[tuple[str, str]]:
    channels = {channel for each in occasion.channels.values() for channel in each}
    channels |= set(occasion.step.channels or ())
    found = ((channel, reached(traits, channel, places.e164)) for channel in sorted(channels))
    return {(channel, at.address) for channel, at in found if at is not None}


async def _last_activity(
    session: AsyncSession, occasion: gate.Occasion, rows: Rows
) -> datetime | None:
    if occasion.delivery.idle_since is None:
        return None  # nobody asks
    return await last_activity(
        session, rows.customer, rows.traits, occasion.journey, occasion.key, evaluate
    )


async def _past_events(
    session: AsyncSession, occasion: gate.Occasion, customer_id: str
) -> tuple[matching.PastEvent, ...]:
    """The events that `unless` and `when` name."""
    names = {match.event for match in occasion.step.unless}
    if occasion.step.when is not None:
        names |= compile_condition(occasion.step.when).event_names
    if not names:
        return ()
    return tuple(
        matching.PastEvent(name=event.name or "", at=event.occurred_at, properties=event.properties)
        for event in await events.happened(session, customer_id, names)
    )


async def _past_messages(
    session: AsyncSession, occasion: gate.Occasion, rows: Rows, policy: Policy
) -> tuple[gate.PastMessage, ...]:
    """What went out before, as far back as caps or the step's condition look."""
    when = occasion.step.when
    asks = when is not None and bool(compile_condition(when).step_ids)
    is_capped = bool(policy.caps) and occasion.journey.topic_of(occasion.step) is not None
    if not asks and not is_capped:
        return ()
    since = _looks_back_to(occasion, policy, whole_enrollment=asks)
    customer_id = rows.customer.id
    sent = await messages.sent_since(session, customer_id, since)
    clicked = await delivery_events.messages_with(session, customer_id, _CLICKED) if asks else ()
    return tuple(
        gate.PastMessage(
            enrollment=row.enrollment_id,
            step=row.step,
            at=row.decided_at,
            channel=row.channel or "",
            topic=row.topic,
            clicked=row.key in clicked,
        )
        for row in sent
        if rows.message is None or row.key != rows.message.key
    )


def _looks_back_to(
    occasion: gate.Occasion, policy: Policy, *, whole_enrollment: bool
) -> datetime | None:
    """Nothing before this is asked about; None where that can't be told."""
    at, tz = occasion.delivery.at, zone(occasion.delivery.zone)
    assert tz is not None  # the machine computes in zones that exist
    starts = [occasion.start_at] if whole_enrollment else []
    for cap in policy.caps:
        back = tuple(Term(-term.count, term.unit) for term in cap.per.terms)
        try:
            starts.append(shift(at, back, tz))
        except OutOfRange:
            return None
    return min(starts) - _MARGIN

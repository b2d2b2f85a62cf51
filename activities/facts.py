"""What the gate wants to know of a customer, and no more than this step's questions need.

Decides which questions need which rows; the answers are the gate's. The surprising fact: most
steps ask for nothing but what `store.standing` has, and then one statement reads it all.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from activities import places
from activities.traffic import ChannelsOf, past_asked, upcoming
from engine import gate, matching
from engine.consent import state_of
from engine.orders import Next
from engine.places import Whereabouts
from engine.policy import Policy
from engine.reached import reached
from rendering.conditions import compile_condition, evaluate
from store import events, standing
from store.activity import last_activity
from store.deliveries import Rows


async def customer_facts(
    session: AsyncSession,
    occasion: gate.Occasion,
    rows: Rows,
    policy: Policy,
    following: Next | None,
    channels_of: ChannelsOf,
    segments: frozenset[str] = frozenset(),
) -> gate.Customer:
    """The customer as the gate sees them, who is in these `segments`.

    `following` is what comes next in this enrollment.
    """
    customer = rows.customer
    addresses = _addresses(occasion, rows.traits)
    if rows.message is not None and rows.message.channel and rows.message.address:
        addresses.add((rows.message.channel, rows.message.address))
    found = await standing.read(
        session,
        customer.id,
        said=rows.has_spoken and occasion.journey.topic_of(occasion.step) is not None,
        past=past_asked(occasion, rows, policy),
        addresses=addresses,
    )
    return gate.Customer(
        id=customer.id,
        traits=rows.traits,
        last_activity_at=await _last_activity(session, occasion, rows),
        events=await _past_events(session, occasion, customer.id),
        messages=found.sent,
        said=partial(state_of, found.said),
        words=found.said,
        suppressed=lambda channel, address: (channel, address) in found.blocked,
        read_phone=places.e164,
        upcoming=await upcoming(
            session, occasion, rows, policy, found.sent, following, channels_of
        ),
        segments=segments,
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

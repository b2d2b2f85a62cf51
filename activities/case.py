"""One delivery as the store has it at one moment: the rows, what they mean to the gate, the text.

Decides nothing. Only what the question needs is read: this is the most frequent read of all.
The surprising fact: it is read twice, before the wording and under the customer's lock, and
only the second one counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from activities.desk import Attempt, Desk
from activities.facts import customer_facts
from engine import gate
from engine.definition import Journey, Offer, Step
from engine.policy import Policy
from engine.routing import zone_of
from engine.seen import Seen
from engine.stops import Target
from rendering.computed import computations_of
from rendering.conditions import compile_condition, evaluate
from rendering.errors import TemplateError
from rendering.messages import MessageSource
from store import broadcasts, computed, deliveries, events, journeys
from store.deliveries import Rows
from store.journeys import Published
from store.tables import BroadcastState, Customer, Enrollment, Message


@dataclass(frozen=True)
class Case:
    """Everything about one delivery. `message` is the row of its key, if there is one yet."""

    enrollment: Enrollment
    customer: Customer
    traits: Mapping[str, Any]
    journey: Journey
    step: Step
    published: Published
    message: Message | None
    occasion: gate.Occasion
    facts: gate.Customer
    zone: str
    stopped: tuple[Target, ...] = ()
    broadcast: BroadcastState | None = None  # how the broadcast stands that it is a message of

    @property
    def policy(self) -> Policy:
        return self.published.policy

    @property
    def topic(self) -> str | None:
        """The topic the message belongs to; None if it is transactional."""
        return self.journey.topic_of(self.step)

    @property
    def terms(self) -> Offer | None:
        """What the customer's message offers them, as the journey says it."""
        return gate.offer_for(self.journey, self.step, self.facts.id)

    @property
    def at(self) -> datetime:
        """The time of the decision: the engine's."""
        return self.occasion.delivery.at

    def source(self, message: str) -> MessageSource:
        """The newest published text of a message folder. Raises TemplateError if it is gone."""
        try:
            return _sources(self.published, self.journey.journey)[message]
        except KeyError:
            raise TemplateError("this message is no longer published", file=message) from None

    def reads_like(self, other: "Case") -> bool:
        """Whether a message worded for the one is right for the other."""
        return (
            self.traits == other.traits
            and self.customer.context_locale == other.customer.context_locale
            and self.zone == other.zone
            and self.published.content_hash == other.published.content_hash
        )


async def read_case(session: AsyncSession, desk: Desk, attempt: Attempt) -> Case | None:
    """The case of an attempt; None if the store knows no such enrollment."""
    order = attempt.order
    found = await deliveries.read(session, order.report.enrollment_id, attempt.key)
    if found is None:
        return None
    journey = await journeys.version(session, order.journey, order.version)
    step = journey.step(order.delivery.step)
    seen = await _seen(session, found, order.delivery.at)
    rows = replace(found, traits=seen.traits)
    event_id = order.delivery.event_id
    fired_by = await events.get(session, event_id) if event_id is not None else None
    occasion = gate.Occasion(
        journey=journey,
        step=step,
        enrollment=rows.enrollment.id,
        start_at=rows.enrollment.start_at,
        key=rows.enrollment.key,
        event=rows.enrollment.start_properties if fired_by is None else fired_by.properties,
        delivery=order.delivery,
        channels=_channels(rows.published, journey, step, desk),
    )
    policy = rows.published.policy
    return Case(
        enrollment=rows.enrollment,
        customer=rows.customer,
        traits=rows.traits,
        journey=journey,
        step=step,
        published=rows.published,
        message=rows.message,
        occasion=occasion,
        facts=await customer_facts(
            session,
            occasion,
            rows,
            policy,
            order.report.next,
            lambda other, due: _channels(rows.published, other, due, desk),
            seen.segments if _asks_for_segments(step) else frozenset(),
        ),
        zone=zone_of(rows.customer.traits, rows.customer.context_timezone, policy.timezone)[0],
        stopped=rows.stopped,
        broadcast=await _broadcast(session, rows.enrollment),
    )


async def _seen(session: AsyncSession, rows: Rows, at: datetime) -> Seen:
    """The customer as of the delivery's own time."""
    policy = rows.published.policy
    by = computations_of(policy)
    return await computed.seen(
        session, rows.customer, rows.traits, rows.computed, by, policy.timezone, at, evaluate
    )


def _asks_for_segments(step: Step) -> bool:
    return step.when is not None and bool(compile_condition(step.when).segments)


async def _broadcast(session: AsyncSession, enrollment: Enrollment) -> BroadcastState | None:
    if enrollment.broadcast_id is None:
        return None
    return await broadcasts.state_of(session, enrollment.broadcast_id)


def _channels(
    published: Published, journey: Journey, step: Step, desk: Desk
) -> Mapping[str, tuple[str, ...]]:
    """By which channels the step's messages can go: those that somebody carries, if any does.

    A folder that is no longer published counts as an e-mail, so that the gate has its say
    before `Case.source` tells of it.
    """
    sources = _sources(published, journey.journey)
    found: dict[str, tuple[str, ...]] = {}
    for message in step.messages:
        has = sources[message].channels if message in sources else ("email",)
        found[message] = tuple(c for c in has if c in desk.providers) or has
    return found


# Message folders parsed, by publication and journey: named by what they hold, so never stale.
_parsed: dict[tuple[str, str], Mapping[str, MessageSource]] = {}
_MOST_PARSED = 200  # publications in use times journeys; a journey's folders take some 100 KB


def _sources(published: Published, journey: str) -> Mapping[str, MessageSource]:
    """The newest text of every message folder of a journey."""
    known = _parsed.get((published.content_hash, journey))
    if known is None:
        folders: Mapping[str, Any] = published.messages.get(journey, {})
        known = {name: MessageSource.from_dict(folder) for name, folder in folders.items()}
        if len(_parsed) >= _MOST_PARSED:
            _parsed.clear()
        _parsed[published.content_hash, journey] = known
    return known

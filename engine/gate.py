"""The one gate: whether a message may go out now, by which channel, or why not.

It is given facts and conditions and looks nothing up, so `deliver` and the simulator ask
the same questions in the same order (design, "Delivering", step 2). Transactional messages
pass consent, quiet hours and caps; nothing passes suppression or a missing address.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine import caps
from engine.caps import PastMessage, Upcoming
from engine.consent import ConsentState, Word
from engine.definition import Journey, Offer, Step, Variant
from engine.enrollment import Delivery, NotBefore, Settled
from engine.expressions import Duration
from engine.localtime import zone
from engine.matching import Evaluate, History, PastEvent, concerns, matches
from engine.places import Whereabouts
from engine.policy import Policy
from engine.quiet import loud_from
from engine.reached import ReadPhone, reached, written_e164
from engine.reasons import Decision, Reason
from engine.sampling import draw, held_out
from engine.spans import Span

# What a step goes by that reaches no person: it sets traits, withdraws consent, calls the app.
TRAITS, CONSENT, WEBHOOK = "traits", "consent", "webhook"

# What nobody carries anywhere: it is taken in by ourselves, as the app's own call would be.
OWN = frozenset({TRAITS, CONSENT})

# The trait in which customers say how they want to be reached: one channel, or some in order.
_PREFERENCE = "preferred_channel"


@dataclass(frozen=True)
class Customer:
    """The customer as the gate sees them, freshly read.

    `events` holds the past events that the journey's conditions name (see `looks_at`).
    `said` answers a (channel, topic) with what the customer said, or None if nothing.
    `suppressed` says whether an address may not be written to. `read_phone` knows how phone
    numbers are written. `where` is None where only the zone of the delivery is known.
    `upcoming` is what else is due to them, where it may bear on a cap. `words` is all they
    said about being written to, oldest first. `segments` are those that they are in.
    """

    id: str
    traits: Mapping[str, Any]
    last_activity_at: datetime | None
    events: tuple[PastEvent, ...]
    messages: tuple[PastMessage, ...]
    said: Callable[[str, str], ConsentState | None]
    suppressed: Callable[[str, str], bool]
    read_phone: ReadPhone = written_e164
    where: Whereabouts | None = None
    upcoming: tuple[Upcoming, ...] = ()
    words: Sequence[Word] = ()
    segments: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Occasion:
    """What is to be decided: a delivery of a step, of an enrollment, of a journey.

    `event` holds the properties of the event the step comes from: the one that fired it,
    else the one that enrolled. `channels` maps each message folder to those it has.
    """

    journey: Journey
    step: Step
    enrollment: str
    start_at: datetime
    key: str | None
    event: Mapping[str, Any]
    delivery: Delivery
    channels: Mapping[str, tuple[str, ...]]
    start_event: Mapping[str, Any] = field(default_factory=dict)  # of the event that enrolled


@dataclass(frozen=True)
class Go:
    """It may go out: this message, by this channel, to this address.

    `intended` is whose it was, where `address` stands in for everybody (outside production).
    """

    message: str
    channel: str
    address: str
    topic: str | None
    intended: str | None = None


Verdict = Go | Settled | NotBefore


def decide(occasion: Occasion, customer: Customer, policy: Policy, evaluate: Evaluate) -> Verdict:
    """The verdict on one delivery, at its own time. Raises ConditionFailed."""
    return (
        _still_active(occasion, customer)
        or _called_off(occasion, customer, evaluate)
        or _held_out(occasion, customer, policy)
        or _by_some_channel(occasion, customer, policy)
    )


def refusal(
    occasion: Occasion, customer: Customer, policy: Policy, channel: str, address: str
) -> Reason | None:
    """Why a message that may be out already must not be handed over again; None if it may.

    What is asked before every further attempt: not what the customer did meanwhile, but
    whether they may still be written to. A call reaches no person, so nobody is asked.
    """
    if not occasion.step.messages:
        return None
    topic = occasion.journey.topic_of(occasion.step)
    if topic is not None and (refused := _consent(customer, policy, channel, topic)):
        return refused
    return Reason.SUPPRESSED if customer.suppressed(channel, address) else None


def choose_message(occasion: Occasion, customer_id: str) -> str:
    """The message folder of the step: its own, or that of the variant drawn for the customer."""
    variant = _drawn(occasion.journey, occasion.step, customer_id)
    if variant is not None:
        return variant.send
    assert occasion.step.send is not None
    return occasion.step.send


def offer_for(journey: Journey, step: Step, customer_id: str) -> Offer | None:
    """What the message that `choose_message` gives offers this customer."""
    return step.offer_of(_drawn(journey, step, customer_id))


def _drawn(journey: Journey, step: Step, customer_id: str) -> Variant | None:
    if step.variants is None:
        return None
    weights = {name: variant.weight for name, variant in step.variants.items()}
    return step.variants[draw(weights, journey.journey, step.id, customer_id)]


def _still_active(occasion: Occasion, customer: Customer) -> NotBefore | None:
    delivery = occasion.delivery
    if delivery.idle_since is None or delivery.forced:
        return None
    last = max(occasion.start_at, customer.last_activity_at or occasion.start_at)
    if last > delivery.idle_since or delivery.spell_settled:
        return NotBefore(last_activity_at=last)
    return None


def _called_off(occasion: Occasion, customer: Customer, evaluate: Evaluate) -> Settled | None:
    step = occasion.step
    since = occasion.start_at
    for match in step.unless:
        for event in customer.events:
            if (
                event.at >= since
                and concerns(occasion.journey, occasion.key, event)
                and matches(match, event, customer.traits, evaluate)
            ):
                return _not(Reason.UNLESS)
    if step.when is not None and not evaluate(
        step.when, customer.traits, occasion.event, _history(occasion, customer)
    ):
        return _not(Reason.CONDITION)
    return None


def _history(occasion: Occasion, customer: Customer) -> History:
    at = occasion.delivery.at
    tz = zone(occasion.delivery.zone)
    assert tz is not None  # the machine computes in zones that exist

    def count(name: str, within: Duration | None) -> int:
        done = [event.at for event in customer.events if event.name == name]
        if within is None:
            return len(done)
        span = Span(within)
        return sum(span.counts(each, at, tz) for each in done)

    mine = [m for m in customer.messages if m.enrollment == occasion.enrollment]
    return History(
        count=count,
        sent=lambda step: any(m.step == step for m in mine),
        clicked=lambda step: any(m.step == step and m.clicked for m in mine),
        inside=lambda segment: segment in customer.segments,
    )


def _held_out(occasion: Occasion, customer: Customer, policy: Policy) -> Settled | None:
    if occasion.journey.topic_of(occasion.step) is None:
        return None  # transactional: never held out
    if held_out(policy.holdout, "", customer.id) or held_out(
        occasion.journey.holdout, occasion.journey.journey, customer.id
    ):
        return _not(Reason.HOLDOUT)
    return None


def _by_some_channel(occasion: Occasion, customer: Customer, policy: Policy) -> Verdict:
    """The first channel, in the customer's order and then the step's, that lets it out.

    Else the wait for the one that is free first; else the first refusal, where that of a
    channel by which the customer can't be reached at all says least.
    """
    if occasion.step.send is None and occasion.step.variants is None:
        return _without_channel(occasion, customer, policy)
    message = choose_message(occasion, customer.id)
    waits: list[NotBefore] = []
    refusals: list[Settled] = []
    for channel in _channels(occasion, customer, message):
        match _by_channel(occasion, customer, policy, message, channel):
            case Go() as go:
                return go
            case NotBefore() as wait:
                waits.append(wait)
            case Settled() as refusal:
                refusals.append(refusal)
    if waits:
        return min(waits, key=lambda wait: wait.until or occasion.delivery.at)
    refusals.sort(key=lambda refusal: refusal.reason is Reason.NO_ADDRESS)
    return refusals[0] if refusals else _not(Reason.NO_ADDRESS)


def _channels(occasion: Occasion, customer: Customer, message: str) -> tuple[str, ...]:
    """Those to try, in order. What the customer wishes for counts among what the step allows."""
    has = occasion.channels[message]
    allowed = occasion.step.channels or has
    carried = tuple(channel for channel in allowed if channel in has) or allowed
    said = customer.traits.get(_PREFERENCE)
    wishes = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    first = tuple(dict.fromkeys(wish for wish in wishes if wish in carried))
    return (*first, *(channel for channel in carried if channel not in first))


def _without_channel(occasion: Occasion, customer: Customer, policy: Policy) -> Go:
    """These reach no person, so nobody is asked for consent or left in peace."""
    step = occasion.step
    if step.call is None:
        channel = TRAITS if step.set is not None else CONSENT
        return Go(message=step.id, channel=channel, address=customer.id, topic=None)
    hook = policy.webhooks.get(step.call)
    address = hook.url if hook is not None else step.call
    return Go(message=step.call, channel=WEBHOOK, address=address, topic=None)


def _by_channel(
    occasion: Occasion, customer: Customer, policy: Policy, message: str, channel: str
) -> Verdict:
    topic = occasion.journey.topic_of(occasion.step)
    if topic is not None and (refusal := _consent(customer, policy, channel, topic)):
        return _not(refusal)
    found = reached(customer.traits, channel, customer.read_phone)
    if found is None:
        return _not(Reason.NO_ADDRESS)
    if customer.suppressed(channel, found.address):
        return _not(Reason.SUPPRESSED)
    if not found.is_valid:
        return _not(Reason.INVALID_ADDRESS)
    if topic is not None:
        held = _quiet(occasion, customer, policy, channel) or _capped(
            occasion, customer, policy, channel, topic
        )
        if held is not None:
            return held
    return Go(message=message, channel=channel, address=found.address, topic=topic)


def _consent(customer: Customer, policy: Policy, channel: str, topic: str) -> Reason | None:
    match customer.said(channel, topic):
        case ConsentState.SUBSCRIBED:
            return None
        case ConsentState.UNSUBSCRIBED:
            return Reason.UNSUBSCRIBED
        case ConsentState.PENDING:
            return Reason.NO_CONSENT
    known = policy.topics.get(topic)
    return None if known is not None and known.subscribed else Reason.NO_CONSENT


def _quiet(
    occasion: Occasion, customer: Customer, policy: Policy, channel: str
) -> Settled | NotBefore | None:
    delivery = occasion.delivery
    loud = loud_from(occasion.step, delivery, policy.quiet_hours.get(channel), customer.where)
    if loud == delivery.at:
        return None
    return _not(Reason.QUIET_HOURS) if loud is None else _later(occasion, loud, Reason.QUIET_HOURS)


def _capped(
    occasion: Occasion, customer: Customer, policy: Policy, channel: str, topic: str
) -> Settled | NotBefore | None:
    """When every cap leaves room, and leaves some to those who go first."""
    delivery, priority = occasion.delivery, occasion.journey.priority_of(occasion.step)
    mine = Upcoming(occasion.enrollment, occasion.step.id, delivery.at, priority, topic, (channel,))
    wanted = [each for each in customer.upcoming if _may_get(customer, policy, each)]
    tz = zone(delivery.zone)
    assert tz is not None
    free = caps.free_at(policy.caps, mine, tz, customer.messages, wanted)
    return None if free <= delivery.at else _later(occasion, free, Reason.CAPPED)


def _may_get(customer: Customer, policy: Policy, other: Upcoming) -> bool:
    """Whether consent lets it out by some channel; one that it does not wants no room."""
    return any(_consent(customer, policy, each, other.topic) is None for each in other.channels)


def _later(occasion: Occasion, at: datetime, reason: Reason) -> Settled | NotBefore:
    """Hold it until then, or settle it now if its grace will have passed."""
    if at > occasion.delivery.until:
        return _not(reason)
    return NotBefore(until=at, reason=reason)


def _not(reason: Reason) -> Settled:
    return Settled(decision=Decision.NOT_SENT, reason=reason)

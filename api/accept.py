"""Accepting calls: one transaction in which everything they change is written, then the 200.

Rules for whoever edits this next:

1. Customers are locked first, all of a request at once, in order of id.
2. The unique `message_id` decides what is new, not a look beforehand. A repeat does nothing.
3. Routing decides (`engine.routing`); here its effects are carried out, in their order.
4. What ends an enrollment closes it here, in the same transaction. Temporal hears later.
5. A condition that fails never fails the call.
6. Nothing in here waits for Temporal.

The one surprising fact: a batch is taken in the order in which things happened, customer by
customer, not in the order in which it lists them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from api.by_hand import enroll_by_hand
from api.carrying import Carrier
from api.conditions import NotedConditions
from api.people import Person, people
from api.services import Services
from engine.calls import Call, ChangeConsent, EnrollByHand, Identify, Track
from engine.events import BuiltInEvent
from engine.routing import route_identify
from store import consents, customers, events, journeys
from store.json_text import keepable
from store.tables import Consent, ConsentState, Event, EventKind


@dataclass(frozen=True)
class Said:
    """How consent was given or withdrawn: where, by whom (None: the customer), in what words."""

    source: str = "api"
    actor: str | None = None
    wording: str | None = None
    basis: str | None = None


@dataclass(frozen=True)
class Accepted:
    """What became of a request.

    `new` are the message ids that were not known before; `enrolled` the ids of enrollments
    that began; `carried` counts what Temporal has to hear.
    """

    new: frozenset[str]
    enrolled: tuple[str, ...] = ()
    carried: int = 0


async def accept(
    services: Services, calls: Sequence[Call], received_at: datetime, said: Said | None = None
) -> Accepted:
    """Accept calls that were received at `received_at` (journey time), durably.

    Raises NoSuchJourneyError, AlreadyEnrolledError or NoKeyError for an EnrollByHand, and
    then nothing of the request is accepted.
    """
    async with services.database.transaction() as session:
        accepted = await accept_in(session, services, calls, received_at, said)
    if accepted.carried:
        services.woken.set()
    return accepted


async def accept_in(
    session: AsyncSession,
    services: Services,
    calls: Sequence[Call],
    received_at: datetime,
    said: Said | None = None,
) -> Accepted:
    """`accept` inside a transaction of the caller's, who sets `services.woken` after it."""
    if not calls:
        return Accepted(new=frozenset())
    calls = [_keepable(call) for call in calls]
    published = await journeys.newest_publication(session)
    ids = {call.customer_id for call in calls}
    locked = await customers.lock_many(session, ids, services.wall())
    new = await events.accept(session, list(_event_rows(calls, received_at)))
    fresh = _fresh(calls, new)
    carrier = Carrier(session, services, published, NotedConditions(services.evaluate), received_at)
    for person in await people(session, locked.values(), published):
        mine = fresh.get(person.row.id, [])
        person.waiting = {call.message_id for call in mine}
        for call in sorted(mine, key=lambda call: call.at):
            await _take(carrier, person, call, said or Said())
            person.waiting.discard(call.message_id)
    await carrier.writing.write()
    return Accepted(new=new, enrolled=tuple(carrier.enrolled), carried=carrier.carried)


def _keepable(call: Call) -> Call:
    """The call as the store will hand it back: keys, anchors and conditions see the same."""
    match call:
        case Identify():
            return replace(call, traits=keepable(call.traits))
        case Track() | EnrollByHand():
            return replace(call, properties=keepable(call.properties))
        case ChangeConsent():
            return call
        case _:
            assert_never(call)


def _fresh(calls: Iterable[Call], new: frozenset[str]) -> dict[str, list[Call]]:
    """The calls that are not repeats, by customer; of two with one message id the first."""
    left = set(new)
    fresh: dict[str, list[Call]] = {}
    for call in calls:
        if not isinstance(call, EnrollByHand):
            if call.message_id not in left:
                continue
            left.discard(call.message_id)
        fresh.setdefault(call.customer_id, []).append(call)
    return fresh


async def _take(carrier: Carrier, person: Person, call: Call, said: Said) -> None:
    match call:
        case Identify():
            await _identify(carrier, person, call)
        case Track():
            await _track(carrier, person, call)
        case ChangeConsent():
            await _change_consent(carrier, person, call, said)
        case EnrollByHand():
            await enroll_by_hand(carrier, person, call)
        case _:
            assert_never(call)
    await carrier.note(call, _unknown_zone(person, call))


async def _identify(carrier: Carrier, person: Person, call: Identify) -> None:
    before, is_first = person.profile(), person.is_unseen
    customers.merge_traits(person.row, call.traits, call.at)
    _see(carrier, person, call, activity=False)
    effects = route_identify(call, before, person.profile(), person.enrolled)
    await carrier.carry_out(person, call, effects)
    await _created(carrier, person, call, is_first)


async def _track(carrier: Carrier, person: Person, call: Track) -> None:
    before, is_first = person.profile(), person.is_unseen
    _see(carrier, person, call, activity=True)
    if before.zone != person.profile().zone:
        moved = Identify(
            customer_id=call.customer_id, at=call.at, message_id=call.message_id, traits={}
        )
        effects = route_identify(moved, before, person.profile(), person.enrolled)
        await carrier.carry_out(person, moved, effects)
    await _created(carrier, person, call, is_first)
    await carrier.route(person, call)


async def _change_consent(
    carrier: Carrier, person: Person, call: ChangeConsent, said: Said
) -> None:
    is_first = person.is_unseen
    _see(carrier, person, call, activity=False)
    await consents.append(
        carrier.session,
        Consent(
            customer_id=call.customer_id,
            channel=call.channel,
            topic=call.topic,
            state=ConsentState.SUBSCRIBED if call.subscribed else ConsentState.UNSUBSCRIBED,
            basis=said.basis,
            source=said.source,
            wording=said.wording,
            at=call.at,
            actor=said.actor,
        ),
    )
    await _created(carrier, person, call, is_first)
    await carrier.route(person, _consent_event(call))


def _see(
    carrier: Carrier, person: Person, call: Identify | Track | ChangeConsent, *, activity: bool
) -> None:
    zone = None if isinstance(call, ChangeConsent) else call.timezone
    locale = None if isinstance(call, ChangeConsent) else call.locale
    customers.record_seen(person.row, call.at, activity=activity, timezone=zone, locale=locale)
    person.row.updated_at = carrier.services.wall()


async def _created(
    carrier: Carrier, person: Person, first: Identify | Track | ChangeConsent, is_first: bool
) -> None:
    """`customer.created`, with the first call of any kind."""
    if not is_first:
        return
    created = Track(
        customer_id=first.customer_id,
        at=first.at,
        message_id=f"{BuiltInEvent.CUSTOMER_CREATED}:{first.message_id}",
        event=BuiltInEvent.CUSTOMER_CREATED,
        kind=EventKind.SYSTEM,
    )
    carrier.writing.add_event(_event_row(created, carrier.received_at))
    await carrier.route(person, created)


def _unknown_zone(person: Person, call: Call) -> dict[str, Any]:
    """The flag, where this call named a zone and the customer's is unknown."""
    match call:
        case Identify():
            named = call.timezone is not None or "timezone" in call.traits
        case Track():
            named = call.timezone is not None
        case _:
            named = False
    return {"zone": "unknown"} if named and person.zone_is_unknown else {}


def _consent_event(call: ChangeConsent) -> Track:
    event = BuiltInEvent.CONSENT_GIVEN if call.subscribed else BuiltInEvent.CONSENT_WITHDRAWN
    return Track(
        customer_id=call.customer_id,
        at=call.at,
        message_id=call.message_id,
        event=event,
        properties={"topic": call.topic, "channel": call.channel},
        kind=EventKind.SYSTEM,
    )


def _event_rows(calls: Iterable[Call], received_at: datetime) -> Iterable[Event]:
    for call in calls:
        match call:
            case Identify() | Track():
                yield _event_row(call, received_at)
            case ChangeConsent():
                yield _event_row(_consent_event(call), received_at)
            case EnrollByHand():
                pass  # the enrollment itself is its record, with the audit log
            case _:
                assert_never(call)


def _event_row(call: Identify | Track, received_at: datetime) -> Event:
    context = {"timezone": call.timezone, "locale": call.locale}
    match call:
        case Identify(traits=traits):
            kind, name, properties = EventKind.IDENTIFY, None, traits
        case Track(event=event, properties=given):
            kind, name, properties = EventKind(call.kind), event, given
        case _:
            assert_never(call)
    return Event(
        message_id=call.message_id,
        customer_id=call.customer_id,
        kind=kind,
        name=name,
        properties=dict(properties),
        context={key: value for key, value in context.items() if value is not None},
        occurred_at=call.at,
        received_at=received_at,
    )

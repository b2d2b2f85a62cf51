"""Accepting calls: one transaction in which everything they change is written, then the 200.

Rules for whoever edits this next:

1. Everybody concerned is locked first, all of a request at once (`api.reach`).
2. Who is whom comes next: ids that a call joins are one customer before anything is routed.
3. The unique `message_id` decides what is new, not a look beforehand. A repeat does nothing.
4. Routing decides (`engine.routing`); here its effects are carried out, in their order.
5. What ends an enrollment closes it here, in the same transaction. Temporal hears later.
6. A condition that fails never fails the call.
7. Nothing in here waits for Temporal.

The one surprising fact: a batch is taken in the order in which things happened, customer by
customer, not in the order in which it lists them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from api.by_hand import enroll_by_hand
from api.carrying import Carrier
from api.colleagues import join_company, tell_colleagues
from api.joining import join_all
from api.people import Person, people
from api.plain import concerned_by, write_plain
from api.reach import MOST_TRIES, Locked, NotReachedError, Reach, lock, reach_of
from api.refusals import keep_with
from api.returning import NamesErasedError, come_back, recognise
from api.services import Services
from engine.calls import (
    Alias,
    Call,
    ChangeConsent,
    EnrollByHand,
    Group,
    Identify,
    SegmentCall,
    Track,
)
from engine.disposition import Flag
from engine.events import BuiltInEvent
from engine.routing import route_identify
from engine.watching import Watched
from store import consents, customers, events, journeys
from store.events import NewEvent
from store.tables import Consent, ConsentState, Customer, EventKind, RefusedCall
from store.traits import merge_traits


@dataclass(frozen=True)
class Said:
    """How consent was given or withdrawn: where, by whom (None: the customer), in what words."""

    source: str = "api"
    actor: str | None = None
    wording: str | None = None
    basis: str | None = None


# For all the calls of a request, or for each by its message id.
Sayings = Said | Mapping[str, Said]


@dataclass(frozen=True)
class Accepted:
    """What became of a request.

    `new` are the message ids that were not known before; `enrolled` the ids of enrollments
    that began; `carried` counts what Temporal has to hear. `erased` are the message ids of
    history that was refused, because somebody in it was erased.
    """

    new: frozenset[str]
    enrolled: tuple[str, ...] = ()
    carried: int = 0
    erased: frozenset[str] = frozenset()


async def accept(
    services: Services,
    calls: Sequence[Call],
    received_at: datetime,
    said: Sayings | None = None,
    refused: Sequence[RefusedCall] = (),
) -> Accepted:
    """Accept calls that were received at `received_at` (journey time), durably.

    `refused` is what else was in the request, and is kept with them. Raises
    NoSuchJourneyError, AlreadyEnrolledError or NoKeyError for an EnrollByHand, and then
    nothing of the request is accepted.
    """
    erased: frozenset[str] = frozenset()
    reach = reach_of(calls)
    for _ in range(MOST_TRIES):
        if not calls:
            await services.refusals.keep(refused)
            return Accepted(new=frozenset(), erased=erased)
        try:
            async with services.database.transaction() as session:
                accepted = await _accept(session, services, calls, received_at, said, reach)
                await keep_with(session, refused)
        except NotReachedError as short:
            reach = short.wider
            continue
        except NamesErasedError as named:
            erased |= named.message_ids
            calls = [call for call in calls if call.message_id not in erased]
            reach = reach_of(calls)
            continue
        services.metrics.accepted(calls, accepted.new)
        if accepted.carried:
            services.woken.set()
        return replace(accepted, erased=erased)
    raise RuntimeError("whom a request concerns has kept changing")


async def accept_in(
    session: AsyncSession,
    services: Services,
    calls: Sequence[Call],
    received_at: datetime,
    said: Sayings | None = None,
) -> Accepted:
    """`accept` inside a transaction of the caller's, who sets `services.woken` after it."""
    reach = reach_of(calls)
    for _ in range(MOST_TRIES):
        try:
            async with session.begin_nested():  # undone, it lets the locks go
                return await _accept(session, services, calls, received_at, said, reach)
        except NotReachedError as short:
            reach = short.wider
    raise RuntimeError("whom a request concerns has kept changing")


async def _accept(
    session: AsyncSession,
    services: Services,
    calls: Sequence[Call],
    received_at: datetime,
    said: Sayings | None,
    reach: Reach,
) -> Accepted:
    """One try. Raises NotReachedError."""
    published = await journeys.newest_publication(session)
    watched = await journeys.watched_by_all(session, published)
    locked = await lock(session, reach, watched, services.wall())
    await locked.load(session, concerned_by(calls, locked, watched))
    erased = await recognise(session, calls, locked)
    owners = {each.id: each for each in map(locked.owner, locked.rows)}
    inside = _those_inside(calls, locked, watched)
    known = await people(session, owners.values(), published, inside, locked.companies.values())
    carrier = Carrier(session, services, published, watched, locked, known, received_at)
    await join_all(carrier, calls)
    mine = [_as_named(call, locked) for call in calls]
    new = await events.accept(session, list(_event_rows(mine, received_at)))
    fresh = _fresh(mine, new)
    await write_plain(session, locked, fresh)
    theirs = {who: found for who, found in sorted(fresh.items()) if who in known}
    await come_back(carrier, theirs, erased)
    for customer_id, found in theirs.items():
        known[customer_id].waiting = {call.message_id for call in found}
    for customer_id, found in theirs.items():
        person = known[customer_id]
        for call in sorted(found, key=lambda call: call.at):
            await _take(carrier, person, call, _how_said(said, call))
            person.waiting.discard(call.message_id)
    await carrier.write()
    return Accepted(new=new, enrolled=tuple(carrier.enrolled), carried=carrier.carried)


def _as_named(call: Call, locked: Locked) -> Call:
    """The call, of the customer whom its id means."""
    if call.customer_id not in locked.rows:
        return call
    owner = locked.owner(call.customer_id).id
    return call if owner == call.customer_id else replace(call, customer_id=owner)


def _those_inside(calls: Iterable[Call], locked: Locked, watched: Watched) -> frozenset[str]:
    """Those whose enrollments these calls may concern; usually nobody."""
    inside = set(locked.members)
    for call in calls:
        if call.customer_id not in locked.rows:
            continue
        row = locked.owner(call.customer_id)
        if call.formerly or _may_concern(call, row, watched):
            inside.update(locked.owner(name).id for name in (call.customer_id, *call.formerly))
    return frozenset(inside)


def _may_concern(call: Call, row: Customer, watched: Watched) -> bool:
    if not isinstance(call, Track) or row.first_seen_at is None:
        return True
    zone_moves = call.timezone is not None and call.timezone != row.context_timezone
    return call.event in watched.events or zone_moves


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


def _how_said(said: Sayings | None, call: Call) -> Said:
    if isinstance(said, Mapping):
        return said.get(call.message_id, Said())
    return said or Said()


async def _take(carrier: Carrier, person: Person, call: Call, said: Said) -> None:
    match call:
        case ChangeConsent():
            await _change_consent(carrier, person, call, said)
        case EnrollByHand():
            await enroll_by_hand(carrier, person, call)
        case _:
            await _segment_call(carrier, person, call)


async def _segment_call(carrier: Carrier, person: Person, call: SegmentCall) -> None:
    before = person.profile()
    if isinstance(call, Identify):
        merge_traits(person.row, call.traits, call.at)
    customers.record_seen(
        person.row,
        call.at,
        activity=isinstance(call, Track),
        timezone=call.timezone,
        locale=call.locale,
    )
    person.row.updated_at = carrier.services.wall()
    _flag(carrier, person, call)
    if isinstance(call, Identify) or before.zone != person.profile().zone:
        effects = route_identify(call, before, person.profile(), person.enrolled)
        await carrier.carry_out(person, call, effects)
    await _created(carrier, person, call)
    match call:
        case Track():
            await carrier.route(person, call)
            await tell_colleagues(carrier, person, call)
        case Group():
            await join_company(carrier, person, call)
        case Identify() | Alias():
            pass
        case _:
            assert_never(call)


async def _change_consent(
    carrier: Carrier, person: Person, call: ChangeConsent, said: Said
) -> None:
    customers.record_seen(person.row, call.at, activity=False)
    person.row.updated_at = carrier.services.wall()
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
    await _created(carrier, person, call)
    await carrier.route(person, _consent_event(call))


async def _created(carrier: Carrier, person: Person, first: SegmentCall | ChangeConsent) -> None:
    """`customer.created`, with the first call of any kind from somebody who is known."""
    if not person.is_unseen or person.is_anonymous:
        return
    person.is_unseen = False
    created = Track(
        customer_id=first.customer_id,
        at=first.at,
        message_id=f"{BuiltInEvent.CUSTOMER_CREATED}:{first.message_id}",
        event=BuiltInEvent.CUSTOMER_CREATED,
        kind=EventKind.SYSTEM,
        historical=first.historical,
    )
    carrier.writing.add_event(_event_row(created, carrier.received_at))
    await carrier.route(person, created)


def _flag(carrier: Carrier, person: Person, call: SegmentCall) -> None:
    """What is odd about the call."""
    if call.clamped:
        carrier.flag(call, Flag.CLAMPED)
    names_zone = call.timezone is not None or (
        isinstance(call, Identify) and "timezone" in call.traits
    )
    if names_zone and person.zone_is_unknown:
        carrier.flag(call, Flag.UNKNOWN_ZONE)


def _consent_event(call: ChangeConsent) -> Track:
    event = BuiltInEvent.CONSENT_GIVEN if call.subscribed else BuiltInEvent.CONSENT_WITHDRAWN
    return Track(
        customer_id=call.customer_id,
        at=call.at,
        message_id=call.message_id,
        event=event,
        properties={"topic": call.topic, "channel": call.channel},
        kind=EventKind.SYSTEM,
        historical=call.historical,
    )


def _event_rows(calls: Iterable[Call], received_at: datetime) -> Iterable[NewEvent]:
    for call in calls:
        match call:
            case ChangeConsent():
                yield _event_row(_consent_event(call), received_at)
            case EnrollByHand():
                pass  # the enrollment itself is its record, with the audit log
            case _:
                yield _event_row(call, received_at)


def _event_row(call: SegmentCall, received_at: datetime) -> NewEvent:
    kind, name, properties, more = _content(call)
    context = {"timezone": call.timezone, "locale": call.locale, **more}
    return NewEvent(
        message_id=call.message_id,
        customer_id=call.customer_id,
        kind=kind,
        name=name,
        properties=properties,
        context={key: value for key, value in context.items() if value is not None},
        occurred_at=call.at,
        received_at=received_at,
    )


def _content(
    call: SegmentCall,
) -> tuple[EventKind, str | None, Mapping[str, Any], Mapping[str, str]]:
    """Kind, name, properties, and what else belongs to the context."""
    match call:
        case Identify():
            return EventKind.IDENTIFY, None, call.traits, {}
        case Track():
            return EventKind(call.kind), call.event, call.properties, {}
        case Group():
            return EventKind.GROUP, None, call.traits, {"groupId": call.company_id}
        case Alias():
            return EventKind.ALIAS, None, {}, {"previousId": call.formerly[0]}
        case _:
            assert_never(call)

"""One call of one customer: what it changes about them, and what that does to their journeys.

Decides the order within a call: traits and zone first, then that the customer is new, then the
event itself. What an event does is routing's to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from api.by_hand import enroll_by_hand
from api.carrying import Carrier
from api.colleagues import join_company, tell_colleagues
from api.event_rows import consent_event, event_row
from api.people import Person
from api.segments import look_after, pass_time
from engine.calls import (
    Alias,
    Call,
    ChangeConsent,
    EnrollByHand,
    Group,
    Identify,
    SegmentCall,
    TimePassed,
    Track,
)
from engine.consent import spoken
from engine.disposition import Flag
from engine.events import BuiltInEvent
from engine.routing import route_identify
from store import consents, customers
from store.json_text import keepable
from store.tables import Consent, EventKind
from store.traits import merge_traits


@dataclass(frozen=True)
class Said:
    """How consent was given or withdrawn: where, by whom (None: the customer), in what words.

    `ip` is from where the customer said it, where that is known.
    """

    source: str = "api"
    actor: str | None = None
    wording: str | None = None
    basis: str | None = None
    ip: str | None = None


# For all the calls of a request, or for each by its message id.
Sayings = Said | Mapping[str, Said]


def how_said(said: Sayings | None, call: Call) -> Said:
    """How this call was said; one that another was understood as, as that one."""
    if isinstance(said, Mapping):
        whole = call.message_id.removesuffix(f":{getattr(call, 'topic', None)}")
        return said.get(call.message_id) or said.get(whole) or Said()
    return said or Said()


async def take(carrier: Carrier, person: Person, call: Call, said: Said) -> None:
    """Take in one new call of a locked customer."""
    call = _keepable(call)
    await pass_time(carrier, person, call)
    match call:
        case TimePassed():
            pass
        case ChangeConsent():
            await _change_consent(carrier, person, call, said)
        case EnrollByHand():
            await enroll_by_hand(carrier, person, call)
        case _:
            await _segment_call(carrier, person, call)
    await look_after(carrier, person, call)


def _keepable(call: Call) -> Call:
    """The call as the store will hand it back: keys, anchors and conditions see the same."""
    match call:
        case Identify() | Group():
            return replace(call, traits=keepable(call.traits))
        case Track() | EnrollByHand():
            return replace(call, properties=keepable(call.properties))
        case ChangeConsent() | Alias() | TimePassed():
            return call
        case _:
            assert_never(call)


async def _segment_call(carrier: Carrier, person: Person, call: SegmentCall) -> None:
    is_inside = any(each.ending is None for each in person.enrolled)
    before = person.profile() if is_inside and _may_move_anchors(person, call) else None
    zone_before = person.zone
    if isinstance(call, Identify):
        merge_traits(person.row, call.traits, call.at)
    is_news = customers.record_seen(person.row, call.at, timezone=call.timezone, locale=call.locale)
    if is_news or not isinstance(call, Track):
        person.row.updated_at = carrier.services.wall()
    if isinstance(call, Track) and call.kind != EventKind.SYSTEM:
        carrier.note_used(person, call)
    _flag(carrier, person, call)
    moves = _compute(carrier, person, call, zone_before)
    if before is not None and moves:
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


def _may_move_anchors(person: Person, call: SegmentCall) -> bool:
    """Whether what times count from can be otherwise after the call. Mostly it can't."""
    if isinstance(call, Identify) or call.timezone is not None:
        return True
    computing = person.computing
    return isinstance(call, Track) and computing is not None and call.event in computing.by.events


def _compute(carrier: Carrier, person: Person, call: SegmentCall, zone_before: str) -> bool:
    """Have computed what the call changes; whether times may count from something else now."""
    moves = isinstance(call, Identify) or person.zone != zone_before
    computing = person.computing
    if computing is None:
        return moves
    computing.is_stale |= moves
    feeds = isinstance(call, Track) and computing.happened(call, carrier.services.evaluate)
    return feeds or moves


async def _change_consent(
    carrier: Carrier, person: Person, call: ChangeConsent, said: Said
) -> None:
    customers.record_seen(person.row, call.at)
    person.row.updated_at = carrier.services.wall()
    await consents.append(
        await carrier.turn.session(),
        Consent(
            customer_id=call.customer_id,
            channel=call.channel,
            topic=call.topic,
            state=spoken(call).state,
            basis=said.basis,
            source=said.source,
            wording=said.wording,
            at=call.at,
            actor=said.actor,
            ip=said.ip,
        ),
    )
    await _created(carrier, person, call)
    await _report(carrier, person, consent_event(call))


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
    carrier.writing.add_event(event_row(created, carrier.received_at))
    await _report(carrier, person, created)


async def _report(carrier: Carrier, person: Person, track: Track) -> None:
    """What Parcours says of the customer: computed from as everything is, then routed."""
    if person.computing is not None:
        person.computing.happened(track, carrier.services.evaluate)
    await carrier.route(person, track)


def _flag(carrier: Carrier, person: Person, call: SegmentCall) -> None:
    """What is odd about the call."""
    if call.clamped:
        carrier.flag(call, Flag.CLAMPED)
    names_zone = call.timezone is not None or (
        isinstance(call, Identify) and "timezone" in call.traits
    )
    if names_zone and person.zone_is_unknown:
        carrier.flag(call, Flag.UNKNOWN_ZONE)

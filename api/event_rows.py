"""What was told, as rows of the events table: one a call, and one for what we report ourselves."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, assert_never

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
from engine.consent import event_of
from store.events import NewEvent
from store.tables import EventKind


def consent_event(call: ChangeConsent) -> Track:
    """A change of consent as the event that we report."""
    return Track(
        customer_id=call.customer_id,
        at=call.at,
        message_id=call.message_id,
        event=event_of(call),
        properties={"topic": call.topic, "channel": call.channel},
        kind=EventKind.SYSTEM,
        historical=call.historical,
    )


def event_rows(calls: Iterable[Call], received_at: datetime) -> Iterable[NewEvent]:
    """The rows of those calls that are events."""
    for call in calls:
        match call:
            case ChangeConsent():
                yield event_row(consent_event(call), received_at)
            case EnrollByHand() | TimePassed():
                pass  # an enrollment is its own record; of time only what it changed is kept
            case _:
                yield event_row(call, received_at)


def event_row(call: SegmentCall, received_at: datetime) -> NewEvent:
    """The row of one."""
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

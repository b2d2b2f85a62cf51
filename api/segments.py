"""Segments while calls are taken in: whom a call, or time alone, makes enter and leave.

Decides the order only: what time changed before a call is made up first, then comes the call,
then what the call changes. The surprising fact: what time alone changes has the instant at
which it did, however late somebody looks, so who looks and when decides nothing.
"""

from datetime import datetime

from api.carrying import Carrier
from api.event_rows import event_row
from api.people import Person
from engine.calls import Call, TimePassed, Track
from engine.events import BuiltInEvent
from store.tables import EventKind


async def pass_time(carrier: Carrier, person: Person, call: Call) -> None:
    """Have happen what time alone has changed before the call; of `TimePassed`, up to its time."""
    computing = person.computing
    if computing is None:
        return
    if computing.inside is None:  # by definitions that are new: it stands as it stands
        await _look(carrier, person, computing.at(call.at), call)
    at = computing.changes_at
    while at is not None and (at < call.at or (at == call.at and isinstance(call, TimePassed))):
        await _look(carrier, person, at, call)
        assert computing.changes_at is None or computing.changes_at > at
        at = computing.changes_at
    person.at = computing.at(call.at)


async def look_after(carrier: Carrier, person: Person, call: Call) -> None:
    """Have happen what the call has changed."""
    computing = person.computing
    if computing is not None and computing.has_to_look:
        await _look(carrier, person, computing.at(call.at), call)


async def _look(carrier: Carrier, person: Person, at: datetime, cause: Call) -> None:
    computing = person.computing
    assert computing is not None
    person.at = at
    left, entered = computing.look(person.own_traits, at, person.tz, carrier.services.evaluate)
    for name in sorted(left):
        await _happen(carrier, person, BuiltInEvent.SEGMENT_LEFT, name, cause)
    for name in sorted(entered):
        await _happen(carrier, person, BuiltInEvent.SEGMENT_ENTERED, name, cause)


async def _happen(
    carrier: Carrier, person: Person, event: BuiltInEvent, segment: str, cause: Call
) -> None:
    track = Track(
        customer_id=person.row.id,
        at=person.at,
        # No id of the customer's: it outlives them in what a workflow has heard.
        message_id=f"{event}:{segment}:{person.row.pseudonym}:{person.at.isoformat()}",
        event=event,
        properties={"segment": segment},
        kind=EventKind.SYSTEM,
        historical=cause.historical,
    )
    carrier.writing.add_event(event_row(track, carrier.received_at))
    await carrier.route(person, track)

"""A person puts a customer into a journey, also with an earlier start.

Decides whether the customer may enter, by the same rules as an event: `reenter` holds for
people too. Only that the enrolling event may be old (`fresh`) is the person's own choice.
"""

from api.carrying import Carrier
from api.errors import (
    AlreadyEnrolledError,
    JourneyArchivedError,
    NoKeyError,
    NoSuchJourneyError,
)
from api.people import Person
from engine.calls import EnrollByHand
from engine.definition import Journey
from engine.entering import enroll, has_newer, may_enter_by_hand, next_ordinal
from engine.matching import key_of


async def enroll_by_hand(carrier: Carrier, person: Person, call: EnrollByHand) -> None:
    """Enroll the locked customer. Repeating the same call changes nothing.

    Raises NoSuchJourneyError, JourneyArchivedError, AlreadyEnrolledError, NoKeyError.
    """
    published = carrier.published.journeys if carrier.published is not None else {}
    journey = published.get(call.journey)
    if journey is None:
        known = ", ".join(f"`{name}`" for name in published) or "none"
        raise NoSuchJourneyError(f"there is no journey `{call.journey}`; published: {known}")
    if any(each.start_event_id == call.message_id for each in person.enrolled):
        return
    if journey.journey in await carrier.archived():
        raise JourneyArchivedError(journey.journey)
    key = _key(journey, call)
    mine = [e for e in person.enrolled if e.journey.journey == call.journey and e.key == key]
    if not may_enter_by_hand(journey, mine):
        is_open = any(each.ending is None for each in mine)
        was = "is in" if is_open else "has been in"
        advice = (
            "cancel that enrollment first" if is_open else "its `reenter` is `never`, so once only"
        )
        raise AlreadyEnrolledError(f"the customer {was} `{call.journey}` already: {advice}")
    if has_newer(journey, key, call.start_at, person.enrolled):
        raise AlreadyEnrolledError(
            f"the customer began `{call.journey}` later than that with another "
            f"`{journey.key}`, and it is `newest_only`: give a later start"
        )
    effect = enroll(
        journey,
        key,
        next_ordinal(mine, person.profile()),
        call.message_id,
        call.properties,
        call.start_at,
        call.at,
        person.profile(),
    )
    await carrier.begin(person, call, effect)


def _key(journey: Journey, call: EnrollByHand) -> str | None:
    key = key_of(journey, call.properties)
    if journey.key is not None and key is None:
        raise NoKeyError(
            f"`{journey.journey}` tells enrollments apart by `{journey.key}`: give it among "
            "the properties"
        )
    return key

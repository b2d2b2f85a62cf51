"""A person puts a customer into a journey, also with an earlier start.

Decides whether the customer may enter, by the same rules as an event: `reenter` holds for
people too. Only that the enrolling event may be old (`fresh`) is the person's own choice.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

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
from engine.effects import Enrolled
from engine.entering import enroll, has_newer, may_enter_by_hand, next_ordinal
from engine.matching import key_of

# Why a person may not enroll somebody; nothing was written before it was found.
REFUSED_BY_HAND = (AlreadyEnrolledError, JourneyArchivedError, NoKeyError, NoSuchJourneyError)


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
    key = check_may_enter(journey, person, call.properties, call.start_at)
    mine = _beside(journey, person, key)
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


def check_may_enter(
    journey: Journey, person: Person, properties: Mapping[str, Any], start_at: datetime
) -> str | None:
    """The key under which they would enter. Raises AlreadyEnrolledError, NoKeyError."""
    key = _key(journey, properties)
    mine = _beside(journey, person, key)
    if not may_enter_by_hand(journey, mine):
        is_open = any(each.ending is None for each in mine)
        was = "is in" if is_open else "has been in"
        advice = (
            "cancel that enrollment first" if is_open else "its `reenter` is `never`, so once only"
        )
        raise AlreadyEnrolledError(f"the customer {was} `{journey.journey}` already: {advice}")
    if has_newer(journey, key, start_at, person.enrolled):
        raise AlreadyEnrolledError(
            f"the customer began `{journey.journey}` later than that with another "
            f"`{journey.key}`, and it is `newest_only`: give a later start"
        )
    return key


def _beside(journey: Journey, person: Person, key: str | None) -> list[Enrolled]:
    """Their enrollments in this journey with this key."""
    return [e for e in person.enrolled if e.journey.journey == journey.journey and e.key == key]


def _key(journey: Journey, properties: Mapping[str, Any]) -> str | None:
    key = key_of(journey, properties)
    if journey.key is not None and key is None:
        raise NoKeyError(
            f"`{journey.journey}` tells enrollments apart by `{journey.key}`: give it among "
            "the properties"
        )
    return key

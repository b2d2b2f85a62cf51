"""Who enters a journey: whether an event that starts one enrolls, and what it begins with.

Pure. The one surprising fact: starts may arrive in any order, and the outcome is that of the
order in which they happened. So a start from before the one that opened an enrollment takes
its place, and after an exit that was heard of late the next start counts again. Where only
the newest of all keys counts, an older start that comes late is as if it had ended already.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from engine.calls import Track
from engine.definition import Journey
from engine.effects import (
    Amend,
    Effect,
    Enroll,
    Enrolled,
    NotEnrolled,
    Profile,
    Refuse,
    Supersede,
    Tell,
)
from engine.enrollment import Facts, Notice, Start
from engine.localtime import shift, zone
from engine.matching import Evaluate, first_match, key_of, past
from engine.reasons import Ending
from engine.values import at_path


def enroll(
    journey: Journey,
    key: str | None,
    ordinal: int,
    event_id: str,
    properties: Mapping[str, Any],
    at: datetime,
    entered_at: datetime,
    customer: Profile,
) -> Enroll:
    """The enrollment that begins at `at`, carrying only what its time expressions refer to."""
    values = {path: at_path(properties, path) for path in journey.start_properties}
    return Enroll(
        journey=journey,
        key=key,
        ordinal=ordinal,
        start=Start(event_id=event_id, at=at, entered_at=max(at, entered_at), values=values),
        facts=Facts(
            zone=customer.zone,
            traits=live_traits(journey, customer),
            last_activity_at=customer.last_activity_at,
        ),
        properties=properties,
    )


def live_traits(journey: Journey, customer: Profile) -> dict[str, Any]:
    """Those traits that anchor a time in this journey, by path; a missing one is None."""
    return {path: at_path(customer.traits, path) for path in journey.live_traits}


def next_ordinal(mine: Iterable[Enrolled], customer: Profile) -> int:
    """The ordinal of the next enrollment beside `mine`, those with its journey and key."""
    return max((each.ordinal for each in mine), default=customer.ordinals_after) + 1


def may_enter_by_hand(journey: Journey, mine: Iterable[Enrolled]) -> bool:
    """Whether a person may enroll a customer who has `mine`, those with its journey and key."""
    if journey.reenter == "always":
        return True
    been = [each for each in mine if not each.is_void]
    return not been or (
        journey.reenter != "never" and all(each.ending is not None for each in been)
    )


def has_newer(
    journey: Journey, key: str | None, start_at: datetime, enrollments: Iterable[Enrolled]
) -> bool:
    """Whether one that starts then comes too late: its journey wants only the newest of all keys.

    A newer one counts whether or not it is open still.
    """
    return journey.newest_only and any(
        each.journey.journey == journey.journey
        and each.key != key
        and each.start_at > start_at
        and not each.is_void
        and each.has_workflow  # one message of a broadcast is in nobody's way
        for each in enrollments
    )


def outdated(
    begun: Enrolled, enrollments: Iterable[Enrolled], event_id: str, by: str
) -> list[Effect]:
    """What ends because this one, of another key, has begun: the older ones, at its start.

    Also one that is known to have ended by an event after that.
    """
    effects: list[Effect] = []
    journey, at = begun.journey, begun.start_at
    for each in enrollments if journey.newest_only else ():
        if (each.journey.journey, each.key == begun.key) != (journey.journey, False):
            continue
        if not each.has_workflow:
            continue
        if each.ending is None and each.start_at <= at:
            notice = Notice(event_id=event_id, name=by, at=at, ending=Ending.EXITED)
            effects.append(Tell(enrollment=each.id, notice=notice))
        elif ended_by_event_after(each, at):
            effects.append(Amend(each.id, Ending.EXITED, at, by))
    return effects


def ended_by_event_after(enrolled: Enrolled, at: datetime) -> bool:
    """Whether it had begun by then, and an event that it looks at ended it only later."""
    ended_at, journey = enrolled.ended_at, enrolled.journey
    by_event = enrolled.ended_by in journey.event_names  # else by a person, or by time
    return ended_at is not None and enrolled.start_at < at < ended_at and by_event


def route_start(
    journey: Journey,
    track: Track,
    received_at: datetime,
    customer: Profile,
    enrollments: Iterable[Enrolled],
    evaluate: Evaluate,
    ended: frozenset[str] = frozenset(),
    archived: frozenset[str] = frozenset(),
) -> list[Effect]:
    """What an event starts in one journey; nothing if it is not one that starts it.

    `ended` are the enrollments that the same event has just ended, `archived` the journeys
    that enroll nobody.
    """
    event = past(track)
    if first_match(journey.starts_on, event, customer.traits, evaluate) is None:
        return []
    if journey.journey in archived:
        return [Refuse(journey.journey, NotEnrolled.ARCHIVED)]
    key = key_of(journey, event.properties)
    if (why := _refused(journey, key, track, received_at, customer)) is not None:
        return [Refuse(journey.journey, why)]
    known = list(enrollments)
    if has_newer(journey, key, track.at, known):
        return [Refuse(journey.journey, NotEnrolled.NOT_NEWEST)]
    mine = [e for e in known if e.journey.journey == journey.journey and e.key == key]
    begun = enroll(
        journey,
        key,
        next_ordinal(mine, customer),
        track.message_id,
        track.properties,
        event.at,
        received_at,
        customer,
    )
    return _beside(mine, begun, track, ended)


def _refused(
    journey: Journey, key: str | None, track: Track, received_at: datetime, customer: Profile
) -> NotEnrolled | None:
    """Why the event can't enroll, whoever the customer is."""
    if track.historical:
        return NotEnrolled.IMPORTED
    if journey.key is not None and key is None:
        return NotEnrolled.NO_KEY
    tz = zone(customer.zone)
    assert tz is not None  # a profile's zone exists
    is_fresh = shift(track.at, journey.fresh.terms, tz) >= received_at
    return None if is_fresh else NotEnrolled.TOO_OLD


def _beside(
    mine: list[Enrolled], begun: Enroll, track: Track, ended: frozenset[str]
) -> list[Effect]:
    """The new enrollment, given those there are with its journey and key."""
    journey = begun.journey
    refused: list[Effect] = [Refuse(journey.journey, NotEnrolled.ALREADY_ENROLLED)]
    if journey.reenter == "always":
        return refused if any(track.message_id == e.start_event_id for e in mine) else [begun]
    mine = [e for e in mine if not e.is_void]
    still_open = [e for e in mine if e.ending is None and e.id not in ended]
    # One that comes late, from the time of an enrollment since ended, was part of that.
    was_inside = any(e.ended_at is not None and track.at < e.ended_at for e in mine)
    if was_inside or any(track.message_id == e.start_event_id for e in mine):
        return refused
    if journey.reenter != "restart":
        if journey.reenter == "never" and len(still_open) < len(mine):
            return refused
        if not still_open:
            return [begun]
        (later,) = still_open[-1:]
        if track.at >= later.start_at:
            return refused
        return [Supersede(tell=_started_over(later, track), enroll=begun)]
    # Starting over closes the open one first.
    if any(track.at <= each.start_at for each in mine):
        return refused
    return [*(_started_over(each, track) for each in still_open), begun]


def _started_over(enrolled: Enrolled, track: Track) -> Tell:
    at = max(track.at, enrolled.start_at)
    notice = Notice(event_id=track.message_id, name=track.event, at=at, ending=Ending.EXITED)
    return Tell(enrollment=enrolled.id, notice=notice)

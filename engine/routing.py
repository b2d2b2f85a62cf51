"""Which event concerns which enrollment: does it start, end, fire or move anything?

Pure: ingestion brings the customer, the open enrollments and the published journeys; what
comes back is a list of effects, in the order in which they are to be carried out. Most
events have none, and then nothing reaches Temporal. The one surprising fact: an enrollment
follows the definition it was pinned to, only new ones follow what is published now.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from engine.calls import Identify, Track
from engine.definition import EventMatch, GoalMatch, Journey
from engine.enrollment import Facts, Notice, Start
from engine.gate import Evaluate, PastEvent, concerns, key_of, matches
from engine.localtime import shift, zone
from engine.reasons import Ending
from engine.values import at_path


class NotEnrolled(StrEnum):
    """Why an event that starts a journey did not enroll."""

    TOO_OLD = "too_old"
    ALREADY_ENROLLED = "already_enrolled"
    NO_KEY = "no_key"


@dataclass(frozen=True)
class Profile:
    """A customer as routing sees them: traits as they are after the event, and the zone.

    `last_activity_at` includes the event being routed.
    """

    id: str
    traits: Mapping[str, Any]
    zone: str
    last_activity_at: datetime | None = None


@dataclass(frozen=True)
class Enrolled:
    """An enrollment of the customer that exists: open, or ended as `ending` at `ended_at`."""

    id: str
    journey: Journey
    key: str | None
    start_at: datetime
    start_event_id: str
    ordinal: int = 1
    ending: Ending | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Enroll:
    """Begin an enrollment. `facts` and `start` are what its machine begins with."""

    journey: Journey
    key: str | None
    ordinal: int
    start: Start
    facts: Facts
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tell:
    """Tell an open enrollment; `notice.ending` closes it."""

    enrollment: str
    notice: Notice


@dataclass(frozen=True)
class Convert:
    """A goal reached after completion still counts; recorded without Temporal."""

    enrollment: str
    event_id: str
    at: datetime
    value: object


@dataclass(frozen=True)
class Refuse:
    """The event would have enrolled, but did not; kept as the event's disposition."""

    journey: str
    why: NotEnrolled


Effect = Enroll | Tell | Convert | Refuse


def route_track(
    track: Track,
    received_at: datetime,
    customer: Profile,
    enrollments: Iterable[Enrolled],
    published: Iterable[Journey],
    evaluate: Evaluate,
) -> list[Effect]:
    """What an event does: ends first, then fires, then starts."""
    event = PastEvent(name=track.event, at=track.at, properties=track.properties)
    known = sorted(enrollments, key=lambda e: (e.start_at, e.id))
    effects: list[Effect] = []
    ended: set[str] = set()
    for enrolled in known:
        if not concerns(enrolled.journey, enrolled.key, event):
            continue
        effect = _effect_on(enrolled, event, track, customer, evaluate)
        if effect is not None:
            effects.append(effect)
            if isinstance(effect, Tell) and effect.notice.ending is not None:
                ended.add(enrolled.id)
    for journey in published:
        effects += _starts(journey, event, track, received_at, customer, known, ended, evaluate)
    return effects


def route_identify(
    identify: Identify, before: Profile, after: Profile, enrollments: Iterable[Enrolled]
) -> list[Effect]:
    """What changed traits or a changed zone do: they move the anchors of open enrollments."""
    effects: list[Effect] = []
    for enrolled in sorted(enrollments, key=lambda e: (e.start_at, e.id)):
        if enrolled.ending is not None:
            continue
        old, new = live_traits(enrolled.journey, before), live_traits(enrolled.journey, after)
        if old == new and before.zone == after.zone:
            continue
        notice = Notice(
            event_id=identify.message_id,
            name="identify",
            at=identify.at,
            traits=new,
            zone=after.zone,
        )
        effects.append(Tell(enrollment=enrolled.id, notice=notice))
    return effects


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


def zone_of(traits: Mapping[str, Any], context_zone: str | None, default: str) -> tuple[str, bool]:
    """The customer's zone, and whether a zone given was unknown (and flagged).

    The `timezone` trait, else the last `context.timezone`, else the policy's default.
    """
    flagged = False
    for name in (traits.get("timezone"), context_zone):
        if isinstance(name, str) and name:
            if zone(name) is not None:
                return name, flagged
            flagged = True
    return default, flagged


def _effect_on(
    enrolled: Enrolled, event: PastEvent, track: Track, customer: Profile, evaluate: Evaluate
) -> Effect | None:
    goal = _first(enrolled.journey.goal, event, customer, evaluate)
    if enrolled.ending is not None:
        return _late_goal(enrolled, goal, event, track, customer)
    if event.at > enrolled.start_at:
        exit_ = _first(enrolled.journey.ends_on, event, customer, evaluate)
        ending = (
            Ending.CONVERTED if goal is not None else Ending.EXITED if exit_ is not None else None
        )
        if ending is not None:
            return _tell(enrolled, track, ending=ending)
    if event.at < enrolled.start_at or track.message_id == enrolled.start_event_id:
        return None
    fires = tuple(
        step.id
        for step in enrolled.journey.steps
        if step.after_event is not None
        and any(matches(m, event, customer.traits, evaluate) for m in step.after_event)
    )
    return _tell(enrolled, track, fires=fires) if fires else None


def _late_goal(
    enrolled: Enrolled, goal: GoalMatch | None, event: PastEvent, track: Track, customer: Profile
) -> Convert | None:
    """After completion the goal still counts for a while."""
    if goal is None or enrolled.ending is not Ending.COMPLETED or enrolled.ended_at is None:
        return None
    tz = zone(customer.zone)
    assert tz is not None
    if not enrolled.start_at < event.at <= shift(enrolled.ended_at, goal.within.terms, tz):
        return None
    value = at_path(event.properties, goal.value) if goal.value is not None else None
    return Convert(enrollment=enrolled.id, event_id=track.message_id, at=event.at, value=value)


def _tell(
    enrolled: Enrolled, track: Track, ending: Ending | None = None, fires: tuple[str, ...] = ()
) -> Tell:
    notice = Notice(
        event_id=track.message_id, name=track.event, at=track.at, ending=ending, fires=fires
    )
    return Tell(enrollment=enrolled.id, notice=notice)


def _starts(
    journey: Journey,
    event: PastEvent,
    track: Track,
    received_at: datetime,
    customer: Profile,
    known: list[Enrolled],
    ended: set[str],
    evaluate: Evaluate,
) -> list[Effect]:
    if _first(journey.starts_on, event, customer, evaluate) is None:
        return []
    key = key_of(journey, event.properties)
    if journey.key is not None and key is None:
        return [Refuse(journey.journey, NotEnrolled.NO_KEY)]
    if _is_too_old(journey, event, received_at, customer):
        return [Refuse(journey.journey, NotEnrolled.TOO_OLD)]
    mine = [e for e in known if e.journey.journey == journey.journey and e.key == key]
    effects: list[Effect] = []
    still_open = [e for e in mine if e.ending is None and e.id not in ended]
    # One that comes late, from the time of an enrollment since ended, was part of that.
    was_inside = any(e.ended_at is not None and event.at < e.ended_at for e in mine)
    if mine and (
        journey.reenter == "never" or was_inside or (still_open and journey.reenter == "after_exit")
    ):
        return [Refuse(journey.journey, NotEnrolled.ALREADY_ENROLLED)]
    # Starting over closes the open one first; the same event never restarts what it opened.
    for open_one in still_open:
        if event.at <= open_one.start_at or track.message_id == open_one.start_event_id:
            return [Refuse(journey.journey, NotEnrolled.ALREADY_ENROLLED)]
        effects.append(_tell(open_one, track, ending=Ending.EXITED))
    ordinal = max((e.ordinal for e in mine), default=0) + 1
    effects.append(
        enroll(
            journey,
            key,
            ordinal,
            track.message_id,
            track.properties,
            event.at,
            received_at,
            customer,
        )
    )
    return effects


def _is_too_old(
    journey: Journey, event: PastEvent, received_at: datetime, customer: Profile
) -> bool:
    tz = zone(customer.zone)
    assert tz is not None
    return shift(event.at, journey.fresh.terms, tz) < received_at


def _first(
    events: Iterable[Any], event: PastEvent, customer: Profile, evaluate: Evaluate
) -> Any | None:
    match_: EventMatch
    for match_ in events:
        if matches(match_, event, customer.traits, evaluate):
            return match_
    return None

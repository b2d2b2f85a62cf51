"""Which event concerns which enrollment: does it start, end, fire or move anything?

Pure: ingestion brings the customer, their enrollments and the published journeys; what
comes back is a list of effects, in the order in which they are to be carried out. Most
events have none, and then nothing reaches Temporal. The one surprising fact: an enrollment
follows the definition it was pinned to, only new ones follow what is published now.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from engine.calls import SegmentCall, Track
from engine.definition import EndMatch, GoalMatch, Journey
from engine.effects import Amend, Convert, Effect, Enrolled, Profile, Tell
from engine.enrollment import Notice
from engine.entering import ended_by_event_after, has_newer, live_traits, route_start
from engine.localtime import shift, zone
from engine.matching import Evaluate, PastEvent, concerns, first_match, matches, past
from engine.reasons import Ending
from engine.values import at_path

_End = TypeVar("_End", bound=EndMatch)


def route_track(
    track: Track,
    received_at: datetime,
    customer: Profile,
    enrollments: Iterable[Enrolled],
    published: Iterable[Journey],
    evaluate: Evaluate,
    archived: frozenset[str] = frozenset(),
) -> list[Effect]:
    """What an event does: ends first, then fires, then starts.

    A colleague's event only ends, where a journey says `of: company`. `archived` journeys
    are started by none.
    """
    event = past(track)
    known = sorted(enrollments, key=lambda e: (e.start_at, e.id))
    effects: list[Effect] = []
    ended: set[str] = set()
    for enrolled in known:
        if track.event not in enrolled.journey.event_names:
            continue
        if not concerns(enrolled.journey, enrolled.key, event):
            continue
        effect = _effect_on(enrolled, event, track, customer, evaluate)
        if effect is not None:
            effects.append(effect)
            if isinstance(effect, Tell) and effect.notice.ending is not None:
                ended.add(enrolled.id)
    if track.by_colleague:
        return effects
    for journey in published:
        effects += route_start(
            journey, track, received_at, customer, known, evaluate, frozenset(ended), archived
        )
    return effects


def route_identify(
    cause: SegmentCall, before: Profile, after: Profile, enrollments: Iterable[Enrolled]
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
            event_id=cause.message_id,
            name="identify",
            at=cause.at,
            traits=new,
            zone=after.zone,
        )
        effects.append(Tell(enrollment=enrolled.id, notice=notice))
    return effects


def close_twins(cause: SegmentCall, by: str, enrollments: Iterable[Enrolled]) -> list[Tell]:
    """Two customers are one: of enrollments that one customer could not have, the older stays.

    Under `reenter: always` one customer could have them all. Of those with other keys the
    newest stays, where a journey says `newest_only`.
    """
    kept: list[Enrolled] = []
    effects: list[Tell] = []
    for enrolled in sorted(enrollments, key=lambda e: (e.start_at, e.id)):
        if enrolled.is_void:
            continue
        older = [
            e
            for e in kept
            if (e.journey.journey, e.key) == (enrolled.journey.journey, enrolled.key)
        ]
        if enrolled.ending is None and any(_excludes(each, enrolled) for each in older):
            effects.append(_closed(enrolled, cause, by))
        else:
            kept.append(enrolled)
    effects += (
        _closed(each, cause, by)
        for each in kept
        if each.ending is None and has_newer(each.journey, each.key, each.start_at, kept)
    )
    return effects


def _closed(twin: Enrolled, cause: SegmentCall, by: str) -> Tell:
    at = max(cause.at, twin.start_at)
    notice = Notice(event_id=cause.message_id, name=by, at=at, ending=Ending.EXITED)
    return Tell(enrollment=twin.id, notice=notice)


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


def _excludes(older: Enrolled, younger: Enrolled) -> bool:
    """Whether a customer who had the older one could not have entered the younger."""
    if younger.journey.reenter == "always":
        return False
    if younger.journey.reenter == "never" or older.ending is None:
        return True
    return older.ended_at is not None and younger.start_at < older.ended_at


def _effect_on(
    enrolled: Enrolled, event: PastEvent, track: Track, customer: Profile, evaluate: Evaluate
) -> Effect | None:
    ends = _asked(enrolled.journey.ends_on, track), _asked(enrolled.journey.goal, track)
    exit_ = first_match(ends[0], event, customer.traits, evaluate)
    goal = first_match(ends[1], event, customer.traits, evaluate)
    ending = Ending.CONVERTED if goal is not None else Ending.EXITED if exit_ is not None else None
    if enrolled.ending is not None:
        if ending is not None and _was_decided_late(enrolled, track, ending):
            return Amend(enrolled.id, ending, track.at, track.event, _worth(goal, event))
        return _late_goal(enrolled, goal, event, track, customer)
    if ending is not None and event.at > enrolled.start_at:
        return _tell(enrolled, track, ending=ending)
    if track.by_colleague or event.at < enrolled.start_at:
        return None
    if track.message_id == enrolled.start_event_id:
        return None
    fires = tuple(
        step.id
        for step in enrolled.journey.steps
        if step.after_event is not None
        and any(matches(m, event, customer.traits, evaluate) for m in step.after_event)
    )
    return _tell(enrolled, track, fires=fires) if fires else None


def _asked(ends: Sequence[_End], track: Track) -> Sequence[_End]:
    """Those that this event can be: what a colleague did is asked for by name."""
    return [end for end in ends if end.of == "company"] if track.by_colleague else ends


def _was_decided_late(enrolled: Enrolled, track: Track, ending: Ending) -> bool:
    """Whether this event had ended the enrollment before the one that is known to have."""
    if ended_by_event_after(enrolled, track.at):
        return True
    # At one instant the goal wins over an exit.
    return (
        track.at == enrolled.ended_at
        and enrolled.start_at < track.at
        and enrolled.ended_by in enrolled.journey.event_names
        and ending is Ending.CONVERTED
        and enrolled.ending is not Ending.CONVERTED
    )


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
    return Convert(
        enrollment=enrolled.id, event_id=track.message_id, at=event.at, value=_worth(goal, event)
    )


def _worth(goal: GoalMatch | None, event: PastEvent) -> object:
    return at_path(event.properties, goal.value) if goal is not None and goal.value else None


def _tell(
    enrolled: Enrolled, track: Track, ending: Ending | None = None, fires: tuple[str, ...] = ()
) -> Tell:
    notice = Notice(
        event_id=track.message_id, name=track.event, at=track.at, ending=ending, fires=fires
    )
    return Tell(enrollment=enrolled.id, notice=notice)

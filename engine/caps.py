"""How much a customer may get, and who goes first when there is not room for all.

Rules for whoever edits this next:

1. A cap counts what went out, what may have (`unknown`) and what is under way. Transactional
   messages count only where the cap says so, and are never asked about here.
2. A lighter message leaves the room that heavier ones of the same local day will need, and
   waits until those are decided. What does not go out gives its room back.
3. Nobody waits in a circle: only for a heavier one, or, where two of one weight are due at
   the same instant, for the one whose enrollment's id is first.
4. Nothing here is looked up. `is_near` says when it is worth reading what else is due.

The one surprising fact: one message that is due says no more than the next step of its
enrollment, for that is all the store knows of one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from engine.definition import Journey, Step
from engine.expressions import StepAnchor
from engine.periods import begins_before, ends_after
from engine.policy import Cap
from engine.sampling import held_out

# After its due time a message is decided within seconds. So long the lighter one gives it,
# the same in a simulation as with a real server, where it takes these seconds.
_DECIDED_WITHIN = timedelta(minutes=1)

# What reaches no person, so no cap counts it: `call`, `set` and `unsubscribe` steps.
_REACHES_NOBODY = ("webhook", "traits", "consent")


@dataclass(frozen=True)
class PastMessage:
    """A message of this customer that was sent, or may have been (`unknown`)."""

    enrollment: str
    step: str
    at: datetime
    channel: str
    topic: str | None
    clicked: bool = False


@dataclass(frozen=True)
class Upcoming:
    """A marketing message that is due at `at` and not decided yet; by one of these channels."""

    enrollment: str
    step: str
    at: datetime
    priority: int
    topic: str
    channels: tuple[str, ...]


def upcoming(
    journey: Journey,
    step: Step,
    enrollment: str,
    at: datetime,
    channels: tuple[str, ...],
    customer_id: str,
) -> Upcoming | None:
    """What this step will want of the caps when it comes up; None if it will want nothing."""
    topic = journey.topic_of(step)
    if topic is None or not step.messages:
        return None
    if held_out(journey.holdout, journey.journey, customer_id):
        return None
    return Upcoming(enrollment, step.id, at, journey.priority_of(step), topic, channels)


def channels_of(step: Step, known: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """By which channels a step may reach somebody, where `known` has those of each message."""
    found = (channel for message in step.messages for channel in known.get(message, ()))
    return step.channels or tuple(dict.fromkeys(found))


def waits_for(journey: Journey, step: Step, other: Step) -> bool:
    """Whether `step` is timed by `other`, so that `other` must never wait for it."""
    while step.id != other.id:
        anchor = step.at.anchor if step.at is not None else None
        if not isinstance(anchor, StepAnchor):
            return False
        step = journey.step(anchor.step)
    return True


def free_at(
    caps: Iterable[Cap],
    mine: Upcoming,
    tz: ZoneInfo,
    sent: Sequence[PastMessage],
    others: Sequence[Upcoming],
) -> datetime:
    """The earliest time at which every cap may leave room for `mine`; its own if all do now."""
    first = sorted(
        (each for each in others if _goes_first(each, mine, tz)), key=lambda each: each.at
    )
    latest = mine.at
    for cap in caps:
        if not _may_be_full(cap, mine, sent, len(first)):
            continue
        ends = _ends(cap, mine.at, tz, sent)
        room = cap.max - len(ends)
        if room <= 0:
            latest = max(latest, ends[-room])
            continue
        ahead = [each.at for each in first if may_concern(cap, each.topic, each.channels)]
        if len(ahead) >= room:
            # So many of them have to come to nothing before there is room for this one.
            latest = max(latest, _decided_by(ahead[len(ahead) - room], mine.at))
    return latest


def is_near(
    caps: Iterable[Cap], mine: Upcoming, tz: ZoneInfo, sent: Sequence[PastMessage], rivals: int
) -> bool:
    """Whether so many others could take the room that is left for `mine`."""
    return any(
        0 < cap.max - len(_ends(cap, mine.at, tz, sent)) <= rivals
        for cap in caps
        if _may_be_full(cap, mine, sent, rivals)
    )


def counts_since(caps: Iterable[Cap], at: datetime, tz: ZoneInfo) -> datetime:
    """Nothing sent before this is counted by any of the caps. Raises OutOfRange."""
    return min((begins_before(cap.per, at, tz) for cap in caps), default=at)


def may_concern(cap: Cap, topic: str, channels: Sequence[str]) -> bool:
    """Whether the cap holds back a message of this topic, by one of these channels."""
    return cap.topic in (None, topic) and (cap.channel is None or cap.channel in channels)


def _may_be_full(cap: Cap, mine: Upcoming, sent: Sequence[PastMessage], rivals: int) -> bool:
    """Whether it is worth the calendar to count: not where all of them together are too few."""
    return len(sent) + rivals >= cap.max and may_concern(cap, mine.topic, mine.channels)


def _ends(cap: Cap, at: datetime, tz: ZoneInfo, sent: Iterable[PastMessage]) -> list[datetime]:
    """When each message that the cap counts at `at` is counted no more, soonest first."""
    counted = (ends_after(cap.per, m.at, at, tz) for m in sent if _counts(cap, m))
    return sorted(end for end in counted if end is not None)


def _counts(cap: Cap, message: PastMessage) -> bool:
    if cap.channel not in (None, message.channel):
        return False
    if message.topic is None:
        return cap.counts_transactional and message.channel not in _REACHES_NOBODY
    return cap.topic in (None, message.topic)


def _goes_first(other: Upcoming, mine: Upcoming, tz: ZoneInfo) -> bool:
    if other.at.astimezone(tz).date() != mine.at.astimezone(tz).date():
        return False
    if other.priority != mine.priority:
        return other.priority > mine.priority
    return other.at == mine.at and other.enrollment < mine.enrollment


def _decided_by(due_at: datetime, now: datetime) -> datetime:
    """When to ask again. Of one that is in trouble ever less often: it may take all day."""
    return max(due_at, now) + max(_DECIDED_WITHIN, now - due_at)

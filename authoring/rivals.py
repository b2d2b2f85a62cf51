"""Journeys that will want the same room of a cap, and nobody has said which of them matters.

Decides from the files alone, so it errs on the side of silence: of a journey it counts only
messages that surely come close together, those that count from one anchor. The surprising
fact: two journeys that start by the same event need not be rivals, if neither ever sends on a
day of the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from authoring.quiet_times import minutes
from engine.caps import channels_of, may_concern
from engine.definition import Journey, Step
from engine.expressions import Duration, StartAnchor, StepAnchor, Term
from engine.matching import start_names
from engine.periods import CalendarPeriod, Page
from engine.policy import Cap

_DAY = 24 * 60
_PAGES = {Page.DAY: _DAY, Page.WEEK: 7 * _DAY, Page.MONTH: 28 * _DAY}
_DAILY = {"daily": _DAY, "weekly": 7 * _DAY}

Channels = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Rivals:
    """Two journeys, and how many messages they want of a cap in one of its stretches."""

    names: tuple[str, str]
    want: int


def find_rivals(
    cap: Cap, journeys: Mapping[str, Journey], channels: Mapping[str, Channels]
) -> list[Rivals]:
    """Every two without a `priority` that together want more than there is room for."""
    wanting = {
        name: steps
        for name, journey in journeys.items()
        if (steps := _concerned(cap, journey, channels[name])) and not _has_priority(journey)
    }
    found = []
    for one, other in combinations(wanting, 2):
        if not _may_meet(journeys[one], wanting[one], journeys[other], wanting[other]):
            continue
        want = sum(_most(cap, journeys[name], wanting[name]) for name in (one, other))
        if want > cap.max:
            found.append(Rivals((one, other), want))
    return found


def _concerned(cap: Cap, journey: Journey, channels: Channels) -> list[Step]:
    return [
        step
        for step in journey.steps
        if step.messages
        and (topic := journey.topic_of(step)) is not None
        and may_concern(cap, topic, channels_of(step, channels))
    ]


def _has_priority(journey: Journey) -> bool:
    """Also one that is 0: somebody thought of it."""
    said = [journey.model_fields_set, *(step.model_fields_set for step in journey.steps)]
    return any("priority" in each for each in said)


def _may_meet(one: Journey, ours: list[Step], other: Journey, theirs: list[Step]) -> bool:
    """Whether a message of each may be due on one day of one customer."""
    starts = [start_names(journey) for journey in (one, other)]
    our_days, their_days = _days(one, ours), _days(other, theirs)
    if starts[0] != starts[1] or not starts[0] or our_days is None or their_days is None:
        return True
    return not our_days.isdisjoint(their_days)


def _days(journey: Journey, steps: list[Step]) -> set[int] | None:
    """How many days after the start each step is due; None if that can't be told."""
    found = set()
    for step in steps:
        root, after = _rooted(journey, step)
        if root != str(StartAnchor()) or after % _DAY or step.days or step.repeat:
            return None
        found.add(after // _DAY)
    return found


def _most(cap: Cap, journey: Journey, steps: list[Step]) -> int:
    """The most messages that it sends in one stretch of the cap, if all goes by the file."""
    length = _PAGES[cap.per.page] if isinstance(cap.per, CalendarPeriod) else minutes(cap.per)
    by_root: dict[str, list[int]] = {}
    for step in steps:
        root, after = _rooted(journey, step)
        every = _DAILY.get(str(step.repeat))
        times = 1 if every is None else max(1, length // every)
        by_root.setdefault(root, []).extend(after + n * (every or 0) for n in range(times))
    return max(
        sum(first <= each < first + length for each in times)
        for times in by_root.values()
        for first in times
    )


def _rooted(journey: Journey, step: Step) -> tuple[str, int]:
    """What the step counts from in the end, and how many minutes after it the step is due."""
    after = 0
    while step.at is not None:
        after += sum(_signed(term) for term in step.at.terms)
        if not isinstance(step.at.anchor, StepAnchor):
            return str(step.at.anchor), after
        step = journey.step(step.at.anchor.step)
    return f"step {step.id}", after


def _signed(term: Term) -> int:
    length = minutes(Duration((Term(abs(term.count), term.unit),)))
    return -length if term.count < 0 else length

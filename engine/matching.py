"""Which of a customer's events a journey names: by name, by condition, and by the key it carries.

Looks at one event, and at those of the past as a list. Conditions are evaluated by whoever is
handed in, and one that fails matches nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from engine.calls import Track
from engine.definition import EventMatch, Journey
from engine.expressions import Duration
from engine.values import at_path, is_plain

# As long as any other name may be (`engine.segment`).
_LONGEST_KEY = 255


@dataclass(frozen=True)
class PastEvent:
    """Something the customer did, as far as conditions and `unless` look at it."""

    name: str
    at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)


def past(track: Track) -> PastEvent:
    """What was told, as conditions look back at it."""
    return PastEvent(name=track.event, at=track.at, properties=track.properties)


@dataclass(frozen=True)
class History:
    """What a `when` may ask beside traits and properties."""

    count: Callable[[str, Duration | None], int]
    sent: Callable[[str], bool]
    clicked: Callable[[str], bool]
    inside: Callable[[str], bool] = lambda segment: False


class ConditionFailed(Exception):  # noqa: N818 - an answer about a condition, told by name
    """A condition could not be evaluated; for `when` that is a template error."""


# Evaluates a condition's text. `where` gets no history. Raises ConditionFailed.
Evaluate = Callable[[str, Mapping[str, Any], Mapping[str, Any], History | None], bool]


_Match = TypeVar("_Match", bound=EventMatch)


def last_activity(
    journey: Journey,
    key: str | None,
    events: Sequence[PastEvent],
    traits: Mapping[str, Any],
    evaluate: Evaluate,
) -> datetime | None:
    """The newest event that counts as using the product, for this journey and this key.

    `events` may come in any order; those given are only what the customer did.
    """
    counted = (
        event.at
        for event in events
        if concerns(journey, key, event)
        and (
            not journey.activity
            or any(matches(match, event, traits, evaluate) for match in journey.activity)
        )
    )
    return max(counted, default=None)


def matches(
    match: EventMatch, event: PastEvent, traits: Mapping[str, Any], evaluate: Evaluate
) -> bool:
    """Whether a past event is one that a journey's key names. A `where` in error is no match."""
    if match.event != event.name:
        return False
    if match.where is None:
        return True
    try:
        return evaluate(match.where, traits, event.properties, None)
    except ConditionFailed:
        return False


def first_match(
    among: Iterable[_Match], event: PastEvent, traits: Mapping[str, Any], evaluate: Evaluate
) -> _Match | None:
    """The first of a journey's matches that names the event; None if none does."""
    return next((match for match in among if matches(match, event, traits, evaluate)), None)


def start_names(journey: Journey) -> frozenset[str]:
    """The events that may start it."""
    return frozenset(match.event for match in journey.starts_on)


def concerns(journey: Journey, key: str | None, event: PastEvent) -> bool:
    """With a `key`, an event that carries the property reaches only the enrollment it names."""
    if key is None or journey.key is None:
        return True
    return key_of(journey, event.properties) in (None, key)


def key_of(journey: Journey, properties: Mapping[str, Any]) -> str | None:
    """What tells parallel enrollments apart, in an event's properties; None if not given.

    Text or a number: what is neither names nothing, nor does an empty text, or one that is
    no name: too long for an index, or with something in it that a store or an id can't keep.
    """
    value = at_path(properties, journey.key) if journey.key is not None else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON knows no difference between 9 and 9.0
    text = str(value)
    return text if is_plain(text, _LONGEST_KEY) else None

"""Computed traits and segments: what a customer's events come to, kept up as they arrive.

    state = computations.fold(state, event, evaluate)      # whatever happens, in any order
    traits = computations.known(own, state, at, tz)        # the customer's, and the computed
    inside = computations.inside(state, own, at, tz, evaluate)
    look_again_at = computations.next_change(state, own, at, tz, evaluate)

Knows no clock and no store: who keeps the state asks. Rules:

1. The order in which events are folded decides nothing, nor does a state's way through JSON.
2. A state means something only under the definitions that made it (`version`); under others
   it is made anew, from the events.
3. `at` may be anything, but what is older than the newest event that was folded counts as
   that event's time: what a customer did is never forgotten again.
4. What a segment looks at changes by events, by traits, and by time; the last is known in
   advance, so nobody has to be looked at for it.

The surprising fact: `next_change` may name a time at which nothing changes. It looks at so
many possible moments and no further; who looks again then learns the next.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import groupby, islice
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from engine.company import COMPANY
from engine.computable import ComputedTrait, Kind
from engine.expressions import Duration
from engine.matching import ConditionFailed, Evaluate, History, PastEvent
from engine.measures import (
    Count,
    CountWithin,
    Edge,
    Favourite,
    Interval,
    Measure,
    Rfm,
    Season,
    Sum,
    SumWithin,
)
from engine.policy import Policy
from engine.spans import Span, instant, microseconds

# Plain JSON, kept in a row; {} is a customer who did nothing.
State = Mapping[str, Any]

# What a condition's text counts, and within how long: `rendering` reads it.
Counted = Callable[[str], Iterable[tuple[str, Duration | None]]]

# Raised when the same events would come to another state, or a state be read otherwise.
_RULES = 1
# Some milliseconds of work. Who has more leavings before anything changes is looked at again.
_MOST_LOOKS = 100

_AT, _KEPT = "at", "kept"


@dataclass(frozen=True)
class _Kept:
    """A measure under its name in the state, and the events that it takes in."""

    key: str
    event: str
    where: str | None
    measure: Measure


@dataclass(frozen=True, eq=False)
class Computations:
    """What is computed of customers under one policy; made by `computations`.

    `version` is a hash of the definitions, `traits` are the names that are computed, `events`
    those whose coming changes anything.
    """

    version: str
    traits: tuple[str, ...]
    segments: tuple[str, ...]
    events: frozenset[str]
    _conditions: Mapping[str, str]  # by segment
    _kept: tuple[_Kept, ...]
    _by_trait: Mapping[str, _Kept]
    _by_count: Mapping[tuple[str, Duration | None], _Kept]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is computed at all."""
        return not self.traits and not self.segments

    def fold(self, state: State, event: PastEvent, evaluate: Evaluate) -> State:
        """The state with one more event in it; the same object if it changes nothing."""
        if event.name not in self.events:
            return state
        heard = [each for each in self._kept if _takes(each, event, evaluate)]
        if not heard:
            return state
        at = microseconds(event.at)
        newest, kept = max(at, state.get(_AT, at)), dict(state.get(_KEPT, {}))
        for each in heard:
            kept[each.key] = each.measure.add(kept.get(each.key), at, event.properties)
        for each in self._kept:
            kept[each.key] = each.measure.forget(kept.get(each.key), newest)
        # What was nothing is not kept, so that equal events are equal states.
        return {_AT: newest, _KEPT: {key: value for key, value in kept.items() if value}}

    def values(self, state: State, at: datetime, tz: ZoneInfo) -> dict[str, Any]:
        """The computed traits that there are, as of `at`."""
        now, found = _now(state, at), {}
        for name, each in self._by_trait.items():
            value = each.measure.value(_kept_of(state, each), now, tz)
            if value is not None:
                found[name] = value
        return found

    def known(
        self, own: Mapping[str, Any], state: State, at: datetime, tz: ZoneInfo
    ) -> dict[str, Any]:
        """The customer's own traits and the computed, which hide those of the same names."""
        mine = {name: value for name, value in own.items() if name not in self._by_trait}
        return mine | self.values(state, at, tz)

    def inside(
        self,
        state: State,
        own: Mapping[str, Any],
        at: datetime,
        tz: ZoneInfo,
        evaluate: Evaluate,
    ) -> frozenset[str]:
        """The segments that a customer with these traits is in. A condition in error: not inside.

        `own` may hold the computed traits already, and a company's, which no segment sees.
        """
        if not self.segments:
            return frozenset()
        now = _now(state, at)
        own = {name: value for name, value in own.items() if name != COMPANY}
        traits = self.known(own, state, at, tz)

        def count(event: str, within: Duration | None) -> int:
            each = self._by_count[event, within]
            counted: int = each.measure.value(_kept_of(state, each), now, tz)
            return counted

        history = History(count=count, sent=lambda step: False, clicked=lambda step: False)
        return frozenset(
            name
            for name, condition in self._conditions.items()
            if _holds(condition, traits, history, evaluate)
        )

    def next_change(
        self,
        state: State,
        own: Mapping[str, Any],
        at: datetime,
        tz: ZoneInfo,
        evaluate: Evaluate,
    ) -> datetime | None:
        """When time alone will next change the segments that the customer is in; None: never.

        Or, after `_MOST_LOOKS` moments that changed nothing, the last of them.
        """
        if not self.segments:
            return None
        now, then = _now(state, at), None
        inside = self.inside(state, own, at, tz, evaluate)
        for us in islice(self._moments(state, now, tz), _MOST_LOOKS):
            then = instant(us)
            if self.inside(state, own, then, tz, evaluate) != inside:
                return then
        return then if then is not None and self._goes_on(state, then, tz) else None

    def _moments(self, state: State, now: int, tz: ZoneInfo) -> Iterator[int]:
        """When time alone may change any value: ascending, each once."""
        ascending = (
            moments
            for each in self._kept
            for moments in each.measure.changes(_kept_of(state, each), now, tz)
        )
        return (us for us, _ in groupby(merge(*ascending)))

    def _goes_on(self, state: State, then: datetime, tz: ZoneInfo) -> bool:
        return next(self._moments(state, microseconds(then), tz), None) is not None


def computations(policy: Policy, counted: Counted) -> Computations:
    """What a policy has computed. Cheap, but no more than once a policy is needed."""
    by_trait = {
        name: _Kept(name, trait.event, trait.where, _measure(trait))
        for name, trait in policy.traits.items()
    }
    conditions = {name: segment.when for name, segment in policy.segments.items()}
    asked = {each for condition in conditions.values() for each in counted(condition)}
    by_count = {
        (event, within): _Kept(_key(event, within), event, None, _count(within))
        for event, within in sorted(asked, key=lambda each: _key(*each))
    }
    kept = (*by_trait.values(), *by_count.values())
    return Computations(
        version=_version(policy),
        traits=tuple(by_trait),
        segments=tuple(conditions),
        events=frozenset(each.event for each in kept),
        _conditions=conditions,
        _kept=kept,
        _by_trait=by_trait,
        _by_count=by_count,
    )


def _version(policy: Policy) -> str:
    traits = {
        name: trait.model_dump(mode="json", exclude_defaults=True)
        for name, trait in policy.traits.items()
    }
    conditions = {name: segment.when for name, segment in policy.segments.items()}
    text = json.dumps([_RULES, traits, conditions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _measure(trait: ComputedTrait) -> Measure:
    """How a definition is kept and counted; the model saw to it that it is whole."""
    of, within = trait.of or "", Span(trait.within) if trait.within is not None else None
    match trait.kind:
        case Kind.COUNT:
            return _count(trait.within)
        case Kind.SUM:
            return Sum(of) if within is None else SumWithin(of, within)
        case Kind.FIRST | Kind.LAST:
            return Edge(trait.kind is Kind.LAST, trait.of)
        case Kind.FAVOURITE:
            return Favourite(of)
        case Kind.INTERVAL | Kind.NEXT:
            return Interval(trait.kind is Kind.NEXT)
        case Kind.SEASON:
            assert trait.apart is not None
            return Season(Span(trait.apart))
        case Kind.RFM:
            assert within is not None
            recency = tuple(map(Span, trait.recency or ()))
            return Rfm(of, within, recency, trait.frequency or (), trait.money or ())
    assert_never(trait.kind)


def _count(within: Duration | None) -> Measure:
    return Count() if within is None else CountWithin(Span(within))


def _key(event: str, within: Duration | None) -> str:
    """The name of a condition's count in the state; no trait is called so."""
    return f"count({event})" if within is None else f"count({event}, {within})"


def _takes(each: _Kept, event: PastEvent, evaluate: Evaluate) -> bool:
    """Whether a measure is about the event. A `where` in error is no match."""
    if each.event != event.name:
        return False
    if each.where is None:
        return True
    try:
        return evaluate(each.where, {}, event.properties, None)
    except ConditionFailed:
        return False


def _holds(condition: str, traits: Mapping[str, Any], history: History, evaluate: Evaluate) -> bool:
    try:
        return evaluate(condition, traits, {}, history)
    except ConditionFailed:
        return False


def _now(state: State, at: datetime) -> int:
    """The time that is asked about: never before the newest event."""
    now = microseconds(at)
    newest: int = state.get(_AT, now)
    return max(now, newest)


def _kept_of(state: State, each: _Kept) -> Any:
    return state.get(_KEPT, {}).get(each.key)

"""Computed traits and segments: what a customer's events come to, kept up as they arrive.

    state = computed.fold(state, event, evaluate)          # whatever happens, in any order
    traits = computed.known(own, state, at, tz)            # the customer's own, and the computed
    inside = computed.inside(state, own, at, tz, evaluate)
    inside, look_again_at = computed.look(state, own, at, tz, evaluate)

Knows no clock and no store: who keeps the state asks. Rules:

1. The order in which events are folded decides nothing, nor does a state's way through JSON.
2. A state means something only under the definitions that made it (`version`); under others
   it is made anew, from the events.
3. `at` may be anything, but what is older than the newest event that was folded counts as
   that event's time: what a customer did is never forgotten again.
4. What a segment looks at changes by events, by traits, and by time; the last is known in
   advance, so nobody has to be looked at for it.

The surprising fact: `look` may name a time at which nothing changes. It looks at so many
possible moments and no further; who looks again then learns the next.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from engine.amounts import Count, CountWithin, Rfm, Sum, SumWithin
from engine.computable import ComputedTrait, Kind
from engine.expressions import Duration
from engine.matching import Evaluate, PastEvent
from engine.measures import Edge, Favourite, Interval, Measure, Season
from engine.memberships import (
    AT,
    KEPT,
    Judge,
    Kept,
    MadeOf,
    Membership,
    State,
    kept_by,
    time_alone,
    values_of,
)
from engine.policy import Policy
from engine.spans import Span, instant, microseconds

__all__ = ["Computations", "Counted", "MadeOf", "State", "TakenBy", "computations"]

# Reads a segment's condition: `rendering` knows how.
Counted = Callable[[str], MadeOf]
# Measures that take in one event.
TakenBy = Sequence[Kept]

# Raised when the same events would come to another state, or a state be read otherwise.
_RULES = 2
# A millisecond of work. Who has more leavings before anything changes is looked at again
# when these are over.
_MOST_LOOKS = 50


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
    _kept: tuple[Kept, ...]
    _by_trait: Mapping[str, Kept]
    _memberships: tuple[Membership, ...]
    _looked_at: tuple[Kept, ...]  # by any segment
    _judge: Judge
    _about: dict[str, "Computations"] = field(default_factory=dict)

    @cached_property
    def deciding(self) -> frozenset[str]:
        """The events that may make a customer enter or leave a segment."""
        return frozenset(each.event for each in self._looked_at)

    def about(self, event: str) -> "Computations":
        """The same with only those segments that such an event may concern."""
        known = self._about.get(event)
        if known is None:
            concerned = tuple(
                each for each in self._memberships if any(kept.event == event for kept in each.kept)
            )
            known = self._about[event] = replace(
                self,
                segments=tuple(each.name for each in concerned),
                _memberships=concerned,
                _looked_at=kept_by(concerned),
                _about={},
            )
        return known

    def feeding(self, traits: Collection[str]) -> frozenset[str]:
        """The events from which any of these traits are computed."""
        return frozenset(kept.event for name, kept in self._by_trait.items() if name in traits)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is computed at all."""
        return not self.traits and not self.segments

    def fold(self, state: State, event: PastEvent, evaluate: Evaluate) -> State:
        """The state with one more event in it; the same object if it changes nothing."""
        return self.take_in(state, event, self.taken_by(event, evaluate))

    def taken_by(self, event: PastEvent, evaluate: Evaluate) -> TakenBy:
        """The measures that such an event is for, whoever does it."""
        found = self._by_event.get(event.name, ())
        return [each for each in found if each.takes(event, evaluate)]

    def take_in(self, state: State, event: PastEvent, measures: TakenBy) -> State:
        """`fold`, of an event of which it is known what measures it is for."""
        if not measures:
            return state
        at = microseconds(event.at)
        newest, kept = max(at, state.get(AT, at)), dict(state.get(KEPT, {}))
        for each in measures:
            kept[each.slot] = each.measure.add(kept.get(each.slot), at, event.properties)
        for key, value in kept.items():
            kept[key] = self._by_slot[key].measure.forget(value, newest)
        # What was nothing is not kept, so that equal events are equal states.
        return {AT: newest, KEPT: {key: value for key, value in kept.items() if value}}

    @cached_property
    def _by_event(self) -> Mapping[str, list[Kept]]:
        found: dict[str, list[Kept]] = {}
        for each in self._kept:
            found.setdefault(each.event, []).append(each)
        return found

    @cached_property
    def _by_slot(self) -> Mapping[str, Kept]:
        return {each.slot: each for each in self._kept}

    def values(self, state: State, at: datetime, tz: ZoneInfo) -> dict[str, Any]:
        """The computed traits that there are, as of `at`."""
        now = _now(state, at)
        found = {name: each.value(state, now, tz) for name, each in self._by_trait.items()}
        return {name: value for name, value in found.items() if value is not None}

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
        values = values_of(self._looked_at, state, _now(state, at), tz)
        return self._judge.inside(self._memberships, own, values, evaluate)

    def look(
        self,
        state: State,
        own: Mapping[str, Any],
        at: datetime,
        tz: ZoneInfo,
        evaluate: Evaluate,
    ) -> tuple[frozenset[str], datetime | None]:
        """The segments (as `inside`), and when time alone will next change them; None: never.

        Or, after so many moments that changed nothing, the last of them.
        """
        now = _now(state, at)
        values = values_of(self._looked_at, state, now, tz)
        found = [
            (each, self._judge.verdict(each, own, values, evaluate)) for each in self._memberships
        ]
        inside = frozenset([each.name for each, verdict in found if verdict.holds])
        moving = [each for each, verdict in found if not verdict.is_settled]
        changes = time_alone(kept_by(moving), state, now, tz)
        for looks, (then, changed) in enumerate(changes, start=1):
            values |= changed
            for each in moving:
                if each.keys.isdisjoint(changed):
                    continue
                if self._judge.holds(each, own, values, evaluate) != (each.name in inside):
                    return inside, instant(then)
            if looks == _MOST_LOOKS:
                return inside, instant(then)
        return inside, None


def computations(policy: Policy, counted: Counted) -> Computations:
    """What a policy has computed. To be made once a policy: it remembers answers."""
    by_trait = {
        name: Kept(name, trait.event, trait.where, _measure(trait), slot=name)
        for name, trait in policy.traits.items()
    }
    made_of = {name: counted(segment.when) for name, segment in policy.segments.items()}
    asked = {_key(*each): each for made in made_of.values() for each in made.counts}
    slots = _slots(asked.values())
    by_count = {
        asked[key]: Kept(key, asked[key][0], None, _count(asked[key][1]), slots[asked[key]])
        for key in sorted(asked)
    }
    kept = (*by_trait.values(), *(each for each in by_count.values() if each.slot == each.key))
    memberships = tuple(
        _membership(name, policy.segments[name].when, made, by_trait, by_count)
        for name, made in made_of.items()
    )
    return Computations(
        version=_version(policy),
        traits=tuple(by_trait),
        segments=tuple(policy.segments),
        events=frozenset(each.event for each in kept),
        _kept=kept,
        _by_trait=by_trait,
        _memberships=memberships,
        _looked_at=kept_by(memberships),
        _judge=Judge(frozenset(by_trait)),
    )


def _membership(
    name: str,
    condition: str,
    made_of: MadeOf,
    by_trait: Mapping[str, Kept],
    by_count: Mapping[tuple[str, Duration | None], Kept],
) -> Membership:
    traits = made_of.traits
    own = None if traits is None else tuple(sorted(traits - by_trait.keys()))
    return Membership(
        name=name,
        condition=condition,
        is_arithmetic=made_of.is_arithmetic,
        own=own,
        traits={each: by_trait[each] for each in by_trait if traits is None or each in traits},
        counts={each: by_count[each] for each in by_count if each in made_of.counts},
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


def _slots(
    asked: Collection[tuple[str, Duration | None]],
) -> Mapping[tuple[str, Duration | None], str]:
    """Where each count is kept: of one event the times within the longest window serve all."""
    longest: dict[str, Duration] = {}
    for event, within in sorted(asked, key=lambda each: _key(*each)):
        if within is None:
            continue
        known = longest.get(event)
        if known is None or Span(within).at_most > Span(known).at_most:
            longest[event] = within
    return {
        (event, within): _key(event, None if within is None else longest[event])
        for event, within in asked
    }


def _count(within: Duration | None) -> Measure:
    return Count() if within is None else CountWithin(Span(within))


def _key(event: str, within: Duration | None) -> str:
    """The name of a condition's count in the state; no trait is called so."""
    return f"count({event})" if within is None else f"count({event}, {within})"


def _now(state: State, at: datetime) -> int:
    """The time that is asked about: never before the newest event."""
    now = microseconds(at)
    newest: int = state.get(AT, now)
    return max(now, newest)

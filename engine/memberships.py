"""Which segments a customer is in, as their state and traits have it at a time.

Decides what each condition gets to see, and remembers its answers; what the numbers in it
come to is for `engine.measures` to say. The surprising fact: most customers differ in no
number that a segment looks at, so most answers are known without evaluating anything.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from engine.between import Between, Undecided
from engine.company import COMPANY
from engine.expressions import Duration
from engine.matching import ConditionFailed, Evaluate, History, PastEvent
from engine.measures import Measure, Timeless

# Plain JSON, kept in a row; {} is a customer who did nothing.
State = Mapping[str, Any]
# What measures come to, by their keys.
Values = Mapping[str, Any]
# Under which keys of a state: the time of the newest event, and what is kept by measure.
AT, KEPT = "at", "kept"

# Some megabytes. Facts that are longer are one customer's own, and never asked about twice.
_MOST_ANSWERS = 10_000
_LONGEST_FACTS = 300


@dataclass(frozen=True)
class MadeOf:
    """What a condition's text looks at: events it counts, within how long, and traits by name.

    `traits` is None where the text does not say which, as in `customer[customer.kind]`.
    `is_arithmetic`: it does nothing with numbers but add, subtract, multiply and compare.
    """

    counts: frozenset[tuple[str, Duration | None]]
    traits: frozenset[str] | None
    is_arithmetic: bool


@dataclass(frozen=True)
class Kept:
    """A measure by its name, and the events that it takes in.

    `slot` is under what the state keeps it: its own name, or that of another that keeps all
    which this one needs.
    """

    key: str
    event: str
    where: str | None
    measure: Measure
    slot: str

    def takes(self, event: PastEvent, evaluate: Evaluate) -> bool:
        """Whether the measure is about the event. A `where` in error is no match."""
        if self.event != event.name:
            return False
        if self.where is None:
            return True
        try:
            return evaluate(self.where, {}, event.properties, None)
        except ConditionFailed:
            return False

    def value(self, state: State, now: int, tz: ZoneInfo) -> Any:
        """What it comes to at `now`."""
        return self.measure.value(self.of(state), now, tz)

    def of(self, state: State) -> Any:
        """What is kept of it in a state."""
        return state.get(KEPT, {}).get(self.slot)


@dataclass(frozen=True)
class Membership:
    """A segment: its condition, and what that looks at; `own` None is every trait there is."""

    name: str
    condition: str
    is_arithmetic: bool
    own: tuple[str, ...] | None
    traits: Mapping[str, Kept]
    counts: Mapping[tuple[str, Duration | None], Kept]

    @property
    def kept(self) -> tuple[Kept, ...]:
        """The measures that it looks at."""
        return (*self.traits.values(), *self.counts.values())

    @cached_property
    def keys(self) -> frozenset[str]:
        """Their keys."""
        return frozenset(each.key for each in self.kept)

    @cached_property
    def count_keys(self) -> tuple[str, ...]:
        """Those of what it counts."""
        return tuple(each.key for each in self.counts.values())

    @cached_property
    def tells_by_bounds(self) -> bool:
        """Whether bounds of how often things happened may do for what time alone changes."""
        return self.is_arithmetic and all(
            isinstance(each.measure, Timeless) for each in self.traits.values()
        )

    @property
    def sees_traits(self) -> bool:
        """Whether it looks at any trait at all."""
        return self.own != () or bool(self.traits)


class Verdict(NamedTuple):
    """Whether somebody is in a segment; `is_settled`: time alone certainly never changes that."""

    holds: bool
    is_settled: bool


_Answer = TypeVar("_Answer", bool, Verdict)


@dataclass(frozen=True, eq=False)
class Judge:
    """Says who is in which segment. `computed` are the names that hide traits of one's own."""

    computed: frozenset[str]
    _answers: dict[Any, bool] = field(default_factory=dict)
    _verdicts: dict[Any, Verdict] = field(default_factory=dict)

    def inside(
        self, segments: Iterable[Membership], own: Mapping[str, Any], values: Values, ask: Evaluate
    ) -> frozenset[str]:
        """Those of the segments that a customer is in with these traits and these values."""
        return frozenset([each.name for each in segments if self.holds(each, own, values, ask)])

    def holds(
        self, segment: Membership, own: Mapping[str, Any], values: Values, evaluate: Evaluate
    ) -> bool:
        """Whether a customer with these traits and these values is in it."""

        def answer(traits: Mapping[str, Any]) -> bool:
            counts = {asked: values[each.key] for asked, each in segment.counts.items()}
            return _holds(segment.condition, traits, counts, evaluate)

        return self._known(self._answers, segment, own, values, evaluate, answer)

    def verdict(
        self, segment: Membership, own: Mapping[str, Any], values: Values, evaluate: Evaluate
    ) -> Verdict:
        """Whether such a customer is in it, and whether time alone may change that."""

        def answer(traits: Mapping[str, Any]) -> Verdict:
            return Verdict(
                self.holds(segment, own, values, evaluate),
                segment.tells_by_bounds and _is_settled(segment, traits, values, evaluate),
            )

        return self._known(self._verdicts, segment, own, values, evaluate, answer)

    def _known(
        self,
        answers: dict[Any, _Answer],
        segment: Membership,
        own: Mapping[str, Any],
        values: Values,
        evaluate: Evaluate,
        answer: Callable[[Mapping[str, Any]], _Answer],
    ) -> _Answer:
        """What was answered before for the same facts, or is now."""
        traits = self._seen(segment, own, values) if segment.sees_traits else {}
        said = repr(traits) if traits else ""
        facts = (evaluate, segment.name, said, *[values[key] for key in segment.count_keys])
        if (known := answers.get(facts)) is None:
            known = answer(traits)
            if len(said) <= _LONGEST_FACTS:
                if len(answers) >= _MOST_ANSWERS:
                    answers.clear()
                answers[facts] = known
        return known

    def _seen(self, segment: Membership, own: Mapping[str, Any], values: Values) -> dict[str, Any]:
        """The traits that a segment looks at, as the customer has them."""
        names = own.keys() if segment.own is None else segment.own
        hidden = self.computed
        traits = {
            name: own[name]
            for name in names
            if name in own and name not in hidden and name != COMPANY
        }
        for name, each in segment.traits.items():
            if (computed := values[each.key]) is not None:
                traits[name] = computed
        return traits


def kept_by(memberships: Iterable[Membership]) -> tuple[Kept, ...]:
    """The measures that these look at, each once."""
    return tuple({each.key: each for segment in memberships for each in segment.kept}.values())


def values_of(kept: Iterable[Kept], state: State, now: int, tz: ZoneInfo) -> dict[str, Any]:
    """What measures come to at `now`, by their keys."""
    return {each.key: each.value(state, now, tz) for each in kept}


def time_alone(
    kept: Iterable[Kept], state: State, now: int, tz: ZoneInfo
) -> Iterator[tuple[int, Values]]:
    """Every instant after `now` at which time alone changes a value, and what changes then."""
    moving = [_changes(each, state, now, tz) for each in kept if each.of(state)]
    for at, together in groupby(merge(*moving, key=itemgetter(0)), key=itemgetter(0)):
        yield at, {key: value for _, key, value in together}


def _changes(each: Kept, state: State, now: int, tz: ZoneInfo) -> Iterator[tuple[int, str, Any]]:
    for at, value in each.measure.changes(each.of(state), now, tz):
        yield at, each.key, value


def _holds(
    condition: str,
    traits: Mapping[str, Any],
    counts: Mapping[tuple[str, Duration | None], int],
    evaluate: Evaluate,
) -> bool:
    """A condition in error does not hold."""
    try:
        return evaluate(condition, traits, {}, _counting(counts))
    except ConditionFailed:
        return False


def _is_settled(
    segment: Membership, traits: Mapping[str, Any], values: Values, evaluate: Evaluate
) -> bool:
    """Whether it comes to one answer however much less the windows hold; time does nothing else.

    Who can't compute can't tell.
    """
    counts = {
        asked: values[each.key] if asked[1] is None else Between(0, values[each.key])
        for asked, each in segment.counts.items()
    }
    try:
        evaluate(segment.condition, traits, {}, _counting(counts))
    except (Undecided, ConditionFailed):
        return False
    return True


def _counting(counts: Mapping[tuple[str, Duration | None], Any]) -> History:
    return History(
        count=lambda event, within: counts[event, within],
        sent=lambda step: False,
        clicked=lambda step: False,
    )

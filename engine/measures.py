"""Measures: what is kept of a customer's events for one trait or count, and what it comes to.

Each takes in events one by one, in whatever order they arrive, and answers for a time. Rules
for whoever edits it:

1. What is kept is a function of the set of events, never of the order in which they came.
   So whatever is limited keeps the newest, by time and then by value.
2. What is kept survives JSON as both databases store it: times are whole microseconds, money
   is decimal text, values are JSON texts; no order of keys means anything.
3. A measure answers for the time of the newest event or later (`now`), never for the past:
   what is only counted can't be uncounted.

The surprising fact: an event may be taken in and come to nothing, where the property that
the trait is about is missing or is no number, no short text.
"""

import json
import math
from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import pairwise
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from engine.spans import Span, instant
from engine.values import anchor_text, at_path, is_plain

# Who does something a thousand times in a window does it often; and a row stays a row.
MOST_IN_WINDOW = 1_000
# Taste and habits are what one did lately, and not in the first year.
MOST_FOR_FAVOURITE = 100
MOST_FOR_INTERVAL = 32
LEAST_FOR_INTERVAL = 3  # two gaps: of one alone nobody can say that it is usual
MOST_SEASONS = 1_000

# Longer texts are no category, and would make every row long.
_LONGEST_VALUE = 500
# Beyond this a number is not money or a count (as `rendering.grammar` has it). Below it, a
# double is written with at most 15 digits before the point and 341 behind, so no sum of any
# that customers can do is ever rounded.
_MOST_MONEY = 10**15
_EXACT = Context(prec=400)
_DAY_US = 86_400_000_000

# A time, and a value as text: what is kept of an event that is about one.
_Pair = list[Any]


class Measure(Protocol):
    """One thing that is computed. `kept` is what `add` answered before; None is nothing yet."""

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> Any:
        """What is kept after one more event; the value handed in stays as it is."""

    def forget(self, kept: Any, now: int) -> Any:
        """What is kept without that which can't count any more, at `now` or later."""

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> Any:
        """What it comes to at `now`; None where that is nothing."""

    def changes(self, kept: Any, now: int, tz: ZoneInfo) -> Sequence[Iterator[int]]:
        """When time alone may change the value after `now`: each iterator ascends."""


class _Timeless:
    """What time alone does not change."""

    def forget(self, kept: Any, now: int) -> Any:
        return kept

    def changes(self, kept: Any, now: int, tz: ZoneInfo) -> Sequence[Iterator[int]]:
        return ()


@dataclass(frozen=True)
class Count(_Timeless):
    """How often, ever."""

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> int:
        return (kept or 0) + 1

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> int:
        return kept or 0


@dataclass(frozen=True)
class CountWithin:
    """How often within a window; `MOST_IN_WINDOW` means that often or more."""

    within: Span

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> list[int]:
        return _with(kept, at, MOST_IN_WINDOW)

    def forget(self, kept: Any, now: int) -> Any:
        return kept[bisect_right(kept, now - self.within.at_most) :] if kept else kept

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> int:
        return len(self.within.counting(kept or (), now, tz))

    def changes(self, kept: Any, now: int, tz: ZoneInfo) -> Sequence[Iterator[int]]:
        return (self.within.leaving(kept or (), now, tz),)


@dataclass(frozen=True)
class Sum(_Timeless):
    """How much of a property, ever."""

    of: str

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> Any:
        money = _money(at_path(properties, self.of))
        return kept if money is None else _text(_EXACT.add(Decimal(kept or 0), money))

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> int | float:
        return _number(Decimal(kept or 0))


@dataclass(frozen=True)
class SumWithin:
    """How much of a property within a window, of the newest `MOST_IN_WINDOW` in it."""

    of: str
    within: Span

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> Any:
        money = _money(at_path(properties, self.of))
        return kept if money is None else _with(kept, [at, _text(money)], MOST_IN_WINDOW)

    def forget(self, kept: Any, now: int) -> Any:
        return _younger(kept, now, self.within)

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> int | float:
        counting = self.within.counting(_times(kept), now, tz)
        return _number(_total(kept[place] for place in counting))

    def changes(self, kept: Any, now: int, tz: ZoneInfo) -> Sequence[Iterator[int]]:
        return (self.within.leaving(_times(kept), now, tz),)


@dataclass(frozen=True)
class Edge(_Timeless):
    """The first or the last: its time, or with `of` what it says."""

    is_last: bool
    of: str | None

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> Any:
        said = "" if self.of is None else _said(at_path(properties, self.of))
        if said is None:
            return kept
        return [at, said] if kept is None else (max if self.is_last else min)(kept, [at, said])

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> Any:
        if kept is None:
            return None
        return json.loads(kept[1]) if self.of is not None else _iso(kept[0])


@dataclass(frozen=True)
class Favourite(_Timeless):
    """What a property says most often, among the newest that say something.

    Of those as frequent, the one that was said last; of those, the first in the alphabet.
    """

    of: str

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> Any:
        said = _said(at_path(properties, self.of))
        return kept if said is None else _with(kept, [at, said], MOST_FOR_FAVOURITE)

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> Any:
        counts: dict[str, int] = {}
        last: dict[str, int] = {}
        for at, said in kept or ():
            counts[said], last[said] = counts.get(said, 0) + 1, at
        if not counts:
            return None
        return json.loads(min(counts, key=lambda said: (-counts[said], -last[said], said)))


@dataclass(frozen=True)
class Interval(_Timeless):
    """The usual time between two, in days: the median of the newest gaps.

    With `is_next` when the next one is due by it, counted from the last.
    """

    is_next: bool = False

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> list[int]:
        return _with(kept, at, MOST_FOR_INTERVAL)

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> Any:
        if kept is None or len(kept) < LEAST_FOR_INTERVAL:
            return None
        gaps = sorted(after - before for before, after in pairwise(kept))
        median = (gaps[(len(gaps) - 1) // 2] + gaps[len(gaps) // 2]) // 2
        return _iso(kept[-1] + median) if self.is_next else _whole(median / _DAY_US)


@dataclass(frozen=True)
class Season(_Timeless):
    """When the latest season began: what is more than `apart` after the one before begins one.

    Kept as stretches, each from its first to its last, of what no calendar could tell apart.
    """

    apart: Span

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> list[_Pair]:
        near, far = [at, at], []
        for first, last in kept or ():
            if last + self.apart.at_least < at or at + self.apart.at_least < first:
                far.append([first, last])
            else:
                near = [min(near[0], first), max(near[1], last)]
        return sorted([*far, near])[-MOST_SEASONS:]

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> str | None:
        if not kept:
            return None
        began = kept[-1][0]
        for first, last in reversed(kept[:-1]):
            if self.apart.end(last, tz) < began:
                break
            began = first
        return _iso(began)


@dataclass(frozen=True)
class Rfm:
    """Recency, frequency and money of what counts within a window, each as a class from 1 on.

    None for a customer of whom nothing counts. More is better, in each of the three.
    """

    of: str
    within: Span
    recency: tuple[Span, ...]
    frequency: tuple[int, ...]
    money: tuple[Decimal, ...]

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> list[_Pair]:
        money = _money(at_path(properties, self.of)) or Decimal(0)
        return _with(kept, [at, _text(money)], MOST_IN_WINDOW)

    def forget(self, kept: Any, now: int) -> Any:
        return _younger(kept, now, self.within)

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> dict[str, Any] | None:
        counting = self.within.counting(_times(kept), now, tz)
        if not counting:
            return None
        last, total = kept[-1][0], _total(kept[place] for place in counting)
        classes = {
            "recency": 1 + sum(now < each.end(last, tz) for each in self.recency),
            "frequency": 1 + sum(len(counting) >= each for each in self.frequency),
            "money": 1 + sum(total >= each for each in self.money),
        }
        return {**classes, "score": "".join(map(str, classes.values()))}

    def changes(self, kept: Any, now: int, tz: ZoneInfo) -> Sequence[Iterator[int]]:
        if not kept:
            return ()
        colder = sorted(each.end(kept[-1][0], tz) for each in self.recency)
        leaving = self.within.leaving(_times(kept), now, tz)
        return (leaving, (end for end in colder if end > now))


def _with(kept: list[Any] | None, entry: Any, most: int) -> list[Any]:
    """What was kept, and this: in order, and no more than so many of the newest."""
    entries = list(kept or ())
    insort(entries, entry)
    return entries[-most:]


def _times(pairs: list[_Pair] | None) -> list[int]:
    return [at for at, _ in pairs or ()]


def _younger(pairs: Any, now: int, within: Span) -> Any:
    if not pairs:
        return pairs
    return pairs[bisect_right(pairs, now - within.at_most, key=lambda pair: pair[0]) :]


def _total(pairs: Iterator[_Pair]) -> Decimal:
    total = Decimal(0)
    for _, money in pairs:
        total = _EXACT.add(total, Decimal(money))
    return total


def _money(raw: object) -> Decimal | None:
    """A number as it was written; None for what is no finite number, or beyond all money."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    if not math.isfinite(raw) or abs(raw) > _MOST_MONEY:
        return None
    return Decimal(repr(raw))


def _text(money: Decimal) -> str:
    """Equal amounts as equal texts: 10 and 10.0 are one."""
    return str(_EXACT.normalize(money)) if money else "0"


def _number(money: Decimal) -> int | float:
    return _whole(float(money)) if abs(money) < _MOST_MONEY else int(money)


def _whole(number: float) -> int | float:
    return int(number) if number.is_integer() else number


def _said(raw: object) -> str | None:
    """A value as JSON text; None for what is missing, has parts, or is too long for a category."""
    if isinstance(raw, str):
        return anchor_text(raw) if is_plain(raw, _LONGEST_VALUE) else None
    if isinstance(raw, float) and not math.isfinite(raw):
        return None
    return anchor_text(raw) if isinstance(raw, bool | int | float) else None


def _iso(us: int) -> str:
    return instant(us).isoformat().replace("+00:00", "Z")

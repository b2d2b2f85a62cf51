"""How often and how much: measures that count events, and add up what they say.

The rules are those of `engine.measures`. The surprising fact: within a window only so many
are kept, so a thousand means *a thousand or more*, and who does that much is no other
customer for having done a little more.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from heapq import merge
from typing import Any
from zoneinfo import ZoneInfo

from engine.measures import Change, Pair, Timeless, newest
from engine.spans import Span
from engine.values import at_path

# Who does something a thousand times in a window does it often; and a row stays a row.
MOST_IN_WINDOW = 1_000
# Beyond this a number is not money or a count (as `rendering.grammar` has it). Below it, a
# double is written with at most 15 digits before the point and 341 behind, so no sum of any
# that customers can do is ever rounded.
_MOST_MONEY = 10**15
_EXACT = Context(prec=400)


@dataclass(frozen=True)
class Count(Timeless):
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
        return newest(kept, at, MOST_IN_WINDOW)

    def forget(self, kept: Any, now: int) -> Any:
        return kept[bisect_right(kept, now - self.within.at_most) :] if kept else kept

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> int:
        return len(self.within.counting(kept, now, tz)) if kept else 0

    def changes(self, kept: Any, now: int, tz: ZoneInfo) -> Iterator[Change]:
        left = self.value(kept, now, tz)
        for end, _ in self.within.leaving(kept or (), now, tz):
            left -= 1
            yield end, left


@dataclass(frozen=True)
class Sum(Timeless):
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
        return kept if money is None else newest(kept, [at, _text(money)], MOST_IN_WINDOW)

    def forget(self, kept: Any, now: int) -> Any:
        return _younger(kept, now, self.within)

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> int | float:
        return _number(_total(kept, self.within.counting(_times(kept), now, tz)))

    def changes(self, kept: Any, now: int, tz: ZoneInfo) -> Iterator[Change]:
        times = _times(kept)
        left = _total(kept, self.within.counting(times, now, tz))
        for end, place in self.within.leaving(times, now, tz):
            left = _EXACT.subtract(left, Decimal(kept[place][1]))
            yield end, _number(left)


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

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> list[Pair]:
        money = _money(at_path(properties, self.of)) or Decimal(0)
        return newest(kept, [at, _text(money)], MOST_IN_WINDOW)

    def forget(self, kept: Any, now: int) -> Any:
        return _younger(kept, now, self.within)

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> dict[str, Any] | None:
        counting = self.within.counting(_times(kept), now, tz)
        return self._classes(kept, len(counting), _total(kept, counting), now, tz)

    def changes(self, kept: Any, now: int, tz: ZoneInfo) -> Iterator[Change]:
        times = _times(kept)
        counting = self.within.counting(times, now, tz)
        often, money = len(counting), _total(kept, counting)
        colder = sorted(each.end(times[-1], tz) for each in self.recency) if times else []
        steps: Iterator[tuple[int, int | None]] = merge(
            self.within.leaving(times, now, tz),
            ((end, None) for end in colder if end > now),
            key=lambda step: step[0],
        )
        for end, place in steps:
            if place is not None:
                often, money = often - 1, _EXACT.subtract(money, Decimal(kept[place][1]))
            yield end, self._classes(kept, often, money, end, tz)

    def _classes(
        self, kept: Any, often: int, money: Decimal, now: int, tz: ZoneInfo
    ) -> dict[str, Any] | None:
        if not often:
            return None
        classes = {
            "recency": 1 + sum(now < each.end(kept[-1][0], tz) for each in self.recency),
            "frequency": 1 + sum(often >= each for each in self.frequency),
            "money": 1 + sum(money >= each for each in self.money),
        }
        return {**classes, "score": "".join(map(str, classes.values()))}


def _times(pairs: list[Pair] | None) -> list[int]:
    return [at for at, _ in pairs or ()]


def _younger(pairs: Any, now: int, within: Span) -> Any:
    if not pairs:
        return pairs
    return pairs[bisect_right(pairs, now - within.at_most, key=lambda pair: pair[0]) :]


def _total(pairs: Sequence[Pair] | None, places: Iterable[int]) -> Decimal:
    total = Decimal(0)
    if pairs is None:
        return total
    for place in places:
        total = _EXACT.add(total, Decimal(pairs[place][1]))
    return total


def _money(raw: object) -> Decimal | None:
    """A number as it was written; None for what is no finite number, or beyond all money."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    if abs(raw) > _MOST_MONEY or math.isnan(raw):
        return None
    return Decimal(repr(raw))


def _text(money: Decimal) -> str:
    """Equal amounts as equal texts: 10 and 10.0 are one."""
    return str(_EXACT.normalize(money)) if money else "0"


def _number(money: Decimal) -> int | float:
    return int(money) if money == money.to_integral_value() else float(money)

"""Measures: what is kept of a customer's events for one trait or count, and what it comes to.

Those of habits are here, those of amounts next door (`engine.amounts`). Each takes in events
one by one, in whatever order they arrive, and answers for a time. Rules for whoever edits it:

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
from bisect import insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from engine.spans import Span, instant
from engine.values import anchor_text, at_path, is_plain

# Taste and habits are what one did lately, and not in the first year.
MOST_FOR_FAVOURITE = 100
MOST_FOR_INTERVAL = 32
LEAST_FOR_INTERVAL = 3  # two gaps: of one alone nobody can say that it is usual
MOST_SEASONS = 1_000

# Longer texts are no category, and would make every row long.
_LONGEST_VALUE = 500
_DAY_US = 86_400_000_000

# A time, and a value as text: what is kept of an event that is about one.
Pair = list[Any]
# A time, and what a measure comes to from then on.
Change = tuple[int, Any]


class Measure(Protocol):
    """One thing that is computed. `kept` is what `add` answered before; None is nothing yet."""

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> Any:
        """What is kept after one more event; the value handed in stays as it is."""

    def forget(self, kept: Any, now: int) -> Any:
        """What is kept without that which can't count any more, at `now` or later."""

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> Any:
        """What it comes to at `now`; None where that is nothing."""

    def changes(self, kept: Any, now: int, tz: ZoneInfo) -> Iterator[Change]:
        """When time alone changes the value after `now`, and to what: ascending.

        Of several at one instant, the last one holds.
        """


class Timeless:
    """What time alone does not change: nothing of it is ever forgotten."""

    def forget(self, kept: Any, now: int) -> Any:
        return kept

    def changes(self, kept: Any, now: int, tz: ZoneInfo) -> Iterator[Change]:
        return iter(())


@dataclass(frozen=True)
class Edge(Timeless):
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
class Favourite(Timeless):
    """What a property says most often, among the newest that say something.

    Of those as frequent, the one that was said last; of those, the first in the alphabet.
    """

    of: str

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> Any:
        said = _said(at_path(properties, self.of))
        return kept if said is None else newest(kept, [at, said], MOST_FOR_FAVOURITE)

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> Any:
        counts: dict[str, int] = {}
        last: dict[str, int] = {}
        for at, said in kept or ():
            counts[said], last[said] = counts.get(said, 0) + 1, at
        if not counts:
            return None
        return json.loads(min(counts, key=lambda said: (-counts[said], -last[said], said)))


@dataclass(frozen=True)
class Interval(Timeless):
    """The usual time between two, in days: the median of the newest gaps.

    With `is_next` when the next one is due by it, counted from the last.
    """

    is_next: bool = False

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> list[int]:
        return newest(kept, at, MOST_FOR_INTERVAL)

    def value(self, kept: Any, now: int, tz: ZoneInfo) -> Any:
        if kept is None or len(kept) < LEAST_FOR_INTERVAL:
            return None
        gaps = sorted(after - before for before, after in pairwise(kept))
        median = (gaps[(len(gaps) - 1) // 2] + gaps[len(gaps) // 2]) // 2
        return _iso(kept[-1] + median) if self.is_next else _days(median)


@dataclass(frozen=True)
class Season(Timeless):
    """When the latest season began: what is more than `apart` after the one before begins one.

    Kept as stretches, each from its first to its last, of what no calendar could tell apart.
    """

    apart: Span

    def add(self, kept: Any, at: int, properties: Mapping[str, Any]) -> list[Pair]:
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


def newest(kept: list[Any] | None, entry: Any, most: int) -> list[Any]:
    """What was kept, and this: in order, and no more than so many of the newest."""
    entries = list(kept or ())
    insort(entries, entry)
    return entries[-most:]


def _said(raw: object) -> str | None:
    """A value as JSON text; None for what is missing, has parts, or is too long for a category."""
    if isinstance(raw, str):
        return anchor_text(raw) if is_plain(raw, _LONGEST_VALUE) else None
    if not isinstance(raw, bool | int | float):
        return None
    if isinstance(raw, float) and not math.isfinite(raw):
        return None
    said = anchor_text(raw)
    return said if len(said) <= _LONGEST_VALUE else None


def _days(us: int) -> int | float:
    days = us / _DAY_US
    return int(days) if days.is_integer() else days


def _iso(us: int) -> str:
    return instant(us).isoformat().replace("+00:00", "Z")

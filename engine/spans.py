"""How long what happened counts: windows by the customer's calendar, over times as numbers.

An event counts within a window at `t` iff `event.at <= t < event.at + window`: forward, so
that its leaving is known as it comes. The surprising fact: a younger event may leave before
an older one. What happened on 30 January at 10:00 leaves a month's window on 28 February at
10:00, and what happened on 31 January at 09:00 an hour earlier.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from heapq import heappop, heappush
from zoneinfo import ZoneInfo

from engine.expressions import Duration, Unit
from engine.localtime import OutOfRange, shift

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MINUTE_US = 60_000_000
# A zone's offset moves by a day at the most (Samoa, 2011), and by some hours more meanwhile.
_CALENDAR_SLACK_US = 2 * 1440 * _MINUTE_US
# Some megabytes. The same events are asked about whenever their customer does something.
_MOST_ENDS = 10_000
_SHORTEST: Mapping[Unit, int] = {
    Unit.MINUTE: 1, Unit.HOUR: 60, Unit.DAY: 1440, Unit.WEEK: 7 * 1440, Unit.MONTH: 28 * 1440,
    Unit.YEAR: 365 * 1440,
}  # fmt: skip
_LONGEST: Mapping[Unit, int] = {**_SHORTEST, Unit.MONTH: 31 * 1440, Unit.YEAR: 366 * 1440}


def microseconds(at: datetime) -> int:
    """The instant as a whole number since 1970: exact, and the same in every JSON."""
    return (at - _EPOCH) // _MICROSECOND


def instant(us: int) -> datetime:
    """The instant (aware UTC) of that number."""
    return _EPOCH + us * _MICROSECOND


@dataclass(frozen=True, eq=False)
class Span:
    """How long, from one instant on, in a zone that is known only when it is asked about."""

    duration: Duration
    _ends: dict[tuple[int, ZoneInfo], int] = field(default_factory=dict)

    @cached_property
    def at_least(self) -> int:
        """No shorter than this in any zone, in microseconds."""
        return max(0, self._minutes(_SHORTEST) * _MINUTE_US - self._slack)

    @cached_property
    def at_most(self) -> int:
        """No longer than this in any zone, in microseconds."""
        return self._minutes(_LONGEST) * _MINUTE_US + self._slack

    def end(self, at: int, tz: ZoneInfo) -> int:
        """Where it ends that begins at `at`."""
        if (end := self._ends.get((at, tz))) is None:
            if len(self._ends) >= _MOST_ENDS:
                self._ends.clear()
            end = self._ends[at, tz] = self._end(at, tz)
        return end

    def _end(self, at: int, tz: ZoneInfo) -> int:
        try:
            return microseconds(shift(instant(at), self.duration.terms, tz))
        except OutOfRange:
            return at  # at the calendar's own end nothing lasts

    def counts(self, at: datetime, now: datetime, tz: ZoneInfo) -> bool:
        """Whether what happened at `at` counts at `now`."""
        return microseconds(now) < self.end(microseconds(at), tz)

    def counting(self, times: Sequence[int], now: int, tz: ZoneInfo) -> list[int]:
        """The places of those times (ascending, none after `now`) that count at `now`."""
        first = bisect_right(times, now - self.at_most)
        sure = max(first, bisect_right(times, now - self.at_least))
        doubtful = (place for place in range(first, sure) if now < self.end(times[place], tz))
        return [*doubtful, *range(sure, len(times))]

    def leaving(self, times: Sequence[int], now: int, tz: ZoneInfo) -> Iterator[tuple[int, int]]:
        """When those stop counting that count at `now`, and their places: ascending by when.

        Each is worked out when it is asked for.
        """
        waiting: list[tuple[int, int]] = []
        for place in range(bisect_right(times, now - self.at_most), len(times)):
            while waiting and waiting[0][0] <= times[place] + self.at_least:
                yield heappop(waiting)
            if (end := self.end(times[place], tz)) > now:
                heappush(waiting, (end, place))
        while waiting:
            yield heappop(waiting)

    @property
    def _slack(self) -> int:
        """Minutes and hours are as long in every zone and season."""
        units = {term.unit for term in self.duration.terms}
        return 0 if units <= {Unit.MINUTE, Unit.HOUR} else _CALENDAR_SLACK_US

    def _minutes(self, lengths: Mapping[Unit, int]) -> int:
        return sum(term.count * lengths[term.unit] for term in self.duration.terms)

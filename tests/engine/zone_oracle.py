"""An oracle of time zones that shares nothing with the engine but the data.

It reads the TZif files of the `tzdata` package itself (RFC 9636), POSIX footer included,
into stretches of constant offset. It knows neither `zoneinfo` nor `fold`. Instants are
seconds since 1970, wall times seconds since 1970 as the clocks show them.
"""

import re
import struct
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files

from engine.expressions import Days, Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3600, 86400
# A year more on both sides, for what reaches out of 2026–2030.
FIRST_YEAR, LAST_YEAR = 2025, 2031

NAMES = files("tzdata").joinpath("zones").read_text().split()


def seconds(year: int, month: int, day: int) -> int:
    """Of that date's midnight."""
    return date(year, month, day).toordinal() * DAY - date(1970, 1, 1).toordinal() * DAY


@dataclass(frozen=True)
class Stretches:
    """`offsets[i]` holds from `begins[i]` on; the first `begins` is long before 2025."""

    begins: tuple[int, ...]
    offsets: tuple[int, ...]

    def offset(self, instant: int) -> int:
        """What the clocks are ahead of UTC."""
        return self.offsets[bisect_right(self.begins, instant) - 1]

    def instant(self, wall: int) -> int:
        """The first instant that shows this wall time; in a gap, the first one after it."""
        near = range(
            max(bisect_right(self.begins, wall - 2 * DAY) - 1, 0),
            bisect_right(self.begins, wall + 2 * DAY),
        )
        for i in near:
            if self.begins[i] <= wall - self.offsets[i] < self._end(i):
                return wall - self.offsets[i]
        return next(self.begins[i] for i in near if self.begins[i] + self.offsets[i] > wall)

    def changes(self) -> Iterator[tuple[int, int, int]]:
        """Each transition of 2026–2030: its instant, the offset before and after."""
        for i in range(1, len(self.begins)):
            if seconds(2026, 1, 1) <= self.begins[i] < seconds(2031, 1, 1):
                yield self.begins[i], self.offsets[i - 1], self.offsets[i]

    def _end(self, i: int) -> int:
        return self.begins[i + 1] if i + 1 < len(self.begins) else 2**62


def _read_header(data: bytes, at: int) -> tuple[int, int, int, int, int, int]:
    assert data[at : at + 4] == b"TZif"
    isutc, isstd, leap, times, types, chars = struct.unpack(">6I", data[at + 20 : at + 44])
    return isutc, isstd, leap, times, types, chars


@cache
def oracle(name: str) -> Stretches:
    """The zone's stretches from its 64-bit data block and footer (RFC 9636, section 3)."""
    data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    isutc, isstd, leap, times, types, chars = _read_header(data, 0)
    at = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isutc
    isutc, isstd, leap, times, types, chars = _read_header(data, at)
    at += 44
    instants = struct.unpack(f">{times}q", data[at : at + 8 * times])
    at += 8 * times
    kinds = data[at : at + times]
    at += times
    offsets = [struct.unpack(">i", data[at + 6 * k : at + 6 * k + 4])[0] for k in range(types)]
    at += 6 * types + chars + leap * 12 + isstd + isutc
    footer = data[at:].decode().strip("\n")
    found = {-(2**62): offsets[0]}
    found.update({t: offsets[k] for t, k in zip(instants, kinds, strict=True)})
    if footer:
        last = instants[-1] if instants else -(2**62)
        found.update({t: o for t, o in _footer_changes(footer) if t > last})
    begins = sorted(found)
    real = [t for i, t in enumerate(begins) if i == 0 or found[t] != found[begins[i - 1]]]
    return Stretches(tuple(real), tuple(found[t] for t in real))


_NAME = r"(?:<[^>]+>|[A-Za-z]+)"
_CLOCK = r"[+-]?\d+(?::\d+){0,2}"
_FOOTER = re.compile(
    rf"{_NAME}(?P<std>{_CLOCK})(?:{_NAME}(?P<dst>{_CLOCK})?,(?P<begin>[^,]+),(?P<end>[^,]+))?"
)


def _clock(text: str) -> int:
    hours, minutes, seconds = ([int(part) for part in text.lstrip("+-").split(":")] + [0, 0])[:3]
    return (-1 if text.startswith("-") else 1) * (hours * HOUR + minutes * MINUTE + seconds)


def _footer_changes(footer: str) -> Iterator[tuple[int, int]]:
    """(instant, offset from then on) by the POSIX rule at the end of the file."""
    found = _FOOTER.fullmatch(footer)
    assert found, footer
    standard = -_clock(found["std"])
    if found["begin"] is None:
        return
    summer = -_clock(found["dst"]) if found["dst"] else standard + HOUR
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        yield _rule_day(found["begin"], year) - standard, summer
        yield _rule_day(found["end"], year) - summer, standard


def _rule_day(rule: str, year: int) -> int:
    """`Mm.w.d/time`, the only form in use: the d-th weekday (Sunday 0) of the w-th week."""
    day_text, _, clock = rule.partition("/")
    month, week, weekday = (int(part) for part in day_text.removeprefix("M").split("."))
    first = date(year, month, 1).isoweekday() % 7
    day = 1 + (weekday - first) % 7 + 7 * (week - 1)
    while day > monthrange(year, month)[1]:
        day -= 7
    return seconds(year, month, day) + (_clock(clock) if clock else 2 * HOUR)


def utc(instant: int) -> datetime:
    """As the engine has it."""
    return EPOCH + timedelta(seconds=instant)


def naive(wall: int) -> datetime:
    """A wall time as a datetime."""
    return utc(wall).replace(tzinfo=None)


def is_open(wall: int, window: Window | None, days: Days | None) -> bool:
    """Whether that wall time lies in the window, on one of the days."""
    day, minute = divmod(wall // MINUTE, 1440)
    weekday = (day + 3) % 7  # 1 January 1970 was a Thursday
    if window is not None:
        opens = window.opens.hour * 60 + window.opens.minute
        closes = window.closes.hour * 60 + window.closes.minute
        if opens < closes and not opens <= minute < closes:
            return False
        if closes <= opens and closes <= minute < opens:
            return False
        if closes <= opens and minute < closes:
            weekday = (weekday - 1) % 7
    return days is None or weekday in days.weekdays

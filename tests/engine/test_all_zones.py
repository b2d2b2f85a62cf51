"""Every IANA zone, around each of its DST changes 2026–2030, against an independent oracle.

The oracle shares nothing with the engine but the data: it reads the TZif files of the
`tzdata` package itself (RFC 9636), POSIX footer included, into stretches of constant
offset, and finds wall times and openings by looking through those stretches minute by
minute. It knows neither `zoneinfo` nor `fold`.
"""

import re
import struct
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from engine.expressions import Days, Term, Unit, Window
from engine.localtime import local, next_opening, set_wall_time, shift, zone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3600, 86400
# A year more on both sides, for what reaches out of 2026–2030.
FIRST_YEAR, LAST_YEAR = 2025, 2031

NAMES = files("tzdata").joinpath("zones").read_text().split()


# --- The oracle: seconds since 1970, and stretches of constant offset ---


def _seconds(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal() * DAY - date(1970, 1, 1).toordinal() * DAY


@dataclass(frozen=True)
class Stretches:
    """`offsets[i]` holds from `begins[i]` on; the first `begins` is long before 2025."""

    begins: tuple[int, ...]
    offsets: tuple[int, ...]

    def offset(self, instant: int) -> int:
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
            if _seconds(2026, 1, 1) <= self.begins[i] < _seconds(2031, 1, 1):
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
    return _seconds(year, month, day) + (_clock(clock) if clock else 2 * HOUR)


# --- Between the oracle's numbers and the engine's values ---


def _utc(instant: int) -> datetime:
    return EPOCH + timedelta(seconds=instant)


def _naive(wall: int) -> datetime:
    return _utc(wall).replace(tzinfo=None)


def _zone(name: str) -> ZoneInfo:
    found = zone(name)
    assert found is not None
    return found


def _check(name: str, tz: ZoneInfo, instant: int) -> None:
    """Local times, days, weeks, months and wall times, from this instant on."""
    stretches = oracle(name)
    wall = instant + stretches.offset(instant)
    day, second = divmod(wall, DAY)
    shown = _naive(wall)
    told = (name, _utc(instant))
    assert local(shown.date(), shown.time(), tz) == _utc(stretches.instant(wall)), told
    for unit, length in ((Unit.DAY, DAY), (Unit.WEEK, 7 * DAY)):
        for count in (1, -1):
            wanted = _utc(stretches.instant(wall + count * length))
            assert shift(_utc(instant), [Term(count, unit)], tz) == wanted, (*told, count, unit)
    months = stretches.instant(_month_later(day) * DAY + second)
    assert shift(_utc(instant), [Term(1, Unit.MONTH)], tz) == _utc(months), told
    for minute in (0, 30, 150, 1410):
        wanted = _utc(stretches.instant(day * DAY + minute * MINUTE))
        assert set_wall_time(_utc(instant), time(*divmod(minute, 60)), tz) == wanted, told


def _month_later(day: int) -> int:
    was = date(1970, 1, 1) + timedelta(days=day)
    first = (was.replace(day=1) + timedelta(days=32)).replace(day=1)
    days = monthrange(first.year, first.month)[1]
    return (first.replace(day=min(was.day, days)) - date(1970, 1, 1)).days


# --- The oracle itself ---


@pytest.mark.parametrize(
    ("name", "year", "changes"),
    [
        # From the zones' laws, not from the data: EU 1996–, US 2007–, New Zealand 2007–.
        ("Europe/Paris", 2026, [("2026-03-29T01:00", 2), ("2026-10-25T01:00", 1)]),
        ("America/New_York", 2030, [("2030-03-10T07:00", -4), ("2030-11-03T06:00", -5)]),
        ("Pacific/Auckland", 2027, [("2027-04-03T14:00", 12), ("2027-09-25T14:00", 13)]),
        ("Australia/Lord_Howe", 2026, [("2026-04-04T15:00", 10.5), ("2026-10-03T15:30", 11)]),
        ("Europe/Dublin", 2026, [("2026-03-29T01:00", 1), ("2026-10-25T01:00", 0)]),
        ("Asia/Kolkata", 2026, []),
    ],
)
def test_the_oracle_knows_the_law(name: str, year: int, changes: list[tuple[str, float]]) -> None:
    found = [
        (f"{_utc(at):%Y-%m-%dT%H:%M}", after / HOUR)
        for at, _, after in oracle(name).changes()
        if _utc(at).year == year
    ]
    assert found == changes


def test_the_oracle_sees_the_zones_that_change() -> None:
    changing = [name for name in NAMES if any(True for _ in oracle(name).changes())]
    assert len(NAMES) > 550
    assert len(changing) > 150


# --- The engine against it ---


def test_every_zone_agrees_around_each_of_its_changes() -> None:
    near = [*range(-2 * HOUR, 2 * HOUR + 1, 15 * MINUTE), -1, 1, -DAY, DAY, -7 * DAY, 7 * DAY]
    checked = 0
    for name in NAMES:
        tz = _zone(name)
        for at, _, _ in oracle(name).changes():
            # A day and a week before the change, stepping over it lands in the gap or the fold.
            for base in (at - DAY, at, at + DAY):
                for delta in near if base == at else near[::4]:
                    _check(name, tz, base + delta)
                    checked += 1
    assert checked > 40_000


def test_every_zone_agrees_all_through_2026_to_2030() -> None:
    # A step that is no multiple of a day visits every hour of the day and all seasons.
    step = 31 * DAY + 7 * HOUR + 13 * MINUTE
    for name in NAMES:
        tz = _zone(name)
        for instant in range(_seconds(2026, 1, 1), _seconds(2031, 1, 1), step):
            _check(name, tz, instant)


def _is_open(wall: int, window: Window | None, days: Days | None) -> bool:
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


def _window(from_minute: int, to_minute: int) -> Window:
    return Window(time(*divmod(from_minute % 1440, 60)), time(*divmod(to_minute % 1440, 60)))


def _cases(at: int, before: int, after: int) -> list[tuple[Window | None, Days | None]]:
    """Windows that open, close, lie or span in what is skipped or repeated; days around it."""
    low, high = sorted(((at + before) // MINUTE % 1440, (at + after) // MINUTE % 1440))
    if high - low > 720:  # the change crosses midnight
        low, high = high, low + 1440
    width = high - low
    inside = low + width // 2
    weekday = ((at + before - 1) // DAY + 3) % 7  # of the last second before it
    day, next_day = Days((weekday,)), Days(((weekday + 1) % 7,))
    both = Days(tuple(sorted(day.weekdays + next_day.weekdays)))
    return [
        (_window(540, 1080), None),
        (_window(1200, 120), None),
        (_window(1080, 0), day),
        (_window(inside, inside + 300), None),
        (_window(inside - 300, inside), None),
        (_window(low, high), None),
        (_window(low + width // 4, high - width // 4), both),
        (_window(inside + 1, inside), day),
        (None, day),
        (None, next_day),
    ]


def _check_openings(
    name: str, change: tuple[int, int, int], window: Window | None, days: Days | None
) -> int:
    """From a day before the change to two days after it; the openings are found by looking."""
    tz, (at, before, after) = _zone(name), change
    told, checked = (name, _utc(at), str(window), str(days)), 0
    opening: int | None = None
    for instant in range(at + 48 * HOUR, at - 25 * HOUR - 1, -MINUTE):
        if _is_open(instant + (before if instant < at else after), window, days):
            opening = instant
        # All minutes near the change; elsewhere one in 47, which visits all of an hour's.
        if opening is not None and (abs(instant - at) <= 8 * MINUTE or instant // MINUTE % 47 == 0):
            found = next_opening(_utc(instant), tz, window, days)
            assert found == _utc(opening), (*told, _utc(instant))
            checked += 1
    return checked


def test_openings_around_every_kind_of_change_are_those_that_looking_finds() -> None:
    # Zones that change alike at one instant need one of them; the offsets say it all.
    kinds: dict[tuple[int, int, int], str] = {}
    for name in NAMES:
        for change in oracle(name).changes():
            kinds.setdefault(change, name)
    assert len(kinds) > 100
    for change, name in kinds.items():
        assert all(number % MINUTE == 0 for number in change)
        for window, days in _cases(*change):
            assert _check_openings(name, change, window, days) > 0

"""Every IANA zone, around each of its DST changes 2026–2030, against an independent oracle.

The oracle (`zone_oracle.py`) shares nothing with the engine but the data. Wall times and
openings are found by looking through its stretches minute by minute.
"""

from calendar import monthrange
from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from engine.expressions import Days, Term, Unit, Window
from engine.localtime import local, next_opening, set_wall_time, shift, zone
from tests.engine.zone_oracle import (
    DAY,
    HOUR,
    MINUTE,
    NAMES,
    is_open,
    naive,
    oracle,
    seconds,
    utc,
)

# --- Between the oracle's numbers and the engine's values ---


def _zone(name: str) -> ZoneInfo:
    found = zone(name)
    assert found is not None
    return found


def _check(name: str, tz: ZoneInfo, instant: int) -> None:
    """Local times, days, weeks, months and wall times, from this instant on."""
    stretches = oracle(name)
    wall = instant + stretches.offset(instant)
    day, second = divmod(wall, DAY)
    shown = naive(wall)
    told = (name, utc(instant))
    assert local(shown.date(), shown.time(), tz) == utc(stretches.instant(wall)), told
    for unit, length in ((Unit.DAY, DAY), (Unit.WEEK, 7 * DAY)):
        for count in (1, -1):
            wanted = utc(stretches.instant(wall + count * length))
            assert shift(utc(instant), [Term(count, unit)], tz) == wanted, (*told, count, unit)
    months = stretches.instant(_month_later(day) * DAY + second)
    assert shift(utc(instant), [Term(1, Unit.MONTH)], tz) == utc(months), told
    for minute in (0, 30, 150, 1410):
        wanted = utc(stretches.instant(day * DAY + minute * MINUTE))
        assert set_wall_time(utc(instant), time(*divmod(minute, 60)), tz) == wanted, told


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
        (f"{utc(at):%Y-%m-%dT%H:%M}", after / HOUR)
        for at, _, after in oracle(name).changes()
        if utc(at).year == year
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
        for instant in range(seconds(2026, 1, 1), seconds(2031, 1, 1), step):
            _check(name, tz, instant)


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
    told, checked = (name, utc(at), str(window), str(days)), 0
    opening: int | None = None
    for instant in range(at + 48 * HOUR, at - 25 * HOUR - 1, -MINUTE):
        if is_open(instant + (before if instant < at else after), window, days):
            opening = instant
        # All minutes near the change; elsewhere one in 47, which visits all of an hour's.
        if opening is not None and (abs(instant - at) <= 8 * MINUTE or instant // MINUTE % 47 == 0):
            found = next_opening(utc(instant), tz, window, days)
            assert found == utc(opening), (*told, utc(instant))
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

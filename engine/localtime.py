"""Calendar arithmetic in a customer's zone (design.md, "Time", rules 2 and 3).

Decides which instant a wall-clock time is, when a day, a month or a window begins; knows
no clock, no journey and no customer. Instants in and out are aware UTC.

The surprising fact: a wall time that DST skips is the first instant after the gap (02:10
and 02:50 become the same 03:00), not PEP 495's shifted time (03:10, 03:50).
"""

import zoneinfo
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import assert_never
from zoneinfo import ZoneInfo

from engine.expressions import Days, StartAnchor, Term, TimeExpression, Unit, Window

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_MIDNIGHT = time()


class OutOfRange(ValueError):  # noqa: N818 - an answer about the calendar, told by name
    """The time lies outside the years 1 to 9999, or would in this zone."""


def pin_tzdata() -> None:
    """Read zones from the pinned `tzdata` package and nowhere else, in this process.

    The system's files differ from it in some zones, by an hour in a few, and a time that
    two processes compute differently breaks a replay. Importing `engine` calls this.
    """
    zoneinfo.reset_tzpath(to=())
    ZoneInfo.clear_cache()
    _names.cache_clear()
    _load.cache_clear()


def zone(name: str) -> ZoneInfo | None:
    """The zone of that IANA name, or None: a hostile name opens no file.

    Names come from raw traits, so what is no text at all is None too.
    """
    return _load(name) if isinstance(name, str) and name in _names() else None


@cache
def _names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@cache
def _load(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The instant at which the zone's clocks show that wall time.

    A skipped wall time is the first instant after the gap; a repeated one, the first of
    the two. Raises OutOfRange.
    """
    return _instant(datetime.combine(day, at), zone)


def set_wall_time(instant: datetime, at: time, zone: ZoneInfo) -> datetime:
    """That wall time on the instant's local day. Raises OutOfRange."""
    return local(_wall(instant, zone).date(), at, zone)


def shift(instant: datetime, terms: Iterable[Term], zone: ZoneInfo) -> datetime:
    """The instant moved by the terms, left to right, each to a real instant.

    Minutes and hours are absolute; longer units keep the wall-clock time, a month's end
    clamps. A count of 0 moves nothing. Raises OutOfRange.
    """
    for term in terms:
        if term.count:
            instant = _shift_once(instant, term.count, term.unit, zone)
    return instant


def resolve(
    expression: TimeExpression,
    anchor: datetime,
    zone: ZoneInfo,
    *,
    repeats: int = 0,
    unit: Unit | None = None,
) -> datetime:
    """When the expression is, its anchor being at `anchor`: + repeats units, terms, `at`.

    `start … at HH:MM` that falls before the start means the next such hour after it.
    `unit` is needed with `repeats`. Raises OutOfRange.
    """
    moved = anchor
    if repeats:
        if unit is None:
            raise TypeError("repeats of what unit?")
        moved = _shift_once(anchor, repeats, unit, zone)
    moved = shift(moved, expression.terms, zone)
    if expression.at is None:
        return moved
    moved = set_wall_time(moved, expression.at, zone)
    if moved < anchor and isinstance(expression.anchor, StartAnchor):
        moved = set_wall_time(anchor, expression.at, zone)
        if moved < anchor:
            moved = local(_next_day(_wall(anchor, zone).date()), expression.at, zone)
    return moved


def next_opening(
    instant: datetime, zone: ZoneInfo, window: Window | None, days: Days | None
) -> datetime:
    """The instant itself if the window is open then, else the first instant at which it is.

    Open means that the clocks show a time of day in the window, on one of the days; a
    window that spans midnight belongs to the day it opened on. Raises OutOfRange.
    """
    if window is None and days is None:
        return instant
    while not _is_open(wall := _wall(instant, zone), window, days):
        # As long as no transition intervenes, the clocks simply run on to the opening.
        opening = _add(instant, _next_opening_wall(wall, window, days) - wall)
        if _offset(opening, zone) == _offset(instant, zone):
            return opening
        instant = _transition(instant, opening, zone)
    return instant


def _is_open(wall: datetime, window: Window | None, days: Days | None) -> bool:
    weekday, at = wall.weekday(), wall.time()
    if window is None:
        opened_on = weekday
    elif not window.spans_midnight:
        if not window.opens <= at < window.closes:
            return False
        opened_on = weekday
    elif at >= window.opens:
        opened_on = weekday
    elif at < window.closes:
        opened_on = (weekday - 1) % 7
    else:
        return False
    return days is None or opened_on in days.weekdays


def _next_opening_wall(wall: datetime, window: Window | None, days: Days | None) -> datetime:
    """The next wall time after this one at which a window opens, were there no transitions."""
    opens = _MIDNIGHT if window is None else window.opens
    opening = datetime.combine(wall.date(), opens)
    if opening <= wall:
        opening = _add(opening, _DAY)
    while days is not None and opening.weekday() not in days.weekdays:
        opening = _add(opening, _DAY)
    return opening


def _shift_once(instant: datetime, count: int, unit: Unit, zone: ZoneInfo) -> datetime:
    match unit:
        case Unit.MINUTE:
            return _add(instant, _times(_MINUTE, count))
        case Unit.HOUR:
            return _add(instant, _times(_HOUR, count))
        case Unit.DAY:
            return _instant(_add(_wall(instant, zone), _times(_DAY, count)), zone)
        case Unit.WEEK:
            return _instant(_add(_wall(instant, zone), _times(_DAY, 7 * count)), zone)
        case Unit.MONTH:
            return _instant(_add_months(_wall(instant, zone), count), zone)
        case Unit.YEAR:
            return _instant(_add_months(_wall(instant, zone), 12 * count), zone)
    assert_never(unit)


def _add_months(wall: datetime, count: int) -> datetime:
    """The same day of another month, or that month's last if it has no such day."""
    months = wall.year * 12 + wall.month - 1 + count
    year, month = months // 12, months % 12 + 1
    if not 1 <= year <= 9999:
        raise OutOfRange(f"{count} months from {wall} is outside the years 1 to 9999")
    return wall.replace(year=year, month=month, day=min(wall.day, _month_length(year, month)))


def _month_length(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a naive wall time, by the rule of `local`."""
    first = wall.replace(tzinfo=zone, fold=0).utcoffset()
    second = wall.replace(tzinfo=zone, fold=1).utcoffset()
    assert first is not None
    assert second is not None
    try:
        # With fold=0, PEP 495 gives a repeated time its first instant, and takes a skipped
        # one by the offset before the gap.
        instant = (wall - first).replace(tzinfo=UTC)
        if first >= second:
            return instant
        return _transition((wall - second).replace(tzinfo=UTC), instant, zone)
    except OverflowError:
        raise OutOfRange(f"{wall} in {zone} is outside the years 1 to 9999") from None


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """The naive wall time that the zone's clocks show."""
    try:
        return instant.astimezone(zone).replace(tzinfo=None, fold=0)
    except OverflowError:
        raise OutOfRange(f"{instant} in {zone} is outside the years 1 to 9999") from None


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    try:
        return instant.astimezone(zone).utcoffset()
    except OverflowError:
        raise OutOfRange(f"{instant} in {zone} is outside the years 1 to 9999") from None


def _transition(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant in (before, after] at which the zone's offset changes.

    The offsets at the two differ. Transitions lie on whole seconds in every TZif file.
    """
    low = before.replace(microsecond=0)
    offset = _offset(low, zone)
    unchanged, changed = 0, (after - low) // _SECOND
    while changed - unchanged > 1:
        middle = (unchanged + changed) // 2
        if _offset(low + middle * _SECOND, zone) == offset:
            unchanged = middle
        else:
            changed = middle
    return low + changed * _SECOND


def _next_day(day: date) -> date:
    try:
        return day + _DAY
    except OverflowError:
        raise OutOfRange(f"the day after {day} is outside the years 1 to 9999") from None


def _times(step: timedelta, count: int) -> timedelta:
    try:
        return step * count
    except OverflowError:
        raise OutOfRange(f"{count} times {step} is outside the years 1 to 9999") from None


def _add(moment: datetime, delta: timedelta) -> datetime:
    try:
        return moment + delta
    except OverflowError:
        raise OutOfRange(f"{moment} + {delta} is outside the years 1 to 9999") from None

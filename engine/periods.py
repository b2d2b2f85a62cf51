"""The stretches of time that caps count in: `per: 7 days`, `per: calendar week`.

Decides what the text means and which messages share a stretch; how many it may hold is
`caps`'s. The surprising fact: a plain duration rolls. Two messages at 23:00 and 00:10 share
`1 day` and not `calendar day`, so who says nothing more gets the one that people expect.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from engine.expressions import Duration, Term, parse_duration
from engine.localtime import OutOfRange, local, shift
from engine.reading import did_you_mean, plain, refuse

_CALENDAR = "calendar"


class Page(StrEnum):
    """What the customer's calendar is divided into."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class CalendarPeriod:
    """A day, a week from Monday, or a month of the customer's own calendar."""

    page: Page

    def __str__(self) -> str:
        return f"{_CALENDAR} {self.page}"


Period = Duration | CalendarPeriod

_PAGES = tuple(str(CalendarPeriod(page)) for page in Page)
_CHOICES = f"`{'`, `'.join(_PAGES[:-1])}` or `{_PAGES[-1]}`"


def parse_period(text: str) -> Period:
    """`7 days`, which rolls, or `calendar day`, `week` or `month`; else ExpressionError."""
    first, *rest = plain(text).lower().split()
    if first == _CALENDAR:
        return _calendar(text, rest)
    if not first[0].isdigit():
        hint = did_you_mean(" ".join([first, *rest]), _PAGES)
        refuse(text, f"not a period{hint or f': write a length such as `7 days`, or {_CHOICES}'}")
    duration = parse_duration(text)
    if duration.is_zero:
        refuse(text, "a cap needs some time to count in: write for example `7 days`")
    return duration


def _calendar(text: str, rest: list[str]) -> CalendarPeriod:
    said = " ".join(rest)
    if said[:1].isdigit():
        refuse(text, f"a page of the calendar has no number: write {_CHOICES}, or just `{said}`")
    if said not in tuple(Page):
        refuse(text, f"not a period{did_you_mean(said, Page) or f': write {_CHOICES}'}")
    return CalendarPeriod(Page(said))


def begins_before(period: Period, at: datetime, tz: ZoneInfo) -> datetime:
    """What lies before this can't share a stretch with `at`. Raises OutOfRange."""
    if isinstance(period, CalendarPeriod):
        return local(_first_day(period.page, at.astimezone(tz).date()), time(), tz)
    return shift(at, tuple(Term(-term.count, term.unit) for term in period.terms), tz)


def ends_after(period: Period, sent_at: datetime, at: datetime, tz: ZoneInfo) -> datetime | None:
    """Until when a message of `sent_at` is counted, asked at `at`; None if it is no more.

    One that lies ahead of `at` is counted too where a stretch holds both: deliveries need not
    be decided in the order of their times.
    """
    if isinstance(period, CalendarPeriod):
        first, today = (_first_day(period.page, t.astimezone(tz).date()) for t in (sent_at, at))
        return local(_next(period.page, today), time(), tz) if first == today else None
    end = shift(sent_at, period.terms, tz)
    try:
        shares = at < end and sent_at < shift(at, period.terms, tz)
    except OutOfRange:
        shares = at < end
    return end if shares else None


def _first_day(page: Page, day: date) -> date:
    match page:
        case Page.DAY:
            return day
        case Page.WEEK:
            return day - timedelta(days=day.weekday())
        case Page.MONTH:
            return day.replace(day=1)


def _next(page: Page, first: date) -> date:
    match page:
        case Page.DAY:
            return first + timedelta(days=1)
        case Page.WEEK:
            return first + timedelta(days=7)
        case Page.MONTH:
            return _first_day(Page.MONTH, first + timedelta(days=31))

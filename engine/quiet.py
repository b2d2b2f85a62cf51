"""When it is loud: the first moment at which a message may disturb, wherever its reader may be.

Decides over all zones that are possible, the channel's quiet hours and the step's own
window at once; knows no consent and no cap. Instants are aware UTC. The surprising fact:
there may be no such moment at all, as where a window of nine hours must hold in all of
Russia; so the search ends where the message's grace does.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from engine.definition import Step
from engine.enrollment import Delivery
from engine.expressions import Days, Window
from engine.localtime import OutOfRange, next_opening, zone
from engine.places import Whereabouts
from engine.policy import QuietHours

_WEEK = range(7)

# From an instant on, the first at which one rule lets the message out: that instant, or later.
_Opening = Callable[[datetime], datetime]


def loud_from(
    step: Step, delivery: Delivery, quiet: QuietHours | None, where: Whereabouts | None
) -> datetime | None:
    """The first instant, from the delivery's own on, that is loud in every possible zone.

    None if its grace is over before. Without `where` the zone is the delivery's. "Send now"
    passes the step's window, not the quiet hours.
    """
    has_window = (step.between or step.days) is not None and not delivery.forced
    if quiet is None and not has_window:
        return delivery.at
    window = (step.between, step.days) if has_window else (None, None)
    names = where.zones if where is not None else (delivery.zone,)
    is_holiday = where.is_holiday if where is not None else _never
    rules = [rule for name in names for rule in _rules(_zone(name), window, quiet, is_holiday)]
    return _first_common(rules, delivery.at, delivery.until)


def _first_common(rules: list[_Opening], at: datetime, until: datetime) -> datetime | None:
    """The first instant in [at, until] that every rule lets pass.

    No rule ever moves past an instant at which all of them are open, so going on until
    none moves any more arrives at the first such instant.
    """
    agreed = 0
    while agreed < len(rules):
        for rule in rules:
            try:
                opening = rule(at)
            except OutOfRange:
                return None  # beyond the calendar is beyond every grace
            if opening > until:
                return None
            agreed = agreed + 1 if opening == at else 1
            at = opening
    return at


def _rules(
    tz: ZoneInfo,
    window: tuple[Window | None, Days | None],
    quiet: QuietHours | None,
    is_holiday: Callable[[date], bool],
) -> Iterator[_Opening]:
    between, days = window
    if between is not None or days is not None:
        yield lambda at: next_opening(at, tz, between, days)
    if quiet is None:
        return
    if quiet.hours is not None:
        loud = Window(opens=quiet.hours.closes, closes=quiet.hours.opens)
        yield lambda at: next_opening(at, tz, loud, None)
    if quiet.days is not None:
        loud_days = _all_but(quiet.days.weekdays)
        yield lambda at: next_opening(at, tz, None, loud_days)
    if quiet.holidays:
        yield lambda at: _after_holidays(at, tz, is_holiday)


def _after_holidays(at: datetime, tz: ZoneInfo, is_holiday: Callable[[date], bool]) -> datetime:
    """The first instant whose local day is none. Clocks put back may return to one."""
    while is_holiday(day := at.astimezone(tz).date()):
        at = next_opening(at, tz, None, _all_but((day.weekday(),)))
    return at


def _all_but(weekdays: tuple[int, ...]) -> Days:
    return Days(tuple(day for day in _WEEK if day not in weekdays))


def _never(day: date) -> bool:
    return False


def _zone(name: str) -> ZoneInfo:
    found = zone(name)
    assert found is not None  # whoever names zones to the gate names those that exist
    return found

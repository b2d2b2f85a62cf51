"""Daily, weekly, monthly, yearly: the times of a step that comes again, and windows of any.

Decides which times there are; which of them are over and done with is `plan`'s question.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from engine.definition import Step
from engine.expressions import Unit
from engine.localtime import OutOfRange, next_opening, resolve

_UNITS = {"daily": Unit.DAY, "weekly": Unit.WEEK, "monthly": Unit.MONTH, "yearly": Unit.YEAR}

# The longest each unit can be, so that a jump towards a bound never overshoots it.
_LONGEST = {
    Unit.DAY: timedelta(days=1, hours=1),
    Unit.WEEK: timedelta(weeks=1, hours=1),
    Unit.MONTH: timedelta(days=31, hours=1),
    Unit.YEAR: timedelta(days=366, hours=1),
}

# A window may hold a time back by a week and a zone change by a day; so much before the
# bound the series begins, in units of a day.
_BACK = timedelta(days=9)


def series(step: Step, anchor: datetime, tz: ZoneInfo, bound: datetime) -> Iterator[datetime]:
    """Due times of a repeating `at` step from `bound` on, in order, until the calendar ends.

    Of one that chooses its hour, the moments from which it may.

    Several may fall on one moment: where a window holds Saturday's and Sunday's until Monday.
    """
    assert step.at is not None
    assert isinstance(step.repeat, str)
    unit = _UNITS[step.repeat]
    try:
        first = resolve(step.at, anchor, tz)
        k = max(0, (bound - _BACK - first) // _LONGEST[unit])
        while True:
            due_at = resolve(step.at, anchor, tz, repeats=k, unit=unit)
            due_at = due_at if step.at.best_hour else opened(step, due_at, tz)
            if due_at >= bound:
                yield due_at
            k += 1
    except (OutOfRange, OverflowError):
        return


def opened(step: Step, due_at: datetime, tz: ZoneInfo) -> datetime:
    """The time with the step's window: the next opening, if it is closed then."""
    if step.between is None and step.days is None:
        return due_at
    return next_opening(due_at, tz, step.between, step.days)

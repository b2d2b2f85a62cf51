"""How long quiet hours may hold a step up, at worst, by the customer's own clock.

Looks at every minute of a week, so windows, days and quiet hours need no rules of their own
here. Knows no zones and no holidays, which may make it longer still. The surprising fact: a
night and the Sunday behind it are one: what comes up on Saturday evening waits till Monday.
"""

from datetime import time
from functools import cache
from itertools import chain

from engine.definition import Step
from engine.expressions import Days, Duration, Unit, Window
from engine.policy import QuietHours

_DAY = 24 * 60
_WEEK = 7 * _DAY
_NEVER = 2 * _WEEK  # longer than any wait that ends
# The least that each may be: who is told that a grace is too short should be told rightly.
_MINUTES = {
    Unit.MINUTE: 1, Unit.HOUR: 60, Unit.DAY: _DAY, Unit.WEEK: _WEEK, Unit.MONTH: 28 * _DAY,
    Unit.YEAR: 365 * _DAY,
}  # fmt: skip


def minutes(duration: Duration) -> int:
    """How long it is at least."""
    return sum(term.count * _MINUTES[term.unit] for term in duration.terms)


def longest_hold(step: Step, quiet: QuietHours) -> int:
    """How many minutes the step waits at worst for a minute that is loud and in its window.

    0 where there is none at all, or where it never comes up while it is quiet.
    """
    at = step.at.at if step.at is not None else None
    return _longest(at, step.between, step.days, quiet)


@cache  # of few kinds in a folder, and each costs some milliseconds
def _longest(at: time | None, window: Window | None, days: Days | None, quiet: QuietHours) -> int:
    is_open, is_quiet = _marked(window, days), _quiet_minutes(quiet)
    worst, wait = 0, _NEVER
    # Backwards, and twice: the second time around, what lies behind Sunday night is known.
    for minute in chain(range(_WEEK - 1, -1, -1), range(_WEEK - 1, -1, -1)):
        wait = 0 if is_open[minute] and not is_quiet[minute] else wait + 1
        begins = not is_open[minute - 1]
        comes_up = is_open[minute] and (at is None or begins or minute % _DAY == _of_day(at))
        if comes_up and wait < _NEVER:
            worst = max(worst, wait)
    return worst


def _quiet_minutes(quiet: QuietHours) -> list[bool]:
    hours = _marked(quiet.hours, None) if quiet.hours is not None else [False] * _WEEK
    days = _marked(None, quiet.days) if quiet.days is not None else [False] * _WEEK
    return [a or b for a, b in zip(hours, days, strict=True)]


def _marked(window: Window | None, days: Days | None) -> list[bool]:
    """Every minute of a week from Monday, whether it is in the window of one of the days."""
    marked = [False] * _WEEK
    opens = 0 if window is None else _of_day(window.opens)
    length = _DAY if window is None else (_of_day(window.closes) - opens) % _DAY
    for day in range(7) if days is None else days.weekdays:
        for minute in range(length):
            marked[(day * _DAY + opens + minute) % _WEEK] = True
    return marked


def _of_day(at: time) -> int:
    return at.hour * 60 + at.minute

"""The best hour for a customer: which hours of the day they like, and which one a step takes.

Decides how the hours of a day rank, from when a customer clicked and used the product, and
which of the 24 hours that follow a moment is the best that is left. Knows no store. The one
surprising fact: an hour that is over when the choice is made counts no more, but one that was
chosen before stays what it was, however late it is asked about again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from engine.events import BuiltInEvent, is_reserved
from engine.expressions import Days, Window
from engine.localtime import local, next_opening

HOURS = range(24)

# Somebody who follows a link reads; somebody who uses the product is merely awake.
CLICK, USAGE = 3, 1

# How much a customer's own hours must weigh to count as much as everybody's: some seven
# clicks. And how many clicks of everybody's count as much as the default.
_PRIOR = 20

# So many events of a customer's are looked at: weeks of somebody busy, years of most. What is
# older tells of another life.
NEWEST = 200

# Where nobody has clicked: a hill around ten in the morning, when people are at their desks.
_TOP = 10
_DAY, _HOUR = timedelta(hours=24), timedelta(hours=1)


def _from_top(hour: int) -> int:
    """How many hours around the clock it is away from the top of the default."""
    away = (hour - _TOP) % 24
    return min(away, 24 - away)


# 13² parts of 1,468 at 10:00, 12² an hour away, down to 1 at 22:00: so steep that a single
# click in the night, smoothed, does not outweigh it. Of two equally far, the later is better.
_HILL = {hour: (13 - _from_top(hour)) ** 2 for hour in HOURS}
_WHOLE = sum(_HILL.values())
DEFAULT = tuple(sorted(HOURS, key=lambda hour: (_from_top(hour), (hour - _TOP) % 24)))
_PLACE = {hour: place for place, hour in enumerate(DEFAULT)}


def weighed(happened: Iterable[tuple[str, datetime]], zone: ZoneInfo) -> Counter[int]:
    """What a customer did that `counts`, by name and time, as weights of the hours of their day."""
    weights: Counter[int] = Counter()
    for name, at in happened:
        weights[at.astimezone(zone).hour] += CLICK if is_reserved(name) else USAGE
    return weights


def counts(name: str) -> bool:
    """Whether an event of that name tells when somebody is there.

    Of what Parcours itself reports, only that they followed a link.
    """
    return name == BuiltInEvent.MESSAGE_CLICKED or not is_reserved(name)


def ranked(own: Mapping[int, int], everybody: Mapping[int, int]) -> tuple[int, ...]:
    """The hours of the day, best first; empty where nothing is known, which is `DEFAULT`.

    `own` is what the customer did, by local hour, weighed by `CLICK` and `USAGE`; `everybody`
    counts the clicks of all. An hour also speaks for those beside it. Equal ones in the
    order of the default.
    """
    if not any(own.values()) and not any(everybody.values()):
        return ()
    of_all = sum(everybody.values()) + _PRIOR
    scores: dict[int, int] = {}
    for hour in HOURS:
        # Of the customer's own a quarter, half, and a quarter; and of `usual / of_all` as much
        # as the prior says. All times 4 * _WHOLE * of_all, so that equal ones are equal.
        before, here, after = (own.get((hour + n) % 24, 0) for n in (-1, 0, 1))
        usual = everybody.get(hour, 0) * _WHOLE + _PRIOR * _HILL[hour]
        scores[hour] = (before + 2 * here + after) * _WHOLE * of_all + 4 * _PRIOR * usual
    return tuple(sorted(HOURS, key=lambda hour: (-scores[hour], _PLACE[hour])))


def chosen(
    moment: datetime,
    hours: Sequence[int],
    zone: ZoneInfo,
    *,
    between: Window | None = None,
    days: Days | None = None,
    since: datetime,
    kept: datetime | None = None,
    ends_at: datetime | None = None,
) -> datetime:
    """When a step goes out that may choose among the 24 hours that begin at `moment`.

    In the best hour by `hours` in which its window is open, not after `ends_at`; if there is
    none, at the moment itself, or when the window opens. `since` is when the choice is made,
    `kept` what was chosen before. Raises OutOfRange.
    """
    place = {hour: place for place, hour in enumerate(hours or DEFAULT)}
    best_first = sorted(
        (place[begins.astimezone(zone).hour], begins, ends)
        for begins, ends in _hours_from(moment, zone)
    )
    for _, begins, ends in best_first:
        if kept is not None and begins <= kept < ends:
            at = kept
        elif since >= ends:
            continue
        else:
            at = next_opening(max(begins, since), zone, between, days)
        if at < ends and (ends_at is None or at <= ends_at):
            return at
    return next_opening(moment, zone, between, days)


def _hours_from(moment: datetime, zone: ZoneInfo) -> Iterable[tuple[datetime, datetime]]:
    """The hours of the customer's clock from then on, the first one begun already."""
    end = moment + _DAY
    # From its present hour to the latest that it shows until then: usually 25, more where it is
    # put on (Samoa had no 30 December 2011). Where it is put back, it has shown them before.
    hour = moment.astimezone(zone).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    latest = max(hour + _DAY, end.astimezone(zone).replace(tzinfo=None))
    full: set[datetime] = set()
    while hour <= latest:
        full.add(local(hour.date(), hour.time(), zone))
        hour += _HOUR
    begins = [moment, *sorted(at for at in full if moment < at < end)]
    return zip(begins, [*begins[1:], end], strict=True)

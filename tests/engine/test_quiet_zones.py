"""Quiet hours and windows around every DST change 2026–2030, against looking at each minute.

The engine jumps from opening to opening; here every minute is looked at, backwards, in all
zones that are possible, by the clocks of `zone_oracle.py`. The rules are drawn at random,
from the zone and the change, so a failure comes again.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from engine.calls import Call, Identify, Track
from engine.definition import Step
from engine.enrollment import Delivery
from engine.expressions import Days, Window
from engine.lines import StepLine
from engine.person import Stage
from engine.places import Whereabouts
from engine.policy import Policy, QuietHours
from engine.quiet import loud_from
from engine.reasons import Decision
from engine.simulator import simulate
from tests.engine.atlases import FakeAtlas
from tests.engine.enrolled import journey
from tests.engine.zone_oracle import (
    DAY,
    HOUR,
    MINUTE,
    NAMES,
    is_open,
    oracle,
    seconds,
    utc,
)

Change = tuple[str, int]  # a zone, and an instant at which its clocks change

# Zones that are asked about together with the one that changes: near, far, and with changes
# of their own on other days.
_COMPANIONS = ("Europe/Paris", "America/New_York", "Asia/Tokyo", "Pacific/Auckland", "UTC")

# More than a weekend with a holiday; all that is asked about lies within.
_BEFORE, _AFTER = 26 * HOUR, 5 * DAY

# Of the wide test, so that each stays well under the time at which a test counts as hung.
_PARTS = 8


def _all_changes() -> Iterator[Change]:
    """Every change of every zone; of one that has none, two ordinary days."""
    for name in NAMES:
        at = [at for at, _, _ in oracle(name).changes()]
        yield from ((name, each) for each in at or (seconds(2026, 3, 1), seconds(2028, 2, 29)))


def _kinds_of_changes() -> list[Change]:
    """One zone of those that change alike at one instant: the offsets say it all."""
    kinds: dict[tuple[int, int, int], str] = {}
    for name in NAMES:
        for change in oracle(name).changes():
            kinds.setdefault(change, name)
    return [(name, change[0]) for change, name in kinds.items()]


@dataclass(frozen=True)
class Rules:
    """What is drawn: the zones that are possible, and when it is quiet in them."""

    zones: tuple[str, ...]
    quiet: QuietHours | None
    holidays: frozenset[date]
    between: Window | None
    days: Days | None

    def is_loud(self, instant: int) -> bool:
        """Whether it is, minute by minute's reckoning, in every zone."""
        return all(self._is_loud_at(instant + oracle(z).offset(instant)) for z in self.zones)

    def _is_loud_at(self, wall: int) -> bool:
        if not is_open(wall, self.between, self.days):
            return False
        if self.quiet is None:
            return True
        if self.quiet.hours is not None and is_open(wall, self.quiet.hours, None):
            return False
        if self.quiet.days is not None and is_open(wall, None, self.quiet.days):
            return False
        day = date(1970, 1, 1) + timedelta(days=wall // DAY)
        return not (self.quiet.holidays and day in self.holidays)


def _window(draw: random.Random, near: int) -> Window:
    """Any window; every other one with an end that lies about what is skipped or repeated."""
    ends = [draw.randrange(0, 1440, draw.choice((1, 15, 60))) for _ in range(2)]
    if draw.random() < 0.5:
        ends[draw.randrange(2)] = (near + draw.randrange(-90, 91)) % 1440
    if ends[0] == ends[1]:
        ends[1] = (ends[1] + 1) % 1440
    return Window(*(time(*divmod(end, 60)) for end in ends))


def _days(draw: random.Random) -> Days:
    return Days(tuple(sorted(draw.sample(range(7), draw.randrange(1, 7)))))


def _rules(name: str, at: int, draw: random.Random) -> Rules:
    near = (at + oracle(name).offset(at)) // MINUTE % 1440
    today = date(1970, 1, 1) + timedelta(days=at // DAY)
    asks = [draw.random() < 0.6 for _ in range(3)]
    if not any(asks):
        asks[0] = True
    return Rules(
        zones=(name, *draw.sample(_COMPANIONS, draw.choice((0, 0, 1, 1, 2)))),
        quiet=QuietHours(
            hours=_window(draw, near) if asks[0] else None,
            days=_days(draw) if asks[1] else None,
            holidays=asks[2],
        ),
        holidays=frozenset(today + timedelta(days=n) for n in range(-1, 6) if draw.random() < 0.3),
        between=_window(draw, near) if draw.random() < 0.4 else None,
        days=_days(draw) if draw.random() < 0.2 else None,
    )


def _check(name: str, at: int, rules: Rules) -> int:
    """The engine's answers, from a day before the change, are those that looking finds."""
    step = Step.model_validate(
        {"id": "tip", "send": "tip", "at": "start", "between": rules.between, "days": rules.days}
    )
    atlas = FakeAtlas(countries={"XX": rules.zones}, holidays={"XX": rules.holidays})
    where = Whereabouts({"country": "XX"}, None, "UTC", atlas)
    until = at + _AFTER
    loud: int | None = None
    checked = 0
    for instant in range(until, at - _BEFORE - 1, -MINUTE):
        is_loud = rules.is_loud(instant)
        if is_loud:
            loud = instant
        # All minutes near the change; elsewhere one in 67, which visits all of an hour's.
        if abs(instant - at) <= 4 * MINUTE or instant // MINUTE % 67 == 0:
            found = loud_from(step, _delivery(utc(instant), utc(until)), rules.quiet, where)
            told = (name, utc(at), utc(instant), rules)
            assert found == (None if loud is None else utc(loud)), told
            if is_loud:  # and it stays so until the next minute
                second = utc(instant + 59)
                late = max(second, utc(until))
                assert loud_from(step, _delivery(second, late), rules.quiet, where) == second, told
            checked += 1
    return checked


def _delivery(at: datetime, until: datetime) -> Delivery:
    return Delivery(step="tip", occurrence="x", at=at, due_at=at, until=until, zone="UTC")


def _violations_are_looked_for(changes: Iterable[Change], draws: int) -> int:
    checked = 0
    for name, at in changes:
        assert at % MINUTE == 0
        draw = random.Random(f"{name} {at}")
        for _ in range(draws):
            checked += _check(name, at, _rules(name, at, draw))
    return checked


def test_openings_around_some_changes_are_those_that_looking_finds() -> None:
    kinds = _kinds_of_changes()
    assert len(kinds) > 100
    assert _violations_are_looked_for(kinds[::5], draws=1) > 2_000


@pytest.mark.wide
@pytest.mark.parametrize("part", range(_PARTS))
def test_openings_around_every_change_of_every_zone_are_those_that_looking_finds(
    part: int,
) -> None:
    changes = list(_all_changes())
    assert len({name for name, _ in changes}) == len(NAMES)
    assert _violations_are_looked_for(changes[part::_PARTS], draws=3) > 1_000_000 // _PARTS


def test_looking_finds_a_rule_that_is_broken() -> None:
    """The control: with an hour's difference between the rules it can't come out right."""
    at = seconds(2026, 3, 29) + HOUR
    quiet = QuietHours.model_validate({"hours": "22:00-08:00"})
    right = Rules(("Europe/Paris",), quiet, frozenset(), None, None)
    assert _check("Europe/Paris", at, right) > 0
    other = quiet.model_copy(update={"hours": Window(time(22), time(9))})

    class Wrong(Rules):
        def is_loud(self, instant: int) -> bool:
            return Rules(self.zones, other, self.holidays, None, None).is_loud(instant)

    with pytest.raises(AssertionError):
        _check("Europe/Paris", at, Wrong(("Europe/Paris",), quiet, frozenset(), None, None))


# --- Every day's message, once --------------------------------------------------------------


def _stage(due: str, quiet: Window) -> Stage:
    daily = {"send": "tip", "at": f"start at {due}", "repeat": "daily", "grace": "1 day"}
    made = journey(daily, starts_on="started")
    policy: dict[str, Any] = {
        "sender": {"name": "Ana", "email": "ana@example.com"},
        "postal_address": "1 Road",
        "topics": {"news": {"title": "News", "subscribed": True}},
        "quiet_hours": {"email": str(quiet)},
    }
    return Stage(
        journeys={made.journey: made},
        policy=Policy.model_validate(policy),
        channels={made.journey: {"tip": ("email",)}},
        evaluate=lambda *given: True,
    )


def _sent(name: str, begins: int, until: int, due: int, quiet: Window) -> list[int]:
    """What the simulator sends to somebody of that zone, who starts then."""
    who: dict[str, Any] = {"customer_id": "ana", "at": utc(begins)}
    calls: list[Call] = [
        Identify(**who, message_id="1", traits={"email": "ana@example.com", "timezone": name}),
        Track(**who, message_id="2", event="started"),
    ]
    clock = time(*divmod(due, 60))
    lines = simulate(_stage(f"{clock:%H:%M}", quiet), calls, utc(until))
    steps = [line for line in lines if isinstance(line, StepLine)]
    assert all(line.decision is Decision.SENT for line in steps)
    return [int(line.at.timestamp()) for line in steps]


def _wanted(name: str, begins: int, until: int, due: int, quiet: Window) -> list[int]:
    """One for each local day on which it is due, at the first loud minute from then on."""
    clocks, found = oracle(name), dict[int, int]()
    first = (begins + clocks.offset(begins)) // DAY
    for day in range(first, first + (until - begins) // DAY + 2):
        at = clocks.instant(day * DAY + due * MINUTE)
        local_day = (at + clocks.offset(at)) // DAY  # the next, where the clocks skip midnight
        if at < begins or local_day in found:
            continue
        while is_open(at + clocks.offset(at), quiet, None):
            at += MINUTE
        found[local_day] = at
    return [at for at in found.values() if at <= until]


def _half_a_day_at_most(window: Window) -> Window:
    """So that no change of clocks skips all that is loud, and each day's message has its time."""
    length = (window.closes.hour - window.opens.hour) * 60 + window.closes.minute
    is_short = (length - window.opens.minute) % 1440 <= 720
    return window if is_short else Window(window.closes, window.opens)


def _days_are_looked_at(changes: Iterable[Change]) -> int:
    looked_at = 0
    for name, at in changes:
        draw = random.Random(f"daily {name} {at}")
        near = (at + oracle(name).offset(at)) // MINUTE % 1440
        due, quiet = draw.randrange(1440), _half_a_day_at_most(_window(draw, near))
        if draw.random() < 0.5:  # due in what is skipped or repeated, or just beside it
            due = (near + draw.randrange(-90, 91)) % 1440
        # At noon, which no clock skips: a day that is counted from what is skipped is the next.
        begins = oracle(name).instant((at - 3 * DAY) // DAY * DAY + 12 * HOUR)
        until = at + 4 * DAY
        wanted = _wanted(name, begins, until, due, quiet)
        told = (name, utc(at), due, str(quiet))
        assert _sent(name, begins, until, due, quiet) == wanted, told
        assert 5 <= len(wanted) <= 8, told
        looked_at += len(wanted)
    return looked_at


def test_a_daily_message_goes_out_once_for_each_local_day_across_some_changes() -> None:
    assert _days_are_looked_at(_kinds_of_changes()[::3]) > 200


@pytest.mark.wide
def test_a_daily_message_goes_out_once_for_each_local_day_across_every_change() -> None:
    assert _days_are_looked_at(_all_changes()) > 10_000

"""When it is loud: quiet hours, days and holidays, in all the zones that are possible.

`test_quiet_zones.py` checks the same against an oracle, in every zone.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from engine.enrollment import Delivery
from engine.places import Whereabouts
from engine.policy import QuietHours
from engine.quiet import loud_from
from tests.engine.atlases import FakeAtlas
from tests.engine.enrolled import DAY, HOUR, journey, utc

FRIDAY = utc(2026, 5, 1, 12)  # a holiday in France
NIGHT = {"hours": "22:00-08:00"}


def _loud(
    at: datetime,
    quiet: dict[str, Any] | None = None,
    where: Whereabouts | None = None,
    grace: timedelta = 4 * DAY,
    forced: bool = False,
    **step: Any,
) -> datetime | None:
    made = journey({"id": "tip", "at": "start", **step}).steps[0]
    given: dict[str, Any] = {
        "step": "tip",
        "occurrence": "start",
        "at": at,
        "due_at": at,
        "until": at + grace,
    }
    rules = None if quiet is None else QuietHours.model_validate(quiet)
    return loud_from(made, Delivery(**given, zone="UTC", forced=forced), rules, where)


def _in(*zones: str, **holidays: frozenset[date]) -> Whereabouts:
    atlas = FakeAtlas(countries={"XX": zones}, holidays=holidays)
    return Whereabouts({"country": "XX"}, None, "UTC", atlas)


@pytest.mark.parametrize(
    ("quiet", "at", "loud"),
    [
        (NIGHT, utc(2026, 5, 1, 21, 59), utc(2026, 5, 1, 21, 59)),
        (NIGHT, utc(2026, 5, 1, 22), utc(2026, 5, 2, 8)),
        ({"days": "sun"}, utc(2026, 5, 3, 12), utc(2026, 5, 4)),
        ({"days": "sat-mon"}, utc(2026, 5, 2), utc(2026, 5, 5)),
        ({**NIGHT, "days": "sun"}, utc(2026, 5, 3, 12), utc(2026, 5, 4, 8)),
        ({**NIGHT, "days": "sun"}, utc(2026, 5, 2, 23), utc(2026, 5, 4, 8)),
        ({"holidays": True}, FRIDAY, FRIDAY),  # of no country that anybody knows
    ],
)
def test_hours_and_whole_days_add_to_each_other(
    quiet: dict[str, Any], at: datetime, loud: datetime
) -> None:
    assert _loud(at, quiet) == loud


def test_a_holiday_is_quiet_all_of_its_local_day() -> None:
    where = _in("Asia/Tokyo", XX=frozenset({FRIDAY.date()}))
    begins, ends = utc(2026, 4, 30, 15), utc(2026, 5, 1, 15)
    rules = {"holidays": True}
    assert _loud(begins - HOUR, rules, where) == begins - HOUR
    assert _loud(begins, rules, where) == ends
    assert _loud(ends, rules, where) == ends


def test_two_holidays_in_a_row_are_waited_out_by_that_rule_alone() -> None:
    where = _in("UTC", XX=frozenset({date(2026, 12, 25), date(2026, 12, 26)}))
    assert _loud(utc(2026, 12, 25, 9), {"holidays": True}, where) == utc(2026, 12, 27)


def test_holidays_days_and_hours_in_a_row_are_waited_out_together() -> None:
    where = _in("UTC", XX=frozenset({date(2026, 5, 1), date(2026, 5, 4)}))
    rules = {**NIGHT, "days": "sat,sun", "holidays": True}
    assert _loud(utc(2026, 4, 30, 23), rules, where, grace=5 * DAY) == utc(2026, 5, 5, 8)


def test_of_two_zones_both_must_be_loud() -> None:
    """08:00 in Los Angeles is 11:00 in New York, which falls silent three hours before it."""
    where = _in("America/New_York", "America/Los_Angeles")
    morning = utc(2026, 5, 1, 15)
    assert _loud(utc(2026, 5, 1, 12), NIGHT, where) == morning
    assert _loud(utc(2026, 5, 2, 2), NIGHT, where) == morning + DAY


def test_a_weekday_holds_in_each_zone_by_its_own_calendar() -> None:
    """It is Sunday somewhere from Saturday 12:00 UTC (Auckland) to Monday 10:00 (Honolulu)."""
    where = _in("Pacific/Auckland", "Pacific/Honolulu")
    sunday_begins = utc(2026, 5, 2, 12)
    assert _loud(sunday_begins - HOUR, {"days": "sun"}, where) == sunday_begins - HOUR
    assert _loud(sunday_begins, {"days": "sun"}, where) == utc(2026, 5, 4, 10)


def test_the_steps_window_holds_in_all_zones_too() -> None:
    where = _in("America/New_York", "America/Los_Angeles")
    midday = utc(2026, 5, 1, 16)  # 12:00 and 09:00
    assert _loud(utc(2026, 5, 1, 13), None, where, between="09:00-18:00") == midday
    assert _loud(utc(2026, 5, 1, 22), None, where, between="09:00-18:00") == midday + DAY
    later = _loud(utc(2026, 5, 1, 22), None, where, between="09:00-18:00", days="mon-fri")
    assert later == midday + 3 * DAY


def test_a_window_that_never_holds_everywhere_is_not_waited_for() -> None:
    where = _in("Asia/Kamchatka", "Europe/Kaliningrad")  # ten hours apart
    assert _loud(FRIDAY, None, where, grace=60 * DAY, between="09:00-18:00") is None
    assert _loud(FRIDAY, None, where, between="09:00-20:00") == utc(2026, 5, 2, 7)


def test_send_now_passes_the_window_and_not_the_quiet_hours() -> None:
    at = utc(2026, 5, 1, 23)
    assert _loud(at, None, between="09:00-18:00") == at + 10 * HOUR
    assert _loud(at, None, forced=True, between="09:00-18:00") == at
    assert _loud(at, NIGHT, forced=True, between="09:00-18:00") == at + 9 * HOUR


@pytest.mark.parametrize(("grace", "loud"), [(10 * HOUR, utc(2026, 5, 2, 8)), (9 * HOUR, None)])
def test_an_opening_exactly_at_the_grace_is_in_time(
    grace: timedelta, loud: datetime | None
) -> None:
    assert _loud(utc(2026, 5, 1, 22), NIGHT, grace=grace) == loud


def test_the_end_of_the_calendar_is_past_every_grace() -> None:
    last = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    assert _loud(last, NIGHT, grace=timedelta(0)) is None
    assert _loud(last, NIGHT, _in("Asia/Tokyo"), grace=timedelta(0)) is None


def test_without_quiet_hours_and_window_nobody_is_looked_for() -> None:
    where = _in("Asia/Tokyo")
    assert _loud(FRIDAY, None, where) == FRIDAY
    assert isinstance(where.atlas, FakeAtlas)
    assert where.atlas.asked == []

"""When a window is open: design.md, "Time", rule 2, on weekdays, windows and local days.

`test_all_zones.py` checks the same against an oracle, in every zone.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.expressions import Days, Window, parse_days, parse_window
from engine.localtime import next_opening, zone


def _zone(name: str) -> ZoneInfo:
    found = zone(name)
    assert found is not None
    return found


PARIS = _zone("Europe/Paris")  # +01; +02 from 2026-03-29 01:00Z to 2026-10-25 01:00Z
ANGELES = _zone("America/Los_Angeles")  # -08; -07 from 2026-03-08 10:00Z to 2026-11-01 09:00Z
AUCKLAND = _zone("Pacific/Auckland")  # +13; +12 from 2026-04-04 14:00Z to 2026-09-26 14:00Z
LORD_HOWE = _zone("Australia/Lord_Howe")  # +11; +10:30 from 2026-04-04 15:00Z to 10-03 15:30Z
APIA = _zone("Pacific/Apia")  # had no 30 December 2011
HAVANA = _zone("America/Havana")  # skips from 00:00 to 01:00 on 2026-03-08, repeats that on 11-01
CAIRO = _zone("Africa/Cairo")  # skips from 00:00 to 01:00 on 2026-04-24
NUUK = _zone("America/Nuuk")  # skips from 23:00 to 24:00 on 2026-03-28, repeats that on 10-24
ZONES = (PARIS, ANGELES, AUCKLAND, LORD_HOWE, APIA, HAVANA, CAIRO, NUUK)


def _at(text: str, in_zone: ZoneInfo = PARIS) -> datetime:
    """The instant at an unambiguous wall time, or of ISO text with its offset."""
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=in_zone)).astimezone(UTC)


WORK = parse_window("09:00-18:00")
NIGHT = parse_window("20:00-02:00")


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        ("2026-11-23T08:59", "2026-11-23T09:00"),
        ("2026-11-23T09:00", "2026-11-23T09:00"),
        ("2026-11-23T12:34", "2026-11-23T12:34"),
        ("2026-11-23T17:59:59.999999", "2026-11-23T17:59:59.999999"),
        ("2026-11-23T18:00", "2026-11-24T09:00"),
        ("2026-11-23T23:00", "2026-11-24T09:00"),
        ("2026-11-24T00:00", "2026-11-24T09:00"),
    ],
)
def test_a_window_is_half_open(text: str, opening: str) -> None:
    assert next_opening(_at(text), PARIS, WORK, None) == _at(opening)


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        ("2026-11-23T19:59", "2026-11-23T20:00"),
        ("2026-11-23T23:59", "2026-11-23T23:59"),
        ("2026-11-24T00:00", "2026-11-24T00:00"),
        ("2026-11-24T01:59", "2026-11-24T01:59"),
        ("2026-11-24T02:00", "2026-11-24T20:00"),
    ],
)
def test_a_window_may_span_midnight(text: str, opening: str) -> None:
    assert next_opening(_at(text), PARIS, NIGHT, None) == _at(opening)


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        ("2026-11-27T21:00", "2026-11-27T21:00"),  # Friday night
        ("2026-11-28T01:00", "2026-11-28T01:00"),  # still Friday's
        ("2026-11-28T02:00", "2026-12-04T20:00"),
        ("2026-11-28T21:00", "2026-12-04T20:00"),  # Saturday's is not open
        ("2026-11-27T01:00", "2026-11-27T20:00"),  # Thursday's is not either
    ],
)
def test_a_window_that_spans_midnight_belongs_to_its_opening_day(text: str, opening: str) -> None:
    assert next_opening(_at(text), PARIS, NIGHT, parse_days("fri")) == _at(opening)


def test_a_window_that_closes_at_midnight_ends_with_its_day() -> None:
    evening, friday = parse_window("18:00-24:00"), parse_days("fri")
    last = _at("2026-11-27T23:59:59")
    assert next_opening(last, PARIS, evening, friday) == last
    assert next_opening(_at("2026-11-28T00:00"), PARIS, evening, friday) == _at("2026-12-04T18:00")


def test_days_without_a_window_open_at_local_midnight() -> None:
    weekdays = parse_days("mon-fri")
    assert next_opening(_at("2026-11-28T15:00"), PARIS, None, weekdays) == _at("2026-11-30T00:00")
    friday = _at("2026-11-27T23:59:59")
    assert next_opening(friday, PARIS, None, weekdays) == friday


def test_without_window_and_days_it_is_always_open() -> None:
    assert next_opening(_at("2026-11-28T15:00"), PARIS, None, None) == _at("2026-11-28T15:00")


def test_the_weekday_is_the_customers_not_that_of_utc() -> None:
    friday = parse_days("fri")
    # 20:00 UTC on Friday is Saturday morning in Auckland.
    utc_friday = _at("2026-11-27T20:00+00:00")
    assert next_opening(utc_friday, AUCKLAND, WORK, friday) == _at("2026-12-04T09:00", AUCKLAND)
    # 02:00 UTC on Saturday is Friday evening in Los Angeles.
    utc_saturday = _at("2026-11-28T02:00+00:00")
    assert next_opening(utc_saturday, ANGELES, None, friday) == utc_saturday


def test_the_opening_keeps_its_wall_time_across_dst() -> None:
    assert next_opening(_at("2026-03-28T20:00"), PARIS, WORK, None) == _at("2026-03-29T07:00+00:00")
    assert next_opening(_at("2026-10-24T20:00"), PARIS, WORK, None) == _at("2026-10-25T08:00+00:00")


def test_an_opening_in_a_gap_is_the_first_instant_after_it() -> None:
    window = parse_window("02:30-05:00")
    assert next_opening(_at("2026-03-29T00:00"), PARIS, window, None) == _at("2026-03-29T03:00")


def test_a_window_wholly_in_a_gap_does_not_open_that_day() -> None:
    window = parse_window("02:10-02:50")
    assert next_opening(_at("2026-03-29T00:00"), PARIS, window, None) == _at("2026-03-30T02:10")
    sunday = parse_days("sun")
    assert next_opening(_at("2026-03-29T00:00"), PARIS, window, sunday) == _at("2026-04-05T02:10")


def test_a_window_in_a_repeated_hour_opens_twice() -> None:
    window = parse_window("02:10-02:50")
    first, second = _at("2026-10-25T02:10+02:00"), _at("2026-10-25T02:10+01:00")
    assert next_opening(_at("2026-10-25T00:00"), PARIS, window, None) == first
    assert next_opening(_at("2026-10-25T02:50+02:00"), PARIS, window, None) == second


def test_clocks_put_back_into_a_window_open_it_again() -> None:
    window = parse_window("01:00-02:30")
    closed = _at("2026-10-25T02:40+02:00")
    assert next_opening(closed, PARIS, window, None) == _at("2026-10-25T02:00+01:00")


def test_a_day_that_was_skipped_has_no_opening() -> None:
    # 30 December 2011 was to be a Friday.
    before = _at("2011-12-29T20:00", APIA)
    assert next_opening(before, APIA, None, parse_days("fri")) == _at("2012-01-06T00:00", APIA)
    assert next_opening(before, APIA, WORK, parse_days("fri,sat")) == _at("2011-12-31T09:00", APIA)


def test_a_day_whose_midnight_is_skipped_opens_after_the_gap() -> None:
    thursday = _at("2026-04-23T12:00", CAIRO)
    assert next_opening(thursday, CAIRO, None, parse_days("fri")) == _at("2026-04-23T22:00Z")


# --- Laws, in zones of every kind ---

_UTC_INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2045, 1, 1))  # noqa: DTZ001
# Half of them near a DST change, where the mistakes are.
_INSTANTS = st.one_of(
    _UTC_INSTANTS.map(lambda naive: naive.replace(tzinfo=UTC)),
    st.builds(
        lambda hours, minutes: _at(f"2026-{hours}Z") + timedelta(minutes=minutes),
        st.sampled_from(["03-29T01:00", "10-25T01:00", "03-08T10:00", "11-01T09:00", "04-04T15:00",
                         "10-03T15:30", "04-23T22:00", "03-08T05:00", "11-01T05:00"]),
        st.integers(-2000, 2000),
    ),
)  # fmt: skip
_ZONES = st.sampled_from(ZONES)
_TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
_WINDOWS = st.builds(Window, _TIMES, _TIMES).filter(lambda w: w.opens != w.closes)
_DAYS = st.sets(st.integers(0, 6), min_size=1).map(lambda days: Days(tuple(sorted(days))))


@given(_INSTANTS, _ZONES, st.none() | _WINDOWS, st.none() | _DAYS)
def test_an_opening_is_not_early_and_stays_what_it_is(
    instant: datetime, in_zone: ZoneInfo, window: Window | None, days: Days | None
) -> None:
    opening = next_opening(instant, in_zone, window, days)
    assert instant <= opening <= instant + timedelta(days=15)
    assert next_opening(opening, in_zone, window, days) == opening


@given(_INSTANTS, _ZONES, _WINDOWS)
def test_at_every_instant_either_a_window_or_its_complement_is_open(
    instant: datetime, in_zone: ZoneInfo, window: Window
) -> None:
    complement = Window(opens=window.closes, closes=window.opens)
    opens = [next_opening(instant, in_zone, each, None) == instant for each in (window, complement)]
    assert sum(opens) == 1

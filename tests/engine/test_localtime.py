"""Calendar arithmetic in a customer's zone: design.md, "Time", rules 2 and 3, case by case.

`test_all_zones.py` checks the same against an oracle, in every zone.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.expressions import (
    Term,
    Unit,
    parse_days,
    parse_time_expression,
    parse_window,
)
from engine.localtime import (
    OutOfRange,
    local,
    next_opening,
    resolve,
    set_wall_time,
    shift,
    zone,
)


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


def _shift(text: str, *terms: tuple[int, Unit], in_zone: ZoneInfo = PARIS) -> str:
    """The shifted instant as the customer's clock shows it."""
    moved = shift(_at(text, in_zone), [Term(*term) for term in terms], in_zone)
    assert moved.tzinfo is UTC
    return moved.astimezone(in_zone).isoformat(timespec="minutes")


# --- Rule 2: minutes and hours are absolute ---


def test_minutes_and_hours_are_absolute_across_a_gap() -> None:
    assert _shift("2026-03-29T01:30", (1, Unit.HOUR)) == "2026-03-29T03:30+02:00"
    assert _shift("2026-03-29T01:30", (30, Unit.MINUTE)) == "2026-03-29T03:00+02:00"
    assert _shift("2026-03-28T12:00", (24, Unit.HOUR)) == "2026-03-29T13:00+02:00"


def test_minutes_and_hours_are_absolute_across_a_repeated_hour() -> None:
    assert _shift("2026-10-25T02:30+02:00", (1, Unit.HOUR)) == "2026-10-25T02:30+01:00"
    assert _shift("2026-10-25T02:30+01:00", (-60, Unit.MINUTE)) == "2026-10-25T02:30+02:00"
    assert _shift("2026-10-24T12:00", (24, Unit.HOUR)) == "2026-10-25T11:00+01:00"


# --- Rule 2: days, weeks, months and years keep the wall-clock time ---


@pytest.mark.parametrize(
    ("count", "unit", "shown"),
    [
        (1, Unit.DAY, "2026-03-29T12:00+02:00"),
        (2, Unit.DAY, "2026-03-30T12:00+02:00"),
        (-1, Unit.DAY, "2026-03-27T12:00+01:00"),
        (1, Unit.WEEK, "2026-04-04T12:00+02:00"),
        (1, Unit.MONTH, "2026-04-28T12:00+02:00"),
        (1, Unit.YEAR, "2027-03-28T12:00+02:00"),
        (-1, Unit.YEAR, "2025-03-28T12:00+01:00"),
    ],
)
def test_longer_units_keep_the_wall_clock_time_across_dst(
    count: int, unit: Unit, shown: str
) -> None:
    assert _shift("2026-03-28T12:00", (count, unit)) == shown


def test_a_day_is_the_customers_day_not_24_hours() -> None:
    for text, hours in (("2026-03-28T12:00", 23), ("2026-10-24T12:00", 25)):
        start = _at(text)
        assert shift(start, [Term(1, Unit.DAY)], PARIS) - start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("text", "terms", "shown"),
    [
        ("2027-01-31T09:00", [(1, Unit.MONTH)], "2027-02-28T09:00+01:00"),
        ("2028-01-31T09:00", [(1, Unit.MONTH)], "2028-02-29T09:00+01:00"),
        ("2027-01-31T09:00", [(2, Unit.MONTH)], "2027-03-31T09:00+02:00"),
        ("2027-01-31T09:00", [(3, Unit.MONTH)], "2027-04-30T09:00+02:00"),
        ("2027-03-31T09:00", [(-1, Unit.MONTH)], "2027-02-28T09:00+01:00"),
        ("2026-12-31T09:00", [(2, Unit.MONTH)], "2027-02-28T09:00+01:00"),
        ("2026-01-15T09:00", [(-1, Unit.MONTH)], "2025-12-15T09:00+01:00"),
        ("2028-02-29T09:00", [(1, Unit.YEAR)], "2029-02-28T09:00+01:00"),
        ("2028-02-29T09:00", [(4, Unit.YEAR)], "2032-02-29T09:00+01:00"),
        ("2096-02-29T09:00", [(4, Unit.YEAR)], "2100-02-28T09:00+01:00"),
        ("1996-02-29T09:00", [(4, Unit.YEAR)], "2000-02-29T09:00+01:00"),
    ],
)
def test_the_end_of_a_month_clamps(text: str, terms: list[tuple[int, Unit]], shown: str) -> None:
    assert _shift(text, *terms) == shown


def test_terms_apply_left_to_right_each_to_a_real_instant() -> None:
    month, day = (1, Unit.MONTH), (1, Unit.DAY)
    assert _shift("2027-01-31T09:00", month, month) == "2027-03-28T09:00+02:00"
    assert _shift("2027-01-31T09:00", month, day) == "2027-03-01T09:00+01:00"
    assert _shift("2027-01-31T09:00", day, month) == "2027-03-01T09:00+01:00"
    assert _shift("2027-01-30T09:00", day, month) == "2027-02-28T09:00+01:00"
    assert _shift("2027-01-30T09:00", month, day) == "2027-03-01T09:00+01:00"
    # The skipped 02:30 became 03:00 before the next day was counted.
    assert _shift("2026-03-28T02:30", day, day) == "2026-03-30T03:00+02:00"
    assert _shift("2026-03-28T02:30", (2, Unit.DAY)) == "2026-03-30T02:30+02:00"


def test_a_count_of_zero_moves_nothing_not_even_out_of_the_second_repeated_hour() -> None:
    for unit in Unit:
        assert _shift("2026-10-25T02:30+01:00", (0, unit)) == "2026-10-25T02:30+01:00"


# --- Rule 2: skipped and repeated wall times ---


@pytest.mark.parametrize("wall", ["02:00", "02:01", "02:30", "02:59"])
def test_a_skipped_wall_time_becomes_the_first_instant_after_the_gap(wall: str) -> None:
    assert _shift(f"2026-03-28T{wall}", (1, Unit.DAY)) == "2026-03-29T03:00+02:00"
    assert _shift(f"2026-03-30T{wall}", (-1, Unit.DAY)) == "2026-03-29T03:00+02:00"
    assert set_wall_time(_at("2026-03-29T12:00"), time.fromisoformat(wall), PARIS) == _at(
        "2026-03-29T01:00+00:00"
    )


def test_the_last_wall_time_before_a_gap_and_the_first_after_it_stay() -> None:
    assert _shift("2026-03-28T01:59", (1, Unit.DAY)) == "2026-03-29T01:59+01:00"
    assert _shift("2026-03-28T03:00", (1, Unit.DAY)) == "2026-03-29T03:00+02:00"
    assert _shift("2026-03-28T03:30", (1, Unit.DAY)) == "2026-03-29T03:30+02:00"


@pytest.mark.parametrize("wall", ["02:00", "02:30", "02:59"])
def test_a_repeated_wall_time_is_the_first_of_the_two(wall: str) -> None:
    assert _shift(f"2026-10-24T{wall}", (1, Unit.DAY)) == f"2026-10-25T{wall}+02:00"
    assert _shift(f"2026-10-26T{wall}", (-1, Unit.DAY)) == f"2026-10-25T{wall}+02:00"


def test_from_the_second_repeated_hour_the_wall_time_is_kept() -> None:
    assert _shift("2026-10-25T02:30+01:00", (1, Unit.DAY)) == "2026-10-26T02:30+01:00"


def test_seconds_and_microseconds_are_kept_but_for_a_gap() -> None:
    day = [Term(1, Unit.DAY)]
    odd = timedelta(seconds=7, microseconds=123)
    assert shift(_at("2026-03-27T02:30") + odd, day, PARIS) == _at("2026-03-28T02:30") + odd
    assert shift(_at("2026-03-28T02:30") + odd, day, PARIS) == _at("2026-03-29T03:00")


@pytest.mark.parametrize(
    ("zone_name", "day", "wall", "instant"),
    [
        ("Australia/Lord_Howe", "2026-10-04", "02:10", "2026-10-03T15:30+00:00"),  # half an hour
        ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45+00:00"),
        ("Pacific/Apia", "2011-12-30", "15:00", "2011-12-30T10:00+00:00"),  # a whole day
        ("Pacific/Kwajalein", "1993-08-21", "09:00", "1993-08-21T12:00+00:00"),
        ("Africa/Cairo", "2026-04-24", "00:00", "2026-04-23T22:00+00:00"),  # midnight itself
        ("America/Havana", "2026-03-08", "00:30", "2026-03-08T05:00+00:00"),
        ("America/Havana", "2026-11-01", "00:30", "2026-11-01T04:30+00:00"),
        ("America/Nuuk", "2026-03-28", "23:30", "2026-03-29T01:00+00:00"),
        ("America/Nuuk", "2026-10-24", "23:30", "2026-10-25T00:30+00:00"),
        ("Africa/Monrovia", "1972-01-07", "00:20", "1972-01-07T00:44:30+00:00"),  # odd seconds
        ("Antarctica/Troll", "2026-03-29", "02:00", "2026-03-29T01:00+00:00"),  # two hours
        ("Etc/GMT+12", "2026-03-29", "02:00", "2026-03-29T14:00+00:00"),
        ("UTC", "2026-03-29", "02:00", "2026-03-29T02:00+00:00"),
    ],
)
def test_unusual_transitions(zone_name: str, day: str, wall: str, instant: str) -> None:
    found = local(date.fromisoformat(day), time.fromisoformat(wall), _zone(zone_name))
    assert found == datetime.fromisoformat(instant)


# --- Rule 3: `at HH:MM`, and what `start` means with it ---


def _resolve(text: str, anchor: str, in_zone: ZoneInfo = PARIS) -> str:
    found = resolve(parse_time_expression(text), _at(anchor, in_zone), in_zone)
    return found.astimezone(in_zone).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("text", "anchor", "shown"),
    [
        ("customer.x", "2026-11-23T14:00", "2026-11-23T14:00+01:00"),
        ("customer.x - 5 days", "2026-11-23T14:00", "2026-11-18T14:00+01:00"),
        ("customer.x - 5 days at 09:00", "2026-11-23T14:00", "2026-11-18T09:00+01:00"),
        ("customer.x - 1 month - 1 day", "2026-03-31T14:00", "2026-02-27T14:00+01:00"),
        ("event.x at 09:00", "2026-11-23T14:00", "2026-11-23T09:00+01:00"),
        ("coupon at 09:00", "2026-11-23T14:00", "2026-11-23T09:00+01:00"),
        ("start + 11 hours at 09:00", "2026-11-23T14:00", "2026-11-24T09:00+01:00"),
        ("start + 1 day at 09:00", "2026-11-23T14:00", "2026-11-24T09:00+01:00"),
        ("start + 1 day at 02:30", "2026-03-28T14:00", "2026-03-29T03:00+02:00"),
        ("start + 1 day at 02:30", "2026-10-24T14:00", "2026-10-25T02:30+02:00"),
    ],
)
def test_at_sets_the_wall_time_of_the_resulting_local_day(
    text: str, anchor: str, shown: str
) -> None:
    assert _resolve(text, anchor) == shown


def test_the_local_day_of_at_is_the_customers_not_that_of_utc() -> None:
    # 23:00 UTC on the 23rd is noon of the 24th in Auckland, and the afternoon in Los Angeles.
    assert _resolve("customer.x at 09:00", "2026-11-23T23:00Z", AUCKLAND).startswith(
        "2026-11-24T09"
    )
    assert _resolve("customer.x at 09:00", "2026-11-23T23:00Z", ANGELES).startswith("2026-11-23T09")


@pytest.mark.parametrize(
    ("text", "anchor", "shown"),
    [
        ("start at 09:00", "2026-11-23T08:59", "2026-11-23T09:00+01:00"),
        ("start at 09:00", "2026-11-23T09:00", "2026-11-23T09:00+01:00"),
        ("start at 09:00", "2026-11-23T09:01", "2026-11-24T09:00+01:00"),
        ("start + 1 hour at 09:00", "2026-11-23T14:00", "2026-11-24T09:00+01:00"),
        ("start - 3 days at 09:00", "2026-11-23T14:00", "2026-11-24T09:00+01:00"),
        ("start - 3 days at 15:00", "2026-11-23T14:00", "2026-11-23T15:00+01:00"),
        ("start at 02:30", "2026-03-29T12:00", "2026-03-30T02:30+02:00"),
        ("start at 02:30", "2026-10-25T02:10+01:00", "2026-10-26T02:30+01:00"),
    ],
)
def test_start_at_an_hour_before_the_start_means_the_next_day(
    text: str, anchor: str, shown: str
) -> None:
    assert _resolve(text, anchor) == shown


def test_start_without_an_hour_may_lie_before_the_start() -> None:
    assert _resolve("start - 1 day", "2026-11-23T14:00") == "2026-11-22T14:00+01:00"


@pytest.mark.parametrize(
    ("repeats", "unit", "shown"),
    [
        (0, None, "2027-01-30T09:00+01:00"),
        (1, Unit.MONTH, "2027-02-27T09:00+01:00"),
        (2, Unit.MONTH, "2027-03-30T09:00+02:00"),
        (13, Unit.MONTH, "2028-02-28T09:00+01:00"),
        (1, Unit.YEAR, "2028-01-30T09:00+01:00"),
        (3, Unit.DAY, "2027-02-02T09:00+01:00"),
        (2, Unit.WEEK, "2027-02-13T09:00+01:00"),
    ],
)
def test_a_repeat_is_the_anchor_moved_then_the_terms_then_at(
    repeats: int, unit: Unit | None, shown: str
) -> None:
    time_expression = parse_time_expression("customer.renews_at - 1 day at 09:00")
    found = resolve(time_expression, _at("2027-01-31T14:00"), PARIS, repeats=repeats, unit=unit)
    assert found.astimezone(PARIS).isoformat(timespec="minutes") == shown


def test_repeats_need_their_unit() -> None:
    with pytest.raises(TypeError, match="of what unit"):
        resolve(parse_time_expression("start"), _at("2027-01-31T14:00"), PARIS, repeats=1)


# --- The edge of the calendar ---


@pytest.mark.parametrize("edge", ["0001-01-01T00:00Z", "9999-12-31T23:59Z"])
@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("zone_name", ["Etc/GMT+12", "UTC", "Pacific/Kiritimati"])
def test_what_leaves_the_calendar_is_out_of_range(edge: str, unit: Unit, zone_name: str) -> None:
    sign = -1 if edge.startswith("0001") else 1
    for count in (1, 10**6, 10**9, 10**18, 10**400):
        with pytest.raises(OutOfRange):
            shift(_at(edge), [Term(sign * 2 * 366 * 24 * 60 * count, unit)], _zone(zone_name))


def test_an_opening_or_a_wall_time_beyond_the_calendar_is_out_of_range() -> None:
    last = _at("9999-12-31T23:59Z")
    with pytest.raises(OutOfRange):
        next_opening(last, _zone("UTC"), parse_window("09:00-18:00"), None)
    with pytest.raises(OutOfRange):
        next_opening(last, _zone("UTC"), None, parse_days("mon"))
    with pytest.raises(OutOfRange):
        set_wall_time(last, time(9), _zone("Pacific/Kiritimati"))
    with pytest.raises(OutOfRange):
        local(date.max, time(23), _zone("Etc/GMT+12"))
    with pytest.raises(OutOfRange):
        resolve(parse_time_expression("start at 09:00"), last, _zone("UTC"))


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
_TERMS = st.lists(st.builds(Term, st.integers(-40, 40), st.sampled_from(Unit)), max_size=4)
_TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


def _wall(instant: datetime, in_zone: ZoneInfo) -> datetime:
    return instant.astimezone(in_zone).replace(tzinfo=None)


def _follows_gap(instant: datetime, in_zone: ZoneInfo) -> bool:
    before = _wall(instant - timedelta(microseconds=1), in_zone)
    return _wall(instant, in_zone) - before > timedelta(minutes=1)


@given(_INSTANTS, _TERMS, _ZONES)
def test_terms_together_are_the_terms_one_by_one(
    instant: datetime, terms: list[Term], in_zone: ZoneInfo
) -> None:
    one_by_one = instant
    for term in terms:
        one_by_one = shift(one_by_one, [term], in_zone)
    assert shift(instant, terms, in_zone) == one_by_one


@given(_INSTANTS, st.integers(-400, 400), _ZONES)
def test_a_day_keeps_the_wall_time_or_lands_right_after_a_gap(
    instant: datetime, count: int, in_zone: ZoneInfo
) -> None:
    assume(count)
    moved = shift(instant, [Term(count, Unit.DAY)], in_zone)
    wanted = _wall(instant, in_zone) + timedelta(days=count)
    shown = _wall(moved, in_zone)
    assert shown == wanted or (shown > wanted and _follows_gap(moved, in_zone))


@given(_INSTANTS, st.integers(-300, 300), _ZONES)
def test_a_month_lands_on_the_same_day_or_the_last_one(
    instant: datetime, count: int, in_zone: ZoneInfo
) -> None:
    assume(count)
    moved = shift(instant, [Term(count, Unit.MONTH)], in_zone)
    assume(not _follows_gap(moved, in_zone))
    was, shown = _wall(instant, in_zone), _wall(moved, in_zone)
    assert shown.year * 12 + shown.month == was.year * 12 + was.month + count
    assert shown.time() == was.time()
    assert shown.day == was.day or (shown.day < was.day and (shown + timedelta(days=1)).day == 1)


@given(_INSTANTS, st.integers(1, 5000), _TERMS, _ZONES)
def test_of_two_wall_times_the_later_stays_the_later(
    instant: datetime, minutes: int, terms: list[Term], in_zone: ZoneInfo
) -> None:
    calendar = [term for term in terms if term.unit not in (Unit.MINUTE, Unit.HOUR)][:1]
    later = instant + timedelta(minutes=minutes)
    assume(_wall(instant, in_zone) <= _wall(later, in_zone))
    assert shift(instant, calendar, in_zone) <= shift(later, calendar, in_zone)


@given(_INSTANTS, st.sampled_from([Unit.MINUTE, Unit.HOUR]), st.integers(-500, 500), _ZONES)
def test_minutes_and_hours_and_back_is_where_it_was(
    instant: datetime, unit: Unit, count: int, in_zone: ZoneInfo
) -> None:
    assert shift(instant, [Term(count, unit), Term(-count, unit)], in_zone) == instant


@given(_INSTANTS, _TIMES, _ZONES)
def test_setting_the_wall_time_shows_it_or_follows_its_gap(
    instant: datetime, at: time, in_zone: ZoneInfo
) -> None:
    moved = set_wall_time(instant, at, in_zone)
    wanted = datetime.combine(_wall(instant, in_zone).date(), at)
    shown = _wall(moved, in_zone)
    assert shown == wanted or (shown > wanted and _follows_gap(moved, in_zone))

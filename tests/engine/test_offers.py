"""A coupon is good for all its days, from whenever its message goes out."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from engine.expressions import Duration, parse_duration
from engine.localtime import shift
from engine.offers import holds, valid_until

HOUR = timedelta(hours=1)
FIVE_DAYS = parse_duration("5 days")
ZONES = ("UTC", "Europe/Paris", "America/Los_Angeles", "Pacific/Auckland", "Asia/Kathmandu")
durations = st.builds(
    lambda count, unit: parse_duration(f"{count} {unit}s"),
    st.integers(1, 40),
    st.sampled_from(("minute", "hour", "day", "week", "month")),
)
instants = st.datetimes(datetime(2026, 1, 1), datetime(2030, 12, 31)).map(  # noqa: DTZ001
    lambda wall: wall.replace(tzinfo=UTC)
)


def test_the_last_day_counts_whole() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    paris = ZoneInfo("Europe/Paris")
    end = datetime(2026, 11, 28, 23, 59, 59, tzinfo=paris)
    assert valid_until(noon, FIVE_DAYS, paris) == end


def test_shortly_before_midnight_the_next_day_counts_too() -> None:
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert valid_until(late, FIVE_DAYS, ZoneInfo("UTC")) == datetime(
        2026, 11, 29, 23, 59, 59, tzinfo=UTC
    )


@given(instants, durations, st.sampled_from(ZONES), st.timedeltas(timedelta(0), HOUR))
@example(datetime(2026, 11, 23, 22, 59, 59, 500_000, tzinfo=UTC), FIVE_DAYS, "UTC", HOUR)
def test_whoever_gets_it_within_the_hour_has_all_its_time(
    at: datetime, valid: Duration, zone: str, late: timedelta
) -> None:
    until = valid_until(at, valid, ZoneInfo(zone))
    assert holds(until, at, valid, ZoneInfo(zone))
    # Where the clocks are put back on the way, an hour of the room is used up by that.
    assert shift(at + late, valid.terms, ZoneInfo(zone)) <= until + HOUR
    local = until.astimezone(ZoneInfo(zone))
    assert (local.hour, local.minute, local.second) in ((23, 59, 59), (0, 0, 0), (1, 0, 0))


def test_two_days_later_it_holds_no_more() -> None:
    """The control."""
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    until = valid_until(noon, FIVE_DAYS, ZoneInfo("UTC"))
    assert not holds(until, noon + timedelta(days=2), FIVE_DAYS, ZoneInfo("UTC"))

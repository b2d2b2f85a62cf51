"""What counts as a date, and what does not (design.md, "Time", rule 3)."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.expressions import Term, Unit
from engine.localtime import shift, zone
from engine.values import anchor_text, at_path, read_instant


def _zone(name: str) -> ZoneInfo:
    found = zone(name)
    assert found is not None
    return found


PARIS = _zone("Europe/Paris")
AUCKLAND = _zone("Pacific/Auckland")


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("raw", ["2026-12-07", " 2026-12-07 ", date(2026, 12, 7)])
def test_a_date_without_time_is_local_midnight(raw: object) -> None:
    assert read_instant(raw, PARIS) == _utc(2026, 12, 6, 23)
    assert read_instant(raw, AUCKLAND) == _utc(2026, 12, 6, 11)


def test_a_date_whose_midnight_is_skipped_is_the_first_instant_of_that_day() -> None:
    # Cairo's clocks went from 23:59:59 on 23 April 2026 to 01:00 on the 24th.
    assert read_instant("2026-04-24", _zone("Africa/Cairo")) == _utc(2026, 4, 23, 22)


@pytest.mark.parametrize(
    "raw",
    [
        "2026-12-07T10:00",
        "2026-12-07T10",
        "2026-12-07 10:00:00",
        "2026-12-07t10:00:00",
        "2026-12-07T10:00:00.000",
        "2026-12-07T10:00:00,000000",
        datetime(2026, 12, 7, 10),  # noqa: DTZ001 - a naive value is what is read
    ],
)
def test_a_date_time_without_zone_is_in_the_customers(raw: object) -> None:
    assert read_instant(raw, PARIS) == _utc(2026, 12, 7, 9)
    assert read_instant(raw, AUCKLAND) == _utc(2026, 12, 6, 21)


def test_a_repeated_date_time_without_zone_is_the_first_of_the_two() -> None:
    assert read_instant("2026-10-25T02:30", PARIS) == _utc(2026, 10, 25, 0, 30)


def test_a_skipped_date_time_without_zone_is_the_first_instant_after_the_gap() -> None:
    assert read_instant("2026-03-29T02:30", PARIS) == _utc(2026, 3, 29, 1)


@pytest.mark.parametrize(
    "raw",
    [
        "2026-12-07T10:00:00Z",
        "2026-12-07t10:00:00z",
        "2026-12-07T10:00Z",
        "2026-12-07 10:00:00+00:00",
        "2026-12-07T05:00:00-05:00",
        "2026-12-07T05:00:00.000000000-0500",
        "2026-12-07T15:30:00+05:30",
        "2026-12-07T11+01",
        datetime(2026, 12, 7, 11, tzinfo=timezone(timedelta(hours=1))),
        datetime(2026, 12, 7, 11, tzinfo=PARIS),
    ],
)
def test_a_date_time_with_a_zone_is_what_it_says(raw: object) -> None:
    for customers_zone in (PARIS, AUCKLAND):
        read = read_instant(raw, customers_zone)
        assert read == _utc(2026, 12, 7, 10)
        assert read is not None
        assert read.tzinfo is UTC


def test_fractions_of_a_second_are_kept_to_the_microsecond() -> None:
    assert read_instant("2026-12-07T10:00:00.1234567Z", PARIS) == _utc(
        2026, 12, 7, 10, 0, 0, 123456
    )


@pytest.mark.parametrize(
    ("raw", "instant"),
    [
        (0, _utc(1970, 1, 1)),
        (1796637600, _utc(2026, 12, 7, 10)),
        (1796637600.5, _utc(2026, 12, 7, 10, 0, 0, 500000)),
        (1796637600000, _utc(2026, 12, 7, 10)),
        (1796637600250, _utc(2026, 12, 7, 10, 0, 0, 250000)),
        (-86400, _utc(1969, 12, 31)),
        (-(10**11) - 1, _utc(1966, 10, 31, 14, 13, 19, 999000)),
        (10**11, _utc(5138, 11, 16, 9, 46, 40)),
        (10**11 + 1, _utc(1973, 3, 3, 9, 46, 40, 1000)),
    ],
)
def test_a_number_is_unix_seconds_and_beyond_1e11_milliseconds(
    raw: float, instant: datetime
) -> None:
    assert read_instant(raw, PARIS) == read_instant(raw, AUCKLAND) == instant


@pytest.mark.parametrize(
    "raw",
    [
        None, True, False, "", " ", "soon", "never", "N/A", [], ["2026-12-07"], {}, b"2026-12-07",
        {"date": "2026-12-07"}, timedelta(days=1), object(),
        # Not a guess: eight digits may be a date or a count of seconds.
        "20261207", "20261207T100000Z", "1796637600", "1796637600000", "2026-W50-1", "2026W501",
        "2026-341",
        # Not ISO, or a date that only some readers would read that way.
        "07/12/2026", "12-07-2026", "7 Dec 2026", "2026-12", "2026", "2026-12-7", "2026/12/07",
        "2026-12-07x10:00", "2026-12-07T1000", "2026-12-07T10:00:00 UTC", "2026-12-07Z",
        "2026-12-07T10:00:00[Europe/Paris]", "T10:00", "10:00", "٢٠٢٦-١٢-٠٧", "2026-12-07\x00",
        # Dates that do not exist.
        "2026-02-30", "2026-13-01", "2026-00-10", "2026-12-07T25:00", "2026-12-07T24:00",
        "2026-12-07T10:60", "2026-12-07T23:59:60Z", "2026-12-07T10:00+25:00",
        # Numbers and years beyond the calendar, and sentinels.
        float("nan"), float("inf"), float("-inf"), 1e300, 10**400, -(10**400), 10**18,
        "0000-00-00", "0001-01-01", "0001-01-01T00:00:00Z", "9999-12-31",
        "9999-12-31T23:59:59-12:00", "1799-12-31", "9000-01-02", date.max, date.min,
        datetime(1, 1, 1), datetime(9999, 12, 31, 23),  # noqa: DTZ001 - naive values are read too
        datetime(9999, 12, 31, tzinfo=timezone(timedelta(hours=-23))), "2026-12-07T" + "0" * 10_000,
    ],
)  # fmt: skip
def test_anything_else_is_unreadable(raw: object) -> None:
    for customers_zone in (PARIS, AUCKLAND, _zone("Etc/GMT+12"), _zone("Pacific/Kiritimati")):
        assert read_instant(raw, customers_zone) is None


_ISO_LIKE = st.from_regex(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}(:[0-9]{2}){0,2}(Z|[+-][0-9]{2}:?[0-9]{2})?)?",
    fullmatch=True,
)
_RAW = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), _ISO_LIKE, st.dates(),
    st.datetimes(timezones=st.none() | st.timezones()),
)  # fmt: skip


@given(_RAW, st.sampled_from(["Europe/Paris", "Pacific/Apia", "Etc/GMT+12", "Africa/Monrovia"]))
def test_any_value_is_read_to_a_utc_instant_or_is_none(raw: object, zone_name: str) -> None:
    read = read_instant(raw, _zone(zone_name))
    assert read is None or (read.tzinfo is UTC and 1800 <= read.year <= 8999)


@given(st.datetimes(_utc(1800, 1, 2).replace(tzinfo=None), _utc(8999, 12, 30).replace(tzinfo=None)))
def test_an_instant_written_as_iso_text_is_read_back(naive: datetime) -> None:
    instant = naive.replace(tzinfo=UTC)
    assert read_instant(instant.isoformat(), PARIS) == instant
    assert read_instant(instant.isoformat().replace("+00:00", "Z"), AUCKLAND) == instant


@pytest.mark.parametrize("zone_name", ["Etc/GMT+12", "Pacific/Kiritimati"])
def test_a_readable_value_never_leaves_the_calendar_by_an_expression(zone_name: str) -> None:
    for raw, count in (("1800-01-02", -100), ("8999-12-30", 100)):
        read = read_instant(raw, _zone(zone_name))
        assert read is not None
        assert shift(read, [Term(count, Unit.YEAR)], _zone(zone_name)).year in (1700, 9099)


def test_a_path_leads_through_mappings() -> None:
    traits = {"plan": "trial", "company": MappingProxyType({"trial": {"ends_at": "2026-12-07"}})}
    assert at_path(traits, "plan") == "trial"
    assert at_path(traits, "company.trial.ends_at") == "2026-12-07"


@pytest.mark.parametrize(
    "path", ["x", "plan.x", "tags.0", "tags.count", "nothing.x", "plan.upper", ""]
)
def test_a_path_to_nothing_is_none(path: str) -> None:
    assert at_path({"plan": "trial", "tags": ["a"], "nothing": None}, path) is None


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("2026-12-07", '"2026-12-07"'),
        (1796637600, "1796637600"),
        (1796637600.0, "1796637600"),
        (1796637600.5, "1796637600.5"),
        (-0.0, "0"),
        (True, "true"),
        (None, "null"),
        ({"b": 1, "a": [1.0, {"d": 2, "c": None}]}, '{"a":[1,{"c":null,"d":2}],"b":1}'),
        ("é\ud800", '"\\u00e9\\ud800"'),
        (date(2026, 12, 7), '"2026-12-07"'),
        (_utc(2026, 12, 7, 10), '"2026-12-07T10:00:00+00:00"'),
    ],
)
def test_an_anchors_text_is_its_value_as_received(raw: object, text: str) -> None:
    assert anchor_text(raw) == text


def test_different_values_have_different_texts() -> None:
    values: list[object] = ["1", 1, True, None, "null", [1], {"1": 1}, 1.5, "2026-12-07", ""]
    assert len({anchor_text(value) for value in values}) == len(values)


def test_what_no_event_can_carry_has_no_text() -> None:
    with pytest.raises(TypeError):
        anchor_text(object())


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reversed(value[name]) for name in reversed(value)}
    return [_reversed(each) for each in value] if isinstance(value, list) else value


@given(_JSON)
def test_an_anchors_text_survives_a_store_that_reorders_keys(value: object) -> None:
    assert anchor_text(_reversed(json.loads(json.dumps(value)))) == anchor_text(value)
    assert anchor_text(value).isascii()

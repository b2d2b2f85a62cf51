"""When a broadcast's customers are due, and what its rate means."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from engine.broadcasts import LocalTime, check_name, due_at, page_size, span_of
from engine.definition import Journey
from engine.keys import broadcast_enrollment_id, enrollment_id
from engine.localtime import zone

AFTERNOON = datetime(2026, 11, 23, 15, tzinfo=UTC)
NINE = LocalTime(time(9))


def due_in(name: str, local_time: LocalTime | None = NINE) -> datetime:
    tz = zone(name)
    assert tz is not None
    return due_at(AFTERNOON, local_time, tz)


def test_without_a_local_time_all_are_due_at_once() -> None:
    assert due_in("Europe/Paris", None) == due_in("Pacific/Auckland", None) == AFTERNOON


def test_whose_hour_has_passed_gets_it_at_once_and_the_others_at_theirs() -> None:
    assert due_in("Europe/Paris") == AFTERNOON  # 16:00 there
    assert due_in("America/Los_Angeles") == datetime(2026, 11, 23, 17, tzinfo=UTC)
    # It is the 24th there, 04:00, and their day is that one.
    assert due_in("Pacific/Auckland") == datetime(2026, 11, 23, 20, tzinfo=UTC)


def test_a_day_of_the_calendar_is_each_ones_own() -> None:
    on_tuesday = LocalTime.parse("2026-12-01 09:00")
    assert due_in("Europe/Paris", on_tuesday) == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert due_in("Pacific/Auckland", on_tuesday) == datetime(2026, 11, 30, 20, tzinfo=UTC)


def test_it_begins_when_the_first_on_earth_are_due() -> None:
    first = LocalTime(time(9), date(2026, 12, 1)).first_instant
    assert first == datetime(2026, 11, 30, 19, tzinfo=UTC)
    assert NINE.first_instant is None


def test_a_skipped_hour_is_the_first_instant_after_it() -> None:
    tz = zone("Europe/Paris")
    assert tz is not None
    began = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    assert due_at(began, LocalTime(time(2, 30)), tz) == datetime(2026, 3, 29, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["09:00", "23:59", "2026-12-01 00:05"])
def test_a_local_time_is_written_as_it_is_read(text: str) -> None:
    assert str(LocalTime.parse(text)) == text


@pytest.mark.parametrize("text", ["9:00", "24:00", "2026-02-30 09:00", "09:00Z", "tomorrow", ""])
def test_what_is_no_local_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"local time|day is out of range"):
        LocalTime.parse(text)


def test_a_page_is_a_second_of_the_rate_and_at_least_one() -> None:
    assert page_size(None, 100) == 100
    assert page_size(50, 100) == 50
    assert page_size(500, 100) == 100
    assert page_size(1 / 60, 100) == 1
    assert span_of(50, 50) == timedelta(seconds=1)
    assert span_of(1, 1 / 60) == timedelta(minutes=1)
    assert span_of(1000, None) == timedelta(0)


@pytest.mark.parametrize("name", ["", "2", "Sale", "-sale", "sale/1", "a" * 65, "sale "])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        check_name(name)


def test_no_enrollment_has_the_id_of_a_broadcast_s_message() -> None:
    mine = broadcast_enrollment_id("cart", "c1", "spring")
    assert mine == "cart:c1:~spring"
    assert mine not in (
        enrollment_id("cart", "c1", "~spring"),
        enrollment_id("cart", "c1", "spring"),
    )


def test_no_journey_is_called_as_the_broadcasts_workflows_are() -> None:
    given = {
        "journey": "broadcast",
        "title": "No",
        "topic": "news",
        "steps": [{"send": "tip", "at": "start"}],
    }
    with pytest.raises(ValueError, match="can't be called `broadcast`"):
        Journey.model_validate(given)

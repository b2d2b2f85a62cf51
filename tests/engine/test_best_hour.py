"""The best hour: how hours rank, and which one a step takes. In every zone, on every day."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.best_hour import CLICK, DEFAULT, HOURS, chosen, counts, ranked, weighed
from engine.expressions import parse_days, parse_window
from engine.localtime import next_opening
from tests.engine.enrolled import DAY, HOUR, MINUTE, START, Enrolled, utc

PARIS = ZoneInfo("Europe/Paris")
ZONES = tuple(
    map(
        ZoneInfo,
        ("UTC", "Europe/Paris", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu"),
    )
)
# Best is eight in the morning, then seven, and so on back to nine, the worst.
LATER = tuple((8 - n) % 24 for n in range(24))


# --- How hours rank -------------------------------------------------------------------------


def test_where_nothing_is_known_it_is_ten_and_the_hours_around_it() -> None:
    assert ranked({}, {}) == ()
    assert DEFAULT[:5] == (10, 11, 9, 12, 8)
    assert DEFAULT[-1] == 22
    assert sorted(DEFAULT) == list(HOURS)


def test_seven_clicks_at_one_hour_win_over_the_default_and_one_does_not() -> None:
    assert ranked({19: 7 * CLICK}, {})[0] == 19
    assert {ranked({hour: CLICK}, {})[0] for hour in (0, 3, 19, 22)} == {10}


def test_an_hour_speaks_for_its_neighbours_around_midnight_too() -> None:
    assert set(ranked({0: 30 * CLICK}, {})[:3]) == {23, 0, 1}


def test_everybodys_clicks_stand_in_for_those_of_a_customer_who_has_few() -> None:
    evening = {20: 500, 21: 400}
    assert ranked({}, evening)[:2] == (20, 21)
    assert ranked({7: CLICK}, evening)[0] == 20
    assert ranked({7: 40 * CLICK}, evening)[0] == 7


def test_a_click_counts_as_three_uses_by_the_customers_own_clock() -> None:
    happened = [("message.clicked", START), ("used", START), ("page", START + HOUR)]
    assert weighed(happened, PARIS) == {9: 4, 10: 1}  # 08:00 UTC is nine in Paris


@pytest.mark.parametrize(
    ("name", "does"),
    [
        ("used", True),
        ("message.clicked", True),
        ("message.opened", False),
        ("consent.given", False),
    ],
)
def test_what_parcours_reports_is_no_sign_of_life_but_a_click(name: str, does: bool) -> None:
    assert counts(name) is does


_weights = st.dictionaries(st.integers(0, 23), st.integers(0, 1_000), max_size=24)


@given(own=_weights, everybody=_weights)
@settings(max_examples=100, deadline=None)
def test_every_hour_has_its_place(own: dict[int, int], everybody: dict[int, int]) -> None:
    assert sorted(ranked(own, everybody) or DEFAULT) == list(HOURS)


# --- Which one a step takes -----------------------------------------------------------------


def _choose(moment: datetime, hours: tuple[int, ...] = LATER, **more: Any) -> datetime:
    return chosen(moment, hours, PARIS, **{"since": moment, **more})


def test_it_is_the_best_of_the_24_hours_that_begin_at_the_moment() -> None:
    assert _choose(utc(2026, 11, 25, 8)) == utc(2026, 11, 26, 7)  # 08:00 in Paris, tomorrow
    assert _choose(utc(2026, 11, 25, 8), ()) == utc(2026, 11, 25, 9)


def test_the_hour_that_has_begun_is_taken_from_the_moment_on() -> None:
    assert _choose(utc(2026, 11, 25, 7, 20)) == utc(2026, 11, 25, 7, 20)


def test_only_hours_in_its_window_and_before_the_end_count() -> None:
    moment = utc(2026, 11, 25, 8)  # nine in Paris
    assert _choose(moment, between=parse_window("12:30-18:00")) == utc(2026, 11, 25, 16)
    assert _choose(moment, between=parse_window("12:30-12:50")) == utc(2026, 11, 25, 11, 30)
    assert _choose(moment, ends_at=utc(2026, 11, 25, 9, 30)) == utc(2026, 11, 25, 9)
    assert _choose(moment, ends_at=utc(2026, 11, 26, 7)) == utc(2026, 11, 26, 7)


def test_where_no_hour_is_left_it_is_the_moment_itself_with_its_window() -> None:
    moment = utc(2026, 11, 27, 18)  # Friday evening
    weekdays = parse_days("mon-thu")
    assert _choose(moment, days=weekdays) == utc(2026, 11, 29, 23)
    assert _choose(moment, ends_at=moment - HOUR) == moment


def test_hours_that_are_over_count_no_more_but_what_was_chosen_stays() -> None:
    moment, eight = utc(2026, 11, 25, 7), utc(2026, 11, 25, 7)
    later = _choose(moment, since=moment + 3 * HOUR)
    assert later == utc(2026, 11, 26, 6)  # seven, the next best that is still to come
    assert _choose(moment, since=moment + 3 * HOUR, kept=eight) == eight
    assert _choose(moment, since=moment + 2 * DAY) == moment


@st.composite
def _cases(draw: st.DrawFn) -> dict[str, Any]:
    zone = draw(st.sampled_from(ZONES))
    # Days on which clocks change somewhere among ZONES, and others.
    day = draw(
        st.sampled_from([utc(2026, 3, 28), utc(2026, 10, 24), utc(2026, 4, 4), utc(2026, 6, 1)])
    )
    moment = day + draw(st.integers(0, 72 * 60)) * MINUTE
    windows = [None, "09:00-18:00", "20:00-02:00", "02:15-02:45", "12:30-12:40"]
    window = draw(st.sampled_from(windows))
    days = draw(st.sampled_from([None, None, "mon-fri", "sat,sun", "wed"]))
    ends_at = draw(st.none() | st.integers(-60, 30 * 60).map(lambda n: moment + n * MINUTE))
    return {
        "moment": moment,
        "hours": draw(st.just(()) | st.permutations(list(HOURS)).map(tuple)),
        "zone": zone,
        "between": None if window is None else parse_window(window),
        "days": None if days is None else parse_days(days),
        "since": moment + draw(st.sampled_from([-HOUR, timedelta(0), 7 * MINUTE, 9 * HOUR])),
        "ends_at": ends_at,
    }


@given(case=_cases())
@settings(max_examples=300, deadline=None)
def test_it_is_within_a_day_in_the_window_not_after_the_end_and_stays(case: dict[str, Any]) -> None:
    moment, zone, ends_at = case["moment"], case["zone"], case["ends_at"]
    window = {"between": case["between"], "days": case["days"]}
    at = chosen(**case)
    otherwise = next_opening(moment, zone, case["between"], case["days"])
    assert at == next_opening(at, zone, case["between"], case["days"]), "it is open then"
    if at != otherwise:
        assert moment <= at < moment + DAY
        assert ends_at is None or at <= ends_at
        assert at >= case["since"] - HOUR * 2  # the hour it was in had not passed
    # Every minute that it might have been, and none is in a better hour.
    place = {hour: n for n, hour in enumerate(case["hours"] or DEFAULT)}
    first = max(moment, case["since"])
    open_minutes = [
        each
        for each in (first + n * MINUTE for n in range(24 * 60))
        if each < moment + DAY
        and (ends_at is None or each <= ends_at)
        and next_opening(each, zone, **_positional(window)) == each
    ]
    if open_minutes:
        best = min(place[each.astimezone(zone).hour] for each in open_minutes)
        assert place[at.astimezone(zone).hour] <= best
    # Asked again later, it stays.
    again = chosen(**{**case, "since": max(case["since"], at + 5 * HOUR), "kept": at})
    assert again == at or not moment <= at < moment + DAY or (ends_at is not None and at > ends_at)


def _positional(window: dict[str, Any]) -> dict[str, Any]:
    return {"window": window["between"], "days": window["days"]}


# --- In an enrollment -----------------------------------------------------------------------

TIP = {"id": "tip", "at": "start + 2 days at best hour"}
NIGHT = tuple((22 + n) % 24 for n in range(24))


def _tips(enrolled: Enrolled) -> list[datetime]:
    return [at for step, what, at in enrolled.told if (step, what) == ("tip", "sent")]


def test_a_step_goes_out_at_the_default_hour_where_nobody_is_known() -> None:
    one = Enrolled(TIP, zone="Europe/Paris").until(START + 9 * DAY)
    assert _tips(one) == [START + 2 * DAY + HOUR]  # START is nine in Paris


def test_what_is_known_of_the_customer_comes_with_news_of_their_zone() -> None:
    one = Enrolled(TIP).event("identify", START + DAY, zone="Europe/Paris", hours=NIGHT)
    assert _tips(one.until(START + 9 * DAY)) == [utc(2026, 11, 25, 21)]


def test_news_of_hours_alone_move_the_step_and_never_into_the_past() -> None:
    one = Enrolled(TIP)
    one.event("identify", START + 2 * DAY + HOUR, zone="UTC", hours=(8, *NIGHT[:10], *NIGHT[11:]))
    assert _tips(one.until(START + 9 * DAY)) == [START + 2 * DAY + 14 * HOUR]


def test_an_end_that_moves_moves_what_chose_its_hour_before_it() -> None:
    one = Enrolled(
        {**TIP, "at": "start + 1 day at best hour"},
        ends_at="customer.ends",
        traits={"ends": "2026-11-24T09:30"},
    )
    assert one.next_at == START + DAY + HOUR  # nine: ten would be past the end
    one.moves(START + HOUR, ends="2026-12-24")
    assert one.next_at == START + DAY + 2 * HOUR
    one.moves(START + 2 * HOUR, ends="2026-11-24T08:59")
    assert one.next_at == START + DAY


def test_a_weekly_step_goes_out_once_a_week_whatever_hour_it_takes() -> None:
    weekly = {"id": "tip", "at": "start at best hour", "repeat": "weekly", "grace": "1 hour"}
    one = Enrolled(weekly, ends_at="start + 29 days").until(START + 40 * DAY)
    assert _tips(one) == [START + 2 * HOUR + n * 7 * DAY for n in range(5)]


def test_a_daily_one_comes_every_day_also_when_the_clocks_change() -> None:
    daily = {"id": "tip", "at": "start + 1 hour at best hour", "repeat": "daily"}
    one = Enrolled(
        daily, at=utc(2026, 3, 26, 8), zone="Europe/Paris", ends_at="start + 6 days"
    ).tell_hours(LATER)
    tips = _tips(one.until(utc(2026, 4, 9)))
    assert [at.astimezone(PARIS).hour for at in tips] == [8] * len(tips)
    assert len({at.astimezone(PARIS).date() for at in tips}) == len(tips) == 6


def test_a_best_hour_after_another_step_counts_from_that() -> None:
    after = {"id": "tip", "at": "first + 1 day at best hour"}
    one = Enrolled({"id": "first", "at": "start"}, after).until(START + 9 * DAY)
    assert _tips(one) == [START + DAY + 2 * HOUR]


def test_entered_late_the_hours_that_are_over_are_not_waited_for() -> None:
    one = Enrolled(TIP, entered_at=START + 2 * DAY + 5 * HOUR + 30 * MINUTE)
    assert _tips(one.until(START + 9 * DAY)) == [START + 2 * DAY + 5 * HOUR + 30 * MINUTE]

"""Caps: what counts in which stretch of time, and who leaves room for whom."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import caps
from engine.caps import PastMessage, Upcoming
from engine.periods import CalendarPeriod, parse_period
from engine.policy import Cap
from engine.reading import ExpressionError
from tests.engine.enrolled import DAY, HOUR, MINUTE, START, journey, utc

PARIS = ZoneInfo("Europe/Paris")
UTC = ZoneInfo("UTC")


def cap(most: int, per: str, **more: Any) -> Cap:
    return Cap.model_validate({"max": most, "per": per, **more})


def sent(*times: datetime, channel: str = "email", topic: str | None = "news") -> list[PastMessage]:
    return [PastMessage("x", "s", at, channel, topic) for at in times]


def message(at: datetime, enrollment: str = "e1", priority: int = 0, **more: Any) -> Upcoming:
    given = {"topic": "news", "channels": ("email",), **more}
    return Upcoming(enrollment, "s", at, priority, **given)


def free(
    at: datetime,
    rules: Cap | Iterable[Cap],
    before: list[PastMessage] | None = None,
    others: Iterable[Upcoming] = (),
    tz: ZoneInfo = UTC,
    **mine: Any,
) -> datetime:
    rules = [rules] if isinstance(rules, Cap) else list(rules)
    return caps.free_at(rules, message(at, **mine), tz, before or [], list(others))


# --- Stretches of time --------------------------------------------------------------------


def test_a_rolling_day_does_not_let_23_00_and_00_10_both_pass() -> None:
    late, early = utc(2026, 11, 23, 22), utc(2026, 11, 23, 23, 10)  # in Paris
    assert free(early, cap(1, "1 day"), sent(late), tz=PARIS) == late + DAY
    assert free(early, cap(1, "calendar day"), sent(late), tz=PARIS) == early


@pytest.mark.parametrize(
    ("per", "at", "opens"),
    [
        ("calendar day", utc(2026, 11, 23, 12), utc(2026, 11, 23, 23)),
        ("calendar week", utc(2026, 11, 25, 12), utc(2026, 11, 29, 23)),
        ("calendar month", utc(2026, 11, 25, 12), utc(2026, 11, 30, 23)),
        ("calendar month", utc(2026, 12, 31, 12), utc(2026, 12, 31, 23)),
    ],
)
def test_a_page_of_the_calendar_is_the_customers_own(
    per: str, at: datetime, opens: datetime
) -> None:
    assert free(at, cap(1, per), sent(at - HOUR), tz=PARIS) == opens
    assert free(opens, cap(1, per), sent(at - HOUR), tz=PARIS) == opens


def test_a_day_of_25_hours_is_one_day() -> None:
    first = utc(2026, 10, 24, 22)  # the midnight that begins the day on which clocks go back
    assert free(first + 24 * HOUR, cap(1, "calendar day"), sent(first), tz=PARIS) == (
        first + 25 * HOUR
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("calendar dya", "did you mean `day`?"),
        ("calender week", "did you mean `calendar week`?"),
        ("calendar 2 days", "has no number: write `calendar day`"),
        ("calendar", "write `calendar day`, `calendar week` or `calendar month`"),
        ("week", "write a length such as `7 days`"),
        ("0 days", "needs some time"),
        ("7 dyas", "did you mean `days`?"),
        ("calendar day week", "not a period"),
    ],
)
def test_a_period_that_is_none_says_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=problem):
        parse_period(text)


@pytest.mark.parametrize("text", ["7 days", "1 week 2 days", "calendar day", "calendar month"])
def test_a_period_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_period(text)) == text
    assert Cap.model_validate(cap(1, text).model_dump(mode="json")) == cap(1, text)


# --- What counts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "before", "held"),
    [
        ({"channel": "sms"}, {"channel": "email"}, False),
        ({"channel": "email"}, {"channel": "email"}, True),
        ({"topic": "offers"}, {"topic": "offers"}, False),  # this message is news
        ({"topic": "news"}, {"topic": "offers"}, False),
        ({"topic": "news"}, {"topic": "news"}, True),
        ({}, {"topic": None}, False),
        ({"counts_transactional": True}, {"topic": None}, True),
        ({"counts_transactional": True}, {"topic": None, "channel": "webhook"}, False),
        ({"counts_transactional": True}, {"topic": None, "channel": "traits"}, False),
    ],
)
def test_a_cap_counts_what_it_names(
    rule: dict[str, Any], before: dict[str, Any], held: bool
) -> None:
    at = free(START, cap(1, "1 day", **rule), sent(START - HOUR, **before))
    assert (at > START) is held


def test_of_several_caps_the_one_that_frees_last_holds() -> None:
    rules = [cap(1, "1 day"), cap(2, "7 days")]
    before = sent(START - 3 * DAY, START - HOUR)
    assert free(START, rules, before) == START + 4 * DAY


def test_a_cap_on_a_topic_has_no_transactional_messages_to_count() -> None:
    with pytest.raises(ValueError, match="nothing to count"):
        cap(1, "1 day", topic="news", counts_transactional=True)


_TIMES = st.lists(st.integers(0, 24 * 60), min_size=1, max_size=40).map(sorted)


@given(_TIMES, st.integers(1, 4), st.sampled_from(["5 hours", "1 day", "2 days"]))
def test_no_rolling_stretch_ever_holds_more_and_nobody_is_held_without_cause(
    halves: list[int], most: int, per: str
) -> None:
    length = timedelta(hours={"5 hours": 5, "1 day": 24, "2 days": 48}[per])
    out: list[datetime] = []
    for half in halves:
        at = START + half * 30 * MINUTE
        in_stretch = sum(at - length < each <= at for each in out)
        passes = free(at, cap(most, per), sent(*out)) == at
        assert passes is (in_stretch < most)
        if passes:
            out.append(at)


@given(
    _TIMES,
    st.integers(1, 4),
    st.sampled_from(["day", "week", "month"]),
    st.sampled_from(["Pacific/Auckland", "America/St_Johns", "Europe/Paris", "Africa/Cairo"]),
)
def test_no_page_of_the_calendar_ever_holds_more(
    halves: list[int], most: int, page: str, name: str
) -> None:
    tz, out = ZoneInfo(name), list[datetime]()

    def page_of(at: datetime) -> tuple[int, ...]:
        day = at.astimezone(tz).date()
        week = day.isocalendar()
        return {
            "day": (day.toordinal(),),
            "week": (week.year, week.week),
            "month": (day.year, day.month),
        }[page]

    for half in halves:
        at = START + half * 30 * MINUTE
        opens = free(at, cap(most, f"calendar {page}"), sent(*out), tz=tz)
        full = sum(page_of(each) == page_of(at) for each in out) >= most
        assert (opens > at) is full
        if full:  # the very first instant of the next page
            assert page_of(opens) != page_of(at)
            assert page_of(opens - MINUTE) == page_of(at)
        else:
            out.append(at)


def test_one_decided_out_of_order_counts_where_a_stretch_holds_both() -> None:
    """A message that was held up is decided at its own time, after one of a later time."""
    assert free(START, cap(1, "1 day"), sent(START + HOUR)) == START + HOUR + DAY
    assert free(START, cap(1, "1 day"), sent(START + DAY)) == START


# --- Who goes first -----------------------------------------------------------------------

HEAVY = message(START + 3 * HOUR, "e2", priority=5)


def test_the_lighter_one_waits_until_the_heavier_is_decided() -> None:
    assert free(START, cap(1, "1 day"), others=[HEAVY]) == HEAVY.at + MINUTE
    assert free(START, cap(2, "1 day"), others=[HEAVY]) == START


def test_the_heavier_one_waits_for_nobody() -> None:
    light = message(START - HOUR, "e0", priority=1)
    assert free(START, cap(1, "1 day"), others=[light], priority=5) == START


@pytest.mark.parametrize(
    "other",
    [
        {"at": START + 20 * HOUR},  # tomorrow
        {"at": START - 10 * HOUR},  # yesterday's, in trouble since
        {"topic": "offers"},
        {"channels": ("sms",)},
        {"priority": 0},
    ],
)
def test_who_wants_no_room_of_this_cap_today_is_left_none(other: dict[str, Any]) -> None:
    given: dict[str, Any] = {"at": HEAVY.at, "priority": 5, "enrollment": "e2", **other}
    rule = cap(1, "1 day", topic="news", channel="email")
    assert free(START, rule, others=[message(**given)]) == START


def test_the_day_is_the_customers() -> None:
    at = utc(2026, 11, 23, 22, 30)  # 23:30 in Paris
    later = message(at + HOUR, "e2", priority=5)
    assert free(at, cap(1, "1 day"), others=[later], tz=PARIS) == at
    assert free(at, cap(1, "1 day"), others=[later], tz=UTC) > at
    assert free(at - 2 * HOUR, cap(1, "1 day"), others=[message(at, "e2", 5)], tz=PARIS) > at


def test_with_room_for_some_it_waits_for_as_many_as_would_have_to_come_to_nothing() -> None:
    others = [message(START + n * HOUR, f"e{n}", priority=5) for n in (1, 2, 3)]
    rule = cap(2, "1 day")
    assert free(START, rule, others=others) == START + 2 * HOUR + MINUTE
    assert free(START, rule, others=others[:2]) == START + HOUR + MINUTE
    assert free(START, rule, others=others[:1]) == START


def test_one_in_trouble_is_asked_about_ever_less_often() -> None:
    at, asked = START, 0
    while True:
        now = free(at, cap(1, "1 day"), others=[message(START, "e2", priority=5)])
        if now == at:
            break
        at, asked = now, asked + 1
    assert at.date() > START.date()
    assert asked <= 12  # a day of minutes, doubled


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2)), min_size=2, max_size=6),
    st.integers(1, 3),
)
def test_nobody_waits_in_a_circle(drawn: list[tuple[int, int]], most: int) -> None:
    """Whoever all are waiting for goes: of those due by the last time, one is always free."""
    all_of_them = [
        message(START + hours * HOUR, f"e{n}", priority=weight)
        for n, (hours, weight) in enumerate(drawn)
    ]
    rule = cap(most, "1 day")

    def is_free(mine: Upcoming) -> bool:
        others = [each for each in all_of_them if each is not mine]
        return caps.free_at([rule], mine, UTC, [], others) == mine.at

    assert any(is_free(each) for each in all_of_them)


def test_of_two_at_one_instant_the_first_id_goes_first() -> None:
    twin = message(START, "e0")
    assert free(START, cap(1, "1 day"), others=[twin]) == START + MINUTE
    assert free(START, cap(1, "1 day"), others=[message(START, "e2")]) == START
    assert free(START, cap(1, "1 day"), others=[message(START - HOUR, "e0")]) == START


def test_it_is_worth_reading_only_where_others_could_take_the_room() -> None:
    mine, rules = message(START), [cap(3, "1 day")]
    assert not caps.is_near(rules, mine, UTC, sent(START - HOUR), rivals=1)
    assert caps.is_near(rules, mine, UTC, sent(START - HOUR), rivals=2)
    assert not caps.is_near([cap(1, "1 day", channel="sms")], mine, UTC, [], rivals=5)
    assert not caps.is_near(rules, mine, UTC, sent(*[START] * 3), rivals=5)  # held anyway


@given(st.integers(0, 4), st.integers(1, 4), st.integers(0, 4))
def test_where_it_is_not_read_it_would_change_nothing(past: int, most: int, rivals: int) -> None:
    others = [message(START + HOUR, f"e{n}", priority=5) for n in range(rivals)]
    before, rule = sent(*[START - HOUR] * past), cap(most, "1 day")
    if not caps.is_near([rule], message(START), UTC, before, rivals):
        assert free(START, rule, before, others) == free(START, rule, before)


def test_a_step_that_waits_for_another_is_never_waited_for() -> None:
    three = journey(
        {"id": "a", "at": "start"}, {"id": "b", "at": "a + 1 hour"}, {"id": "c", "at": "b + 1 hour"}
    )
    a, b, c = three.steps
    assert caps.waits_for(three, c, a)
    assert caps.waits_for(three, a, a)
    assert not caps.waits_for(three, b, c)


@pytest.mark.parametrize(
    ("step", "keys", "wants"),
    [
        ({}, {}, True),
        ({"transactional": True}, {}, False),
        ({"send": None, "call": "crm"}, {}, False),
        ({}, {"holdout": 1}, False),
    ],
)
def test_only_what_may_go_out_and_counts_wants_room(
    step: dict[str, Any], keys: dict[str, Any], wants: bool
) -> None:
    made = journey({"id": "a", "send": "tip", "at": "start", **step}, priority=3, **keys)
    found = caps.upcoming(made, made.steps[0], "e1", START, ("email",), "ana")
    assert (found is not None) is wants
    if found is not None:
        assert (found.priority, found.topic) == (3, "news")


def test_a_step_may_weigh_otherwise_than_its_journey() -> None:
    made = journey({"id": "a", "at": "start"}, {"id": "b", "at": "start", "priority": -1})
    assert [made.priority_of(step) for step in made.steps] == [0, -1]


def test_a_calendar_period_says_itself() -> None:
    assert isinstance(parse_period("Calendar  Week"), CalendarPeriod)

"""The little language: what it takes, how it is written back, and what a mistake is told."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.expressions import (
    Anchor,
    Days,
    Duration,
    EventAnchor,
    ExpressionError,
    StartAnchor,
    StepAnchor,
    Term,
    TimeExpression,
    TraitAnchor,
    Unit,
    Window,
    parse_days,
    parse_duration,
    parse_time_expression,
    parse_window,
)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("start", TimeExpression(StartAnchor())),
        ("start + 1 day", TimeExpression(StartAnchor(), (Term(1, Unit.DAY),))),
        ("start+1 day", TimeExpression(StartAnchor(), (Term(1, Unit.DAY),))),
        ("  start   +  2   weeks ", TimeExpression(StartAnchor(), (Term(2, Unit.WEEK),))),
        ("start at 09:00", TimeExpression(StartAnchor(), (), time(9))),
        ("start at 9:05", TimeExpression(StartAnchor(), (), time(9, 5))),
        ("start at 00:00", TimeExpression(StartAnchor(), (), time(0))),
        (
            "customer.trial_ends_at - 5 days",
            TimeExpression(TraitAnchor("trial_ends_at"), (Term(-5, Unit.DAY),)),
        ),
        (
            "customer.company.trialEndsAt + 1 month - 1 day at 18:30",
            TimeExpression(
                TraitAnchor("company.trialEndsAt"),
                (Term(1, Unit.MONTH), Term(-1, Unit.DAY)),
                time(18, 30),
            ),
        ),
        (
            "customer.trial-end - 1 hour",
            TimeExpression(TraitAnchor("trial-end"), (Term(-1, Unit.HOUR),)),
        ),
        (
            "event.booking.starts_at - 1 hour",
            TimeExpression(EventAnchor("booking.starts_at"), (Term(-1, Unit.HOUR),)),
        ),
        ("coupon + 2 days", TimeExpression(StepAnchor("coupon"), (Term(2, Unit.DAY),))),
        ("thanks-a + 1 year", TimeExpression(StepAnchor("thanks-a"), (Term(1, Unit.YEAR),))),
        (
            "start + 2 days at  best hour",
            TimeExpression(StartAnchor(), (Term(2, Unit.DAY),), best_hour=True),
        ),
        ("best at best hour", TimeExpression(StepAnchor("best"), best_hour=True)),
        ("at at 09:00", TimeExpression(StepAnchor("at"), (), time(9))),
        ("start + 100 years", TimeExpression(StartAnchor(), (Term(100, Unit.YEAR),))),
        ("start + 0007 minutes", TimeExpression(StartAnchor(), (Term(7, Unit.MINUTE),))),
    ],
)
def test_a_time_expression_means(text: str, meaning: TimeExpression) -> None:
    assert parse_time_expression(text) == meaning


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("start + 1 dya", "unknown unit `dya`, did you mean `day`?"),
        ("start + 3 dyas", "unknown unit `dyas`, did you mean `days`?"),
        ("start + 3 Days", "unknown unit `Days`, did you mean `days`?"),
        ("start + 3d", "unknown unit `d`, did you mean `day`?"),
        ("start + 3 m", "unknown unit `m`, did you mean `minute` or `month`?"),
        (
            "start + 30 seconds",
            "unknown unit `seconds`: units are `minute`, `hour`, `day`, `week`, `month`, `year`",
        ),
        ("custmer.x + 1 day", "unknown anchor `custmer.x`, did you mean `customer.x`?"),
        ("Customer.a.b", "unknown anchor `Customer.a.b`, did you mean `customer.a.b`?"),
        ("evnt.x", "unknown anchor `evnt.x`, did you mean `event.x`?"),
        ("traits.x", "unknown anchor `traits.x`, did you mean `customer.x`?"),
        ("Start + 1 day", "unknown anchor `Start`, did you mean `start`?"),
        (
            "start.x",
            "unknown anchor `start.x`: write `start`, `event.<path>`, `customer.<trait>` "
            "or a step's id",
        ),
        (
            "Thanks + 1 day",
            "unknown anchor `Thanks`: write `start`, `event.<path>`, `customer.<trait>` "
            "or a step's id",
        ),
        (
            "customer - 1 day",
            "`customer` alone is not a time: name a field, such as `customer.trial_ends_at`",
        ),
        ("event", "`event` alone is not a time: name a field, such as `event.ends_at`"),
        ("event.", "`event.` is not a path: join names by dots, such as `event.a.b`"),
        (
            "customer.a..b",
            "`customer.a..b` is not a path: join names by dots, such as `customer.a.b`",
        ),
        (
            "customer['x']",
            "unknown anchor `customer['x']`: write `start`, `event.<path>`, "
            "`customer.<trait>` or a step's id",
        ),
        ("start + day", "a number is missing before `day`: write it like `1 day`"),
        ("start +", "a number is missing at the end: write it like `1 day`"),
        ("start + + 1 day", "a number is missing before `+`: write it like `1 day`"),
        ("start + ² days", "a number is missing before `²`: write it like `1 day`"),
        ("start + 2", "a unit is missing after `2`: write it like `1 day` or `2 days`"),
        ("start + 2 at 09:00", "a unit is missing after `2`: write it like `1 day` or `2 days`"),
        ("start + 2 - 1 day", "a unit is missing after `2`: write it like `1 day` or `2 days`"),
        ("start + 1.5 days", "`1.5` is not a whole number: write it like `1 day` or `36 hours`"),
        (
            "start + 1,000 days",
            "`1,000` is not a whole number: write it like `1 day` or `36 hours`",
        ),
        (
            "start + 101 years",
            "101 years is too long: at most 100 years, so that no date leaves the calendar",
        ),
        (
            "start + 60 years - 60 years",
            "60 years 60 years is too long: at most 100 years, so that no date leaves the calendar",
        ),
        (
            "start + 1" + "0" * 5000 + " days",  # more digits than int() itself takes
            "1" + "0" * 5000 + " days is too long: at most 100 years, "
            "so that no date leaves the calendar",
        ),
        ("start 1 day", "unexpected `1`: put `+` or `-` before each number"),
        ("start + 1 hour 30 minutes", "unexpected `30`: put `+` or `-` before each number"),
        ("start + 1 day 09:00", "unexpected `09:00`: write `at 09:00`"),
        (
            "start + 1 day please",
            "unexpected `please`: here can stand `+ 1 day`, `- 1 day` or `at 09:00`",
        ),
        ("start at 09:00 + 1 day", "unexpected `+`: nothing follows `at HH:MM`, it comes last"),
        (
            "start at",
            "a time of day is missing after `at`: write `at 09:00` or `at best hour`",
        ),
        ("start at best", "unexpected `best`: write `at best hour`, or a time such as `at 09:00`"),
        (
            "start at bets hour",
            "unexpected `bets`: write `at best hour`, or a time such as `at 09:00`",
        ),
        (
            "start at best hour + 1 day",
            "unexpected `+`: nothing follows `at best hour`, it comes last",
        ),
        ("start at 25:00", "there is no time `25:00`: the day goes from `00:00` to `23:59`"),
        ("start at 24:00", "there is no time `24:00`: the day goes from `00:00` to `23:59`"),
        ("start at 09:60", "there is no time `09:60`: the day goes from `00:00` to `23:59`"),
        ("start at 9", "`9` is not a time of day: write hours and minutes, such as `09:00`"),
        ("start at noon", "`noon` is not a time of day: write hours and minutes, such as `09:00`"),
        (
            "start at 09:00:00",
            "`09:00:00` is not a time of day: write hours and minutes, such as `09:00`",
        ),
        ("start-5 days", "put spaces around `-`: write `start - 5 days`"),
        ("customer.ends-5 days", "put spaces around `-`: write `customer.ends - 5 days`"),
        ("start – 5 days", "`–` is not the `-` of the keyboard: write `-`"),
        (
            "5 days before customer.ends",
            "a time starts with `start`, `event.<path>`, `customer.<trait>` or a step's id, "
            "such as `start + 1 day at 09:00`",
        ),
        (
            "at 09:00",
            "a time starts with `start`, `event.<path>`, `customer.<trait>` or a step's id, "
            "such as `start + 1 day at 09:00`",
        ),
    ],
)
def test_a_mistake_in_a_time_expression_is_told_exactly(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_time_expression(text)
    assert str(caught.value) == f"`{text}`: {problem}"


def test_a_message_quotes_a_text_of_several_lines_on_one() -> None:
    with pytest.raises(ExpressionError, match=r"^`start \+ 1 dya`: unknown unit"):
        parse_time_expression("start\n  + 1 dya\n")


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_text_is_refused_by_every_parser(text: str) -> None:
    for parse in (parse_time_expression, parse_duration, parse_window, parse_days):
        with pytest.raises(ExpressionError, match="nothing is written here"):
            parse(text)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("1 day", [(1, Unit.DAY)]),
        ("10 days", [(10, Unit.DAY)]),
        ("2weeks", [(2, Unit.WEEK)]),
        ("1 hour 30 minutes", [(1, Unit.HOUR), (30, Unit.MINUTE)]),
        ("0 minutes", [(0, Unit.MINUTE)]),
    ],
)
def test_a_duration_means(text: str, terms: list[tuple[int, Unit]]) -> None:
    assert parse_duration(text) == Duration(tuple(Term(*term) for term in terms))


def test_a_duration_is_zero_when_all_its_terms_are() -> None:
    assert parse_duration("0 days 0 minutes").is_zero
    assert not parse_duration("0 days 1 minute").is_zero


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("10 dayz", "unknown unit `dayz`, did you mean `days`?"),
        ("1 hour and 30 minutes", "unexpected `and`: write it like `1 hour 30 minutes`"),
        ("1 hour + 30 minutes", "a duration has no `+`: write it like `1 hour 30 minutes`"),
        ("-1 day", "a duration has no `-`: write it like `1 hour 30 minutes`"),
        ("days", "a number is missing before `days`: write it like `1 day`"),
        ("P10D", "a number is missing before `P10D`: write it like `1 day`"),
        ("10", "a unit is missing after `10`: write it like `1 day` or `2 days`"),
        ("10 5 days", "a unit is missing after `10`: write it like `1 day` or `2 days`"),
        (
            "60 years 500 months",
            "60 years 500 months is too long: at most 100 years, "
            "so that no date leaves the calendar",
        ),
    ],
)
def test_a_mistake_in_a_duration_is_told_exactly(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_duration(text)
    assert str(caught.value) == f"`{text}`: {problem}"


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("09:00-18:00", Window(time(9), time(18))),
        ("9:00 - 18:30", Window(time(9), time(18, 30))),
        ("20:00-02:00", Window(time(20), time(2))),
        ("18:00-24:00", Window(time(18), time(0))),
        ("00:00-06:00", Window(time(0), time(6))),
    ],
)
def test_a_window_means(text: str, window: Window) -> None:
    assert parse_window(text) == window


def test_a_window_that_closes_before_it_opens_spans_midnight() -> None:
    assert parse_window("20:00-02:00").spans_midnight
    assert parse_window("18:00-24:00").spans_midnight
    assert not parse_window("09:00-18:00").spans_midnight


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("09:00", "not a window: write two times of day, such as `09:00-18:00`"),
        ("09:00-", "not a window: write two times of day, such as `09:00-18:00`"),
        ("9-18", "`9` is not a time of day: write hours and minutes, such as `09:00`"),
        ("09:00-6pm", "`6pm` is not a time of day: write hours and minutes, such as `09:00`"),
        ("24:00-09:00", "there is no time `24:00`: the day goes from `00:00` to `23:59`"),
        ("09:00-24:01", "there is no time `24:01`: the day goes from `00:00` to `23:59`"),
        ("09:00–18:00", "`–` is not the `-` of the keyboard: write `-`"),
        (
            "09:00-09:00",
            "a window can't open and close at one time; for the whole day, leave it out",
        ),
        (
            "00:00-24:00",
            "a window can't open and close at one time; for the whole day, leave it out",
        ),
    ],
)
def test_a_mistake_in_a_window_is_told_exactly(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_window(text)
    assert str(caught.value) == f"`{text}`: {problem}"


@pytest.mark.parametrize(
    ("text", "weekdays", "canonical"),
    [
        ("mon", (0,), "mon"),
        ("Sunday", (6,), "sun"),
        ("mon-fri", (0, 1, 2, 3, 4), "mon-fri"),
        ("MON-FRI", (0, 1, 2, 3, 4), "mon-fri"),
        ("sat-mon", (0, 5, 6), "mon,sat,sun"),
        ("mon,wed,fri-sun", (0, 2, 4, 5, 6), "mon,wed,fri-sun"),
        ("sun, mon , mon", (0, 6), "mon,sun"),
        ("tue-mon", (0, 1, 2, 3, 4, 5, 6), "mon-sun"),
        ("mon-tue", (0, 1), "mon,tue"),
    ],
)
def test_days_mean(text: str, weekdays: tuple[int, ...], canonical: str) -> None:
    assert parse_days(text) == Days(weekdays)
    assert str(parse_days(text)) == canonical


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("mnday", "unknown day `mnday`, did you mean `monday`?"),
        (
            "xyz",
            "unknown day `xyz`: days are `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`",
        ),
        ("mon,,fri", "a day is missing: write days such as `mon-fri` or `mon,wed,fri`"),
        ("mon-", "a day is missing: write days such as `mon-fri` or `mon,wed,fri`"),
        ("tue-tue", "`tue-tue` is one day or seven: write `tue` or `mon-sun`"),
        ("mon–fri", "`–` is not the `-` of the keyboard: write `-`"),
    ],
)
def test_a_mistake_in_days_is_told_exactly(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_days(text)
    assert str(caught.value) == f"`{text}`: {problem}"


_MINUTE_TIMES = st.times().map(lambda t: t.replace(second=0, microsecond=0))
_COUNTS = st.integers(-15, 15)  # four of the longest unit stay below the 100 years
_TERMS = st.lists(st.builds(Term, _COUNTS, st.sampled_from(Unit)), max_size=4).map(tuple)
_PATHS = st.from_regex(r"[\w$][\w$-]{0,8}(\.[\w$][\w$-]{0,8}){0,2}", fullmatch=True)
_STEPS = st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True).filter(
    lambda word: word not in ("start", "event", "customer")
)
# `a-5` is a name, but before a unit it reads as a minus without spaces. Here no unit follows.
_ANCHORS: st.SearchStrategy[Anchor] = st.one_of(
    st.just(StartAnchor()),
    st.builds(EventAnchor, _PATHS),
    st.builds(TraitAnchor, _PATHS),
    st.builds(StepAnchor, _STEPS),
)


@given(
    st.builds(TimeExpression, _ANCHORS, _TERMS, st.none() | _MINUTE_TIMES)
    | st.builds(TimeExpression, _ANCHORS, _TERMS, best_hour=st.just(True))
)
def test_every_time_expression_is_written_back_as_it_is_read(value: TimeExpression) -> None:
    assert parse_time_expression(str(value)) == value
    assert str(parse_time_expression(str(value))) == str(value)


@given(st.lists(st.builds(Term, st.integers(0, 15), st.sampled_from(Unit)), min_size=1, max_size=4))
def test_every_duration_is_written_back_as_it_is_read(terms: list[Term]) -> None:
    value = Duration(tuple(terms))
    assert parse_duration(str(value)) == value


@given(_MINUTE_TIMES, _MINUTE_TIMES)
def test_every_window_is_written_back_as_it_is_read(opens: time, closes: time) -> None:
    if opens != closes:
        assert parse_window(str(Window(opens, closes))) == Window(opens, closes)


@given(st.sets(st.integers(0, 6), min_size=1))
def test_all_days_are_written_back_as_they_are_read(weekdays: set[int]) -> None:
    value = Days(tuple(sorted(weekdays)))
    assert parse_days(str(value)) == value


@given(st.text() | st.text(alphabet="start+-at 019:.,dayhourmn", max_size=40))
def test_any_text_is_read_or_refused_and_nothing_else_happens(text: str) -> None:
    for parse in (parse_time_expression, parse_duration, parse_window, parse_days):
        try:
            value = parse(text)
        except ExpressionError:
            continue  # any other exception fails the test
        assert parse(str(value)) == value


def test_values_are_frozen_and_usable_as_keys() -> None:
    value = parse_time_expression("start + 1 day at 09:00")
    assert {value: 1}[parse_time_expression("start+1 day at 9:00")] == 1
    with pytest.raises(AttributeError):
        value.at = None  # type: ignore[misc]

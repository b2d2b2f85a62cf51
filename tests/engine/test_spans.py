"""Windows over times, against asking the calendar about every one of them."""

import random
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.expressions import parse_duration
from engine.localtime import shift
from engine.spans import Span, instant, microseconds
from tests.engine.computed_oracle import FIRST, LAST, US, ZONES
from tests.engine.enrolled import DAY, HOUR, utc

LENGTHS = ("90 minutes", "36 hours", "1 day", "2 weeks", "1 month", "1 year", "1 month 3 hours")


@given(seed=st.integers(0, 2**32), length=st.sampled_from(LENGTHS), name=st.sampled_from(ZONES))
@settings(max_examples=300, deadline=None)
def test_what_counts_and_when_it_leaves_is_what_the_calendar_says(
    seed: int, length: str, name: str
) -> None:
    draw, tz, span = random.Random(seed), ZoneInfo(name), Span(parse_duration(length))
    around = FIRST + draw.randrange((LAST - FIRST) // DAY) * DAY
    ats = sorted(around + draw.randrange(12 * 1440) * timedelta(minutes=1) for _ in range(20))
    ends = [shift(at, span.duration.terms, tz) for at in ats]
    for at, end in zip(ats, ends, strict=True):
        assert span.at_least <= (end - at) // US <= span.at_most
        assert span.end(microseconds(at), tz) == microseconds(end)
    now = max(ats[-1], draw.choice(ends) + draw.choice((-US, timedelta(0), HOUR)))
    times = [*map(microseconds, ats)]
    counting = [place for place, end in enumerate(ends) if now < end]
    assert span.counting(times, microseconds(now), tz) == counting
    leaving = sorted((microseconds(ends[place]), place) for place in counting)
    assert list(span.leaving(times, microseconds(now), tz)) == leaving


def test_the_younger_of_two_may_leave_first() -> None:
    month, tz = Span(parse_duration("1 month")), ZoneInfo("UTC")
    times = [microseconds(utc(2026, 1, 30, 10)), microseconds(utc(2026, 1, 31, 9))]
    leaving = list(month.leaving(times, times[1], tz))
    assert [(instant(end), place) for end, place in leaving] == [
        (utc(2026, 2, 28, 9), 1),
        (utc(2026, 2, 28, 10), 0),
    ]
    assert month.counting(times, leaving[0][0], tz) == [0]


@pytest.mark.parametrize("length", LENGTHS)
def test_nothing_lasts_at_the_end_of_the_calendar(length: str) -> None:
    last = microseconds(utc(9999, 12, 31, 23))
    span = Span(parse_duration(length))
    assert span.end(last, ZoneInfo("UTC")) == last

"""Rate limits per key: what is let in, what must wait, and that waiting helps."""

from datetime import timedelta
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import RateLimitedError
from api.keyring import KnownKey
from api.limits import _MOST_BUCKETS, BURST_S, Limits
from tests.api.given import A_DAY

SECOND = timedelta(seconds=1)
_BATCH = 2_500  # the largest there is

RATES = st.one_of(st.integers(1, 12), st.integers(1, 100_000))
# How long after the one before, and how many events; often in a rush, sometimes after a rest.
REQUESTS = st.lists(
    st.tuples(
        st.one_of(st.just(timedelta(0)), st.timedeltas(timedelta(0), timedelta(minutes=2))),
        st.one_of(st.just(1), st.integers(1, _BATCH)),
    ),
    min_size=1,
    max_size=60,
)


def a_key(rate: int | None = None, number: int = 1) -> KnownKey:
    return KnownKey(number, "app", frozenset(), rate)


def send(limits: Limits, key: KnownKey, events: int, passed: timedelta) -> None:
    """A request as the routes charge it: its first event, and the rest."""
    limits.take(key, 1, A_DAY + passed)
    limits.take_rest(key, events - 1, A_DAY + passed)


@given(rate=RATES, requests=REQUESTS)
def test_over_any_time_no_more_is_let_in_than_the_rate_the_burst_and_a_batch(
    rate: int, requests: list[tuple[timedelta, int]]
) -> None:
    limits, passed, let_in = Limits(rate), timedelta(0), [(timedelta(0), 0)]
    for after, events in requests:
        passed += after
        try:
            send(limits, a_key(), events, passed)
        except RateLimitedError:
            continue
        let_in.append((passed, events))
    largest = max(events for _, events in requests)
    for first, (began, _) in enumerate(let_in):
        total = 0
        for at, events in let_in[first:]:
            total += events
            most = rate * ((at - began).total_seconds() + BURST_S) + largest
            assert total <= most + 1e-3


@given(rate=RATES, requests=REQUESTS, then=st.integers(1, _BATCH))
def test_who_waits_as_long_as_told_is_let_in_with_a_batch_of_any_size(
    rate: int, requests: list[tuple[timedelta, int]], then: int
) -> None:
    limits, passed = Limits(rate), timedelta(0)
    for after, events in requests:
        passed += after
        try:
            send(limits, a_key(), events, passed)
        except RateLimitedError as refused:
            passed += refused.retry_after_s * SECOND
            send(limits, a_key(), then, passed)


@given(rate=RATES, requests=REQUESTS)
def test_nobody_waits_a_second_longer_than_needed(
    rate: int, requests: list[tuple[timedelta, int]]
) -> None:
    limits, passed = Limits(rate), timedelta(0)
    for after, events in requests:
        passed += after
        try:
            send(limits, a_key(), events, passed)
        except RateLimitedError as error:
            wait_s = error.retry_after_s
        else:
            continue
        assert 1 <= wait_s <= ceil((_BATCH + 1) / rate)
        if wait_s > 1:
            passed += (wait_s - 1) * SECOND
            with pytest.raises(RateLimitedError):
                limits.take(a_key(), 1, A_DAY + passed)


def test_a_batch_larger_than_the_bucket_goes_into_debt_and_the_next_waits() -> None:
    limits = Limits(1)
    send(limits, a_key(), 100, timedelta(0))
    with pytest.raises(RateLimitedError) as refused:
        send(limits, a_key(), 1, timedelta(0))
    assert refused.value.retry_after_s == 91  # 90 in debt, and the one to be let in
    assert refused.value.headers == {"Retry-After": "91"}


def test_of_requests_that_began_together_only_one_goes_into_debt() -> None:
    limits, key = Limits(1), a_key()
    for _ in range(10):
        limits.take(key, 1, A_DAY)
    limits.take_rest(key, 99, A_DAY)
    with pytest.raises(RateLimitedError) as refused:
        limits.take_rest(key, 99, A_DAY)
    assert refused.value.retry_after_s == 100


def test_a_key_has_its_own_rate_and_its_own_bucket() -> None:
    limits = Limits(1)
    fast, endless = a_key(1_000, number=2), a_key(0, number=3)
    send(limits, a_key(), 2_500, timedelta(0))
    for _ in range(4):
        send(limits, fast, 2_500, timedelta(0))
    for _ in range(1_000):
        send(limits, endless, 2_500, timedelta(0))
    with pytest.raises(RateLimitedError):
        send(limits, a_key(), 1, timedelta(0))
    with pytest.raises(RateLimitedError):
        send(limits, fast, 1, timedelta(0))


def test_without_a_rate_there_is_no_limit() -> None:
    limits = Limits(0)
    for _ in range(1_000):
        send(limits, a_key(), 2_500, timedelta(0))
    send(limits, a_key(1), 2_500, timedelta(0))
    with pytest.raises(RateLimitedError):
        send(limits, a_key(1), 1, timedelta(0))


def test_a_clock_that_is_set_back_fills_nothing_and_holds_nobody_up() -> None:
    limits = Limits(10)
    send(limits, a_key(), 101, timedelta(0))
    with pytest.raises(RateLimitedError) as refused:
        send(limits, a_key(), 1, -timedelta(hours=1))
    later = -timedelta(hours=1) + refused.value.retry_after_s * SECOND
    send(limits, a_key(), 1, later)


def test_memory_is_bounded_and_a_bucket_in_use_is_kept() -> None:
    limits, busy = Limits(1), a_key(number=0)
    send(limits, busy, 100, timedelta(0))
    for number in range(1, 3 * _MOST_BUCKETS):
        limits.take(a_key(number=number), 1, A_DAY)
        if number % 1_000 == 0:
            with pytest.raises(RateLimitedError):
                limits.take(busy, 1, A_DAY)
    assert len(limits._buckets) == _MOST_BUCKETS

"""The order in which calls arrive decides nothing; the order in which things happened does.

Whatever is drawn, the calls are accepted once as they happened, and once in another order,
cut into other requests, some of them twice. Both stores must hold the same.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.calls import SegmentCall, Track
from tests.api.lives import MINUTE, RECEIVED, UNHURRIED, after, arrivals, lives


def _check(published: Path, data: st.DataObject, calls: list[SegmentCall]) -> None:
    requests = data.draw(arrivals(calls))
    assert after(published, requests) == after(published, [[call] for call in calls])


@settings(max_examples=60, **UNHURRIED)
@given(data=st.data(), calls=lives())
def test_the_order_of_arrival_decides_nothing(
    published_file: Path, data: st.DataObject, calls: list[SegmentCall]
) -> None:
    _check(published_file, data, calls)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(0, marks=pytest.mark.long),
        *(pytest.param(part, marks=pytest.mark.wide) for part in range(1, 5)),
    ],
)
@settings(max_examples=500, **UNHURRIED)
@given(data=st.data(), calls=lives())
def test_the_order_of_arrival_decides_nothing_at_length(
    published_file: Path, part: int, data: st.DataObject, calls: list[SegmentCall]
) -> None:
    """Five times five hundred lives, each part with a seed of its own."""
    _check(published_file, data, calls)


def test_a_store_that_forgot_a_call_would_be_noticed(published_file: Path) -> None:
    """The control: one call less is another outcome."""
    calls = [
        Track(customer_id="ada", at=RECEIVED - 2 * MINUTE, message_id="m1", event="began"),
        Track(customer_id="ada", at=RECEIVED - MINUTE, message_id="m2", event="left"),
    ]
    assert after(published_file, [calls]) != after(published_file, [calls[:-1]])

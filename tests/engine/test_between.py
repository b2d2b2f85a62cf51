"""What a condition says of bounds holds for every number between them."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.between import Between, Undecided
from engine.matching import ConditionFailed, History
from rendering.conditions import counted, evaluate

_NUMBERS = st.sampled_from(["X", "Y", "0", "1", "2", "8", "0.5"])
_TERMS = st.recursive(
    _NUMBERS,
    lambda of: st.builds(lambda x, op, y: f"({x} {op} {y})", of, st.sampled_from("+-*"), of),
    max_leaves=4,
)
_COMPARED = st.builds(
    lambda x, op, y: f"{x} {op} {y}",
    _TERMS,
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    _TERMS,
)
_CONDITIONS = st.recursive(
    _COMPARED | _TERMS,
    lambda of: (
        st.builds(lambda x, op, y: f"({x}) {op} ({y})", of, st.sampled_from(["and", "or"]), of)
        | st.builds(lambda x: f"not ({x})", of)
    ),
    max_leaves=4,
)


def _says(condition: str, a: Any, b: Any) -> bool:
    counts = {"a": a, "b": b}
    nobody: Callable[[str], bool] = lambda step: False  # noqa: E731
    history = History(lambda event, within: counts[event], sent=nobody, clicked=nobody)
    text = condition.replace("X", "count('a')").replace("Y", "count('b')")
    return evaluate(text, {}, {}, history)


@settings(max_examples=400, deadline=None)
@given(_CONDITIONS, st.integers(0, 4), st.integers(0, 4), st.integers(0, 3), st.integers(0, 3))
def test_an_answer_for_bounds_is_the_answer_for_all_between(
    condition: str, low: int, least: int, wide: int, broad: int
) -> None:
    try:
        said = _says(condition, Between(low, low + wide), Between(least, least + broad))
    except (Undecided, ConditionFailed):
        return
    for a, b in product(range(low, low + wide + 1), range(least, least + broad + 1)):
        assert _says(condition, a, b) is said, (condition, a, b)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("X >= 8", False),
        ("X - Y >= 8 and 2 * Y <= X", False),
        ("3 * X + Y <= 20", True),
        ("X == 7", False),
        ("Y != 9 and not X > 100", True),
        ("X * Y > 100 or 1 == 1", True),
        ("0 <= X < 6", True),
        ("X == 'x'", False),
    ],
)
def test_what_does_not_hang_on_the_numbers_is_answered(condition: str, says: bool) -> None:
    assert _says(condition, Between(0, 5), Between(0, 3)) is says


@pytest.mark.parametrize("condition", ["X", "not X", "X > 0", "X == 5", "X - Y >= 0", "X < Y + 1"])
def test_what_hangs_on_the_numbers_is_undecided(condition: str) -> None:
    with pytest.raises(Undecided):
        _says(condition, Between(0, 5), Between(0, 3))


@pytest.mark.parametrize(
    "condition",
    [
        "count('a') / 2 > 1",
        "count('a') % 2 == 0",
        "-count('a') > 1",
        "count('a') | round > 1",
        "count('a') is number",
        "count('a') in [1, 2]",
        "count('a') ~ '' == '1'",
        "[count('a')] == [1]",
        "(1 if count('a') else 2) == 1",
    ],
)
def test_bounds_do_only_where_numbers_are_computed_and_compared(condition: str) -> None:
    assert not counted(condition).is_arithmetic
    assert counted("count('a') - 2 * customer.age >= count('b', '3 days') and 1 < 2").is_arithmetic

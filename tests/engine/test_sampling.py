"""Draws are stable, even, and stay in their bounds."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.sampling import draw, fraction, held_out


@given(st.lists(st.text()))
def test_a_fraction_is_stable_and_below_one(parts: list[str]) -> None:
    assert 0 <= fraction(*parts) < 1
    assert fraction(*parts) == fraction(*parts)


def test_a_share_of_all_holds_everybody_out_and_of_none_nobody() -> None:
    people = [f"c{n}" for n in range(2000)]
    assert all(held_out(1.0, "j", who) for who in people)
    assert not any(held_out(0.0, "j", who) for who in people)
    assert 150 < sum(held_out(0.1, "j", who) for who in people) < 250


def test_two_journeys_hold_out_different_people() -> None:
    people = [f"c{n}" for n in range(2000)]
    both = sum(held_out(0.5, "a", who) and held_out(0.5, "b", who) for who in people)
    assert 400 < both < 600


def test_variants_follow_their_weights_whatever_their_order() -> None:
    weights = {"a": 1, "b": 3}
    drawn = Counter(draw(weights, "j", "s", f"c{n}") for n in range(2000))
    assert 400 < drawn["a"] < 600
    turned = dict(reversed(weights.items()))
    assert all(
        draw(weights, "j", "s", f"c{n}") == draw(turned, "j", "s", f"c{n}") for n in range(200)
    )

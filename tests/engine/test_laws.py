"""The laws: what holds for every journey and every life, tried on random ones.

`playing.py` checks at each step that no delivery follows an exit, that nothing is settled
twice, sent without its anchor or handed out beside a young delivery, that an illegal input
changes nothing, and that the machine never asks to be woken for nothing.
"""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.engine.playing import Played, Shell
from tests.engine.strategies import Life, lives

_usual = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
_long = settings(_usual, max_examples=5_000, derandomize=False)


def _story(played: Played) -> tuple[object, ...]:
    machine = played.machine
    return (played.deliveries, played.refused, machine.state.settled, machine.ended)


def _same_decisions_however_woken(life: Life) -> None:
    once = Shell(life).play()
    assert _story(once) == _story(Shell(life).play())
    assert _story(once) == _story(Shell(life).play(life.ticks))
    assert _story(once) == _story(Shell(life, renew=True).play())


@given(lives())
@_usual
def test_same_inputs_give_the_same_decisions_however_often_woken_or_renewed(life: Life) -> None:
    _same_decisions_however_woken(life)


@pytest.mark.long
@given(lives())
@_long
def test_the_laws_hold_for_many_more_lives(life: Life) -> None:
    _same_decisions_however_woken(life)

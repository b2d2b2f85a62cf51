"""Computed traits and segments against an oracle that does everything anew, each time."""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.computed import Computations, State, computations
from engine.matching import PastEvent
from engine.policy import Policy
from rendering.conditions import counted, evaluate
from tests.engine.computed_oracle import FIRST, LAST, POLICY, US, Person, somebody
from tests.engine.enrolled import DAY, utc

COMPUTED = computations(POLICY, counted)
PARIS = ZoneInfo("Europe/Paris")

people = st.integers(0, 2**32).map(lambda seed: somebody(random.Random(seed)))


def _through_json(state: State) -> State:
    """As PostgreSQL's jsonb gives it back: keys in another order."""
    again: State = json.loads(json.dumps(state, sort_keys=True))
    return again


def _folded(events: Sequence[PastEvent], what: Computations = COMPUTED) -> State:
    state: State = {}
    for event in events:
        state = what.fold(_through_json(state), event, evaluate)
    return state


def _computed(**given: Any) -> Computations:
    return computations(Policy.model_validate(POLICY.model_dump() | given), counted)


def _lived(person: Person, until: datetime) -> Iterator[tuple[datetime, frozenset[str]]]:
    """When the customer's segments change, and to what: by events, and by looking in time."""
    state: State = {}
    inside: frozenset[str] = frozenset()
    waiting, at = list(person.events), FIRST
    while True:
        look = COMPUTED.next_change(state, person.own, at, person.tz, evaluate)
        if waiting and (look is None or waiting[0].at <= look):
            event = waiting.pop(0)
            state, at = COMPUTED.fold(state, event, evaluate), event.at
        elif look is not None and look <= until:
            assert look > at
            at = look
        else:
            return
        now = COMPUTED.inside(state, person.own, at, person.tz, evaluate)
        if now != inside:
            inside = now
            yield at, inside


def _agrees(person: Person, draw: random.Random, times: int) -> int:
    """Asserts that life and oracle agree at random times, and beside every change."""
    changes = [(FIRST - US, frozenset[str]()), *_lived(person, LAST)]
    ats = [FIRST + draw.randrange((LAST - FIRST) // US) * US for _ in range(times)]
    ats += [at + off for at, _ in changes[1:] for off in (-US, timedelta(0), US)]
    for at in ats:
        lived = [inside for since, inside in changes if since <= at][-1]
        assert lived == person.inside(at), (at, person)
    return len(ats)


def test_segments_are_those_of_a_brute_force_recomputation() -> None:
    draw = random.Random(1)
    asked = sum(_agrees(somebody(draw), draw, times=20) for _ in range(100))
    assert asked > 3_000


@pytest.mark.wide
def test_segments_of_ten_thousand_customers_at_a_thousand_times_each() -> None:
    draw = random.Random(2)
    asked = sum(_agrees(somebody(draw), draw, times=1_000) for _ in range(10_000))
    assert asked > 10_000_000


@given(person=people, seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_traits_are_those_of_a_brute_force_recomputation(person: Person, seed: int) -> None:
    draw = random.Random(seed)
    at = FIRST + draw.randrange((LAST - FIRST) // US) * US
    past = [event for event in person.events if event.at <= at]
    state = _folded(past)
    assert COMPUTED.values(state, at, person.tz) == person.values(at)
    assert COMPUTED.inside(state, person.own, at, person.tz, evaluate) == person.inside(at)


@given(person=people, seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_order_in_which_events_arrive_decides_nothing(person: Person, seed: int) -> None:
    shuffled = list(person.events)
    random.Random(seed).shuffle(shuffled)
    assert _folded(shuffled) == _folded(person.events)


def test_the_oracle_finds_a_window_that_is_a_moment_too_long() -> None:
    """The check that can't fail is none: a wrong definition differs from the oracle."""
    text = POLICY.segments["lapsed"].when.replace("90 days", "2160 hours")
    wrong = _computed(segments={"lapsed": {"when": text}})
    at = utc(2012, 3, 1, 12)
    person = Person(PARIS, {}, [PastEvent("bought", at)])
    state, then = _folded(person.events, wrong), at + 90 * DAY - timedelta(minutes=30)
    assert "lapsed" in person.inside(then)
    assert wrong.inside(state, {}, then, PARIS, evaluate) == frozenset()

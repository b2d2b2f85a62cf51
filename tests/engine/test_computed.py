"""Computed traits and segments against an oracle that does everything anew, each time."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.amounts import MOST_IN_WINDOW
from engine.computed import Computations, State, computations
from engine.matching import PastEvent
from engine.policy import Policy
from rendering.conditions import counted, evaluate
from tests.engine.computed_oracle import FIRST, LAST, POLICY, US, Person, somebody
from tests.engine.enrolled import DAY, MINUTE, START, utc

COMPUTED = computations(POLICY, counted)
PARIS = ZoneInfo("Europe/Paris")

people = st.integers(0, 2**32).map(lambda seed: somebody(random.Random(seed)))


def _through_json(state: State) -> State:
    """As PostgreSQL's jsonb gives it back: keys in another order."""
    again: State = json.loads(json.dumps(state, sort_keys=True))
    return again


def _folded(
    events: Sequence[PastEvent],
    what: Computations = COMPUTED,
    kept: Callable[[State], State] = lambda state: state,
) -> State:
    state: State = {}
    for event in events:
        state = kept(what.fold(state, event, evaluate))
    return state


def _computed(**given: Any) -> Computations:
    return computations(Policy.model_validate(POLICY.model_dump() | given), counted)


def _lived(person: Person, until: datetime) -> Iterator[tuple[datetime, frozenset[str]]]:
    """When the customer's segments change, and to what: by events, and by looking in time."""
    state: State = {}
    inside: frozenset[str] = frozenset()
    waiting, at = list(person.events), FIRST
    while True:
        _, look = COMPUTED.look(state, person.own, at, person.tz, evaluate)
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
@pytest.mark.parametrize("part", range(20))
def test_segments_of_ten_thousand_customers_at_a_thousand_times_each(part: int) -> None:
    """Ten million questions; in parts, each of which is over within a test's time."""
    draw = random.Random(f"part {part}")
    asked = sum(_agrees(somebody(draw), draw, times=1_000) for _ in range(500))
    assert asked > 500_000


@given(person=people, seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_traits_are_those_of_a_brute_force_recomputation(person: Person, seed: int) -> None:
    draw = random.Random(seed)
    at = FIRST + draw.randrange((LAST - FIRST) // US) * US
    past = [event for event in person.events if event.at <= at]
    state = _folded(past, kept=_through_json)
    assert COMPUTED.values(state, at, person.tz) == person.values(at)
    assert COMPUTED.inside(state, person.own, at, person.tz, evaluate) == person.inside(at)


@given(person=people, seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_the_order_in_which_events_arrive_decides_nothing(person: Person, seed: int) -> None:
    shuffled = list(person.events)
    random.Random(seed).shuffle(shuffled)
    assert _folded(shuffled, kept=_through_json) == _folded(person.events)


def _values(events: Sequence[PastEvent], at: datetime, **traits: Any) -> dict[str, Any]:
    what = _computed(traits=traits, segments={})
    return what.values(_folded(events, what), at, PARIS)


def _bought(at: datetime = START, **properties: Any) -> PastEvent:
    return PastEvent("bought", at, properties)


def test_nobody_has_done_nothing_nought_times() -> None:
    kinds = {kind: {kind: "bought"} for kind in ("count", "first", "last", "interval", "next")}
    assert _values([], START, **kinds, sum={"sum": "bought", "of": "total"}) == {
        "count": 0,
        "sum": 0,
    }


def test_money_is_added_up_exactly_and_what_is_no_money_is_not() -> None:
    said = [0.1, 0.2, 19.99, -5, 10**15, "7", None, True, float("nan"), float("inf"), 10**400, [1]]
    events = [_bought(START + k * DAY, total=each) for k, each in enumerate(said)]
    both = {"sum": "bought", "of": "total"}
    found = _values(events, START + 20 * DAY, ever=both, lately=both | {"within": "90 days"})
    assert found == {"ever": 10**15 + 15.29, "lately": 10**15 + 15.29}
    tiny = [_bought(START, total=5e-324), _bought(START, total=1e15), _bought(START, total=-1e15)]
    assert _values(tiny, START, ever=both) == {"ever": 5e-324}


def test_a_window_counts_a_thousand_and_never_more() -> None:
    events = [_bought(START + k * MINUTE, total=1) for k in range(MOST_IN_WINDOW + 7)]
    traits = {
        "often": {"count": "bought", "within": "90 days"},
        "spent": {"sum": "bought", "of": "total", "within": "90 days"},
        "ever": {"count": "bought"},
    }
    at = START + DAY
    assert _values(events, at, **traits) == {"often": 1_000, "spent": 1_000, "ever": 1_007}
    assert _values(events[::-1], at, **traits) == _values(events, at, **traits)


def test_taste_and_habits_are_those_of_lately() -> None:
    long_ago = [_bought(START + k * DAY, kind="hats") for k in range(150)]
    lately = [_bought(START + (200 + 3 * k) * DAY, kind="shoes") for k in range(51)]
    traits = {
        "favourite": {"favourite": "bought", "of": "kind"},
        "usual": {"interval": "bought"},
        "due": {"next": "bought"},
    }
    assert _values([*lately, *long_ago], START, **traits) == {
        "favourite": "shoes",
        "usual": 3,
        "due": (START + 353 * DAY).isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize(
    ("said", "favourite"),
    [
        (["hats", "shoes", "hats"], "hats"),
        (["hats", "shoes"], "shoes"),  # as often, said last
        (["b", "a"] * 2, "a"),
        ([9, 9.0, "9"], 9),
        ([True, 1, 1], 1),
        (["x" * 501, {"a": 1}, ["b"], "c\n", 10**501, float("nan"), "d"], "d"),
        ([None], None),
    ],
)
def test_a_favourite_is_what_is_said_most_often(said: list[object], favourite: object) -> None:
    events = [_bought(START + k * DAY, kind=each) for k, each in enumerate(said)]
    found = _values(events, START, kind={"favourite": "bought", "of": "kind"})
    assert found.get("kind") == favourite
    assert isinstance(found.get("kind"), bool) is isinstance(favourite, bool)


def test_of_values_as_frequent_and_as_late_the_first_in_the_alphabet_is_the_favourite() -> None:
    events = [_bought(START, kind=each) for each in ("b", "a", "c")]
    assert _values(events, START, kind={"favourite": "bought", "of": "kind"}) == {"kind": "a"}


def test_a_property_may_lie_inside_another() -> None:
    events = [_bought(START, cart={"total": 12.5})]
    assert _values(events, START, spent={"sum": "bought", "of": "cart.total"}) == {"spent": 12.5}


def test_a_late_event_may_join_two_seasons() -> None:
    trait = {"season": "searched", "apart": "4 months"}
    june, january = utc(2026, 6, 1), utc(2026, 1, 10)
    two = [PastEvent("searched", january), PastEvent("searched", june)]
    assert _values(two, june, season=trait) == {"season": "2026-06-01T00:00:00Z"}
    between = PastEvent("searched", utc(2026, 4, 1))
    assert _values([*two, between], june, season=trait) == {"season": "2026-01-10T00:00:00Z"}


def test_exactly_so_far_apart_is_still_the_same_season() -> None:
    trait = {"season": "bought", "apart": "1 month"}
    first = utc(2026, 3, 1, 11)  # 12:00 in Paris, where a month later it is 12:00 at 10:00 UTC
    for gap, season in ((timedelta(0), first), (US, utc(2026, 4, 1, 10) + US)):
        events = [_bought(first), _bought(utc(2026, 4, 1, 10) + gap)]
        told = season.isoformat().replace("+00:00", "Z")
        assert _values(events, first, season=trait) == {"season": told}


def test_a_computed_trait_hides_the_customer_s_own_of_that_name_even_where_there_is_none() -> None:
    own = {"orders": 99, "last_kind": "hats", "plan": "pro"}
    known = COMPUTED.known(own, {}, START, PARIS)
    assert known["orders"] == 0
    assert "last_kind" not in known
    assert known["plan"] == "pro"


def test_what_is_older_than_the_newest_event_counts_as_its_time() -> None:
    state = _folded([_bought(START)])
    before = START - 100 * DAY
    assert COMPUTED.values(state, before, PARIS) == COMPUTED.values(state, START, PARIS)
    _, look = COMPUTED.look(state, {}, before, PARIS, evaluate)
    assert look == COMPUTED.look(state, {}, START, PARIS, evaluate)[1]
    assert look is not None
    assert look > START


def test_an_event_that_changes_nothing_leaves_the_very_state() -> None:
    what = _computed(traits={"orders": {"count": "bought", "where": "event.n > 1"}}, segments={})
    state = _folded([_bought(START, n=2)], what)
    assert what.fold(state, PastEvent("seen", START), evaluate) is state
    for said in ({"n": 1}, {"n": "many"}, {}):  # no match, an error, none
        assert what.fold(state, _bought(START, **said), evaluate) is state


def test_what_left_every_window_is_not_kept() -> None:
    what = _computed(traits={"often": {"count": "bought", "within": "30 days"}}, segments={})
    state = _folded([_bought(START + k * DAY) for k in range(0, 400, 10)], what)
    assert len(state["kept"]["often"]) <= 5


def test_who_has_many_leavings_is_looked_at_again_before_anything_changes() -> None:
    busy = {"when": "count('bought', '30 days') >= 5"}
    what = _computed(traits={}, segments={"busy": busy})
    state = _folded([_bought(START + k * MINUTE) for k in range(300)], what)
    at, looks = START + DAY, 0
    while what.inside(state, {}, at, PARIS, evaluate):
        _, look = what.look(state, {}, at, PARIS, evaluate)
        assert look is not None
        assert look > at
        at, looks = look, looks + 1
    assert at == START + 295 * MINUTE + 30 * DAY
    assert looks == 6
    assert what.look(state, {}, at, PARIS, evaluate)[1] is None


def test_a_condition_that_names_its_traits_by_data_sees_them_all() -> None:
    what = _computed(segments={"odd": {"when": "customer['or' ~ 'ders'] == 1"}})
    assert what.inside(_folded([_bought()], what), {}, START, PARIS, evaluate) == {"odd"}
    assert what.inside({}, {"orders": 1}, START, PARIS, evaluate) == frozenset()


def test_answers_are_told_apart_by_what_a_condition_can_tell_apart() -> None:
    what = _computed(segments={"one": {"when": "(customer.a ~ '') == '1'"}})
    inside = [what.inside({}, {"a": a}, START, PARIS, evaluate) for a in (True, 1, 1.5, "1")]
    assert inside == [frozenset(), {"one"}, frozenset(), {"one"}]


def test_only_what_definitions_say_makes_another_version() -> None:
    named = {name: {**each.model_dump(), "title": "T"} for name, each in POLICY.segments.items()}
    assert _computed(segments=named).version == COMPUTED.version
    assert _computed(locale="fr").version == COMPUTED.version
    assert _computed(segments={}).version != COMPUTED.version
    assert _computed(traits={}, segments={}).is_empty


def test_the_oracle_finds_a_window_that_is_a_moment_too_long() -> None:
    """The check that can't fail is none: a wrong definition differs from the oracle."""
    text = POLICY.segments["lapsed"].when.replace("90 days", "2160 hours")
    wrong = _computed(segments={"lapsed": {"when": text}})
    at = utc(2012, 3, 1, 12)
    person = Person(PARIS, {}, [PastEvent("bought", at)])
    state, then = _folded(person.events, wrong), at + 90 * DAY - timedelta(minutes=30)
    assert "lapsed" in person.inside(then)
    assert wrong.inside(state, {}, then, PARIS, evaluate) == frozenset()

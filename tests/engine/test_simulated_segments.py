"""Computed traits and segments as customers are played: what starts, moves and ends by them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.calls import Alias, Call, Identify, Track
from engine.computed import Counted
from engine.definition import Journey
from engine.keys import anonymous_customer
from engine.lines import LifeLine, Line, StepLine
from engine.person import Stage
from engine.policy import Policy
from engine.reasons import Decision, Ending
from engine.simulator import simulate
from rendering.conditions import counted, evaluate
from tests.engine.enrolled import DAY, journey, utc

START = utc(2026, 1, 10, 9)
# 90 days later the clocks of Paris have gone forward.
LAPSES = utc(2026, 4, 10, 8)

LAPSED = {"when": "customer.orders > 0 and count('bought', '90 days') == 0"}
COMPUTED: dict[str, Any] = {
    "traits": {
        "orders": {"count": "bought"},
        "last_order_at": {"last": "bought"},
        "spent": {"sum": "bought", "of": "total"},
    },
    "segments": {"lapsed": LAPSED, "loyal": {"when": "customer.orders >= 3 or customer.vip"}},
}
WIN_BACK: dict[str, Any] = {
    "journey": "win-back",
    "starts_on": {"enters": "lapsed"},
    "ends_on": {"leaves": "lapsed"},
    "reenter": "after_exit",
}


def _stage(*journeys: Journey, read: Counted = counted, **policy: Any) -> Stage:
    given = {
        "sender": {"name": "Ana", "email": "a@b.example"},
        "postal_address": "1 Road",
        "timezone": "Europe/Paris",
        "topics": {"news": {"title": "News", "subscribed": True}},
    }
    return Stage(
        journeys={each.journey: each for each in journeys},
        policy=Policy.model_validate(given | COMPUTED | policy),
        channels={
            each.journey: {name: ("email",) for step in each.steps for name in step.messages}
            for each in journeys
        },
        evaluate=evaluate,
        counted=read,
    )


def _bought(at: datetime, who: str = "ana", **more: Any) -> Track:
    given = {"customer_id": who, "message_id": f"{who}-{at.isoformat()}", **more}
    return Track(at=at, event="bought", **given)


def _known(at: datetime = START, who: str = "ana", **traits: Any) -> Identify:
    known = {"email": f"{who}@example.com"} | traits
    return Identify(customer_id=who, at=at, message_id=f"i-{who}-{at.isoformat()}", traits=known)


def _lives(lines: Sequence[Line]) -> list[tuple[datetime, Ending | None]]:
    return [(each.at, each.ending) for each in lines if isinstance(each, LifeLine)]


def _sent(lines: Sequence[Line]) -> list[tuple[str, datetime]]:
    return [
        (each.step, each.at)
        for each in lines
        if isinstance(each, StepLine) and each.decision is Decision.SENT
    ]


def _win_back() -> Journey:
    return journey({"send": "come-back", "at": "start + 1 day"}, **WIN_BACK)


def test_who_has_not_bought_for_ninety_days_enters_at_that_very_instant() -> None:
    lines = simulate(_stage(_win_back()), [_known(), _bought(START)])
    assert _lives(lines)[0] == (LAPSES, None)
    assert _sent(lines) == [("come-back", LAPSES + DAY)]


def test_buying_again_leaves_and_lapsing_again_enters_again() -> None:
    again = LAPSES + timedelta(hours=12)
    lines = simulate(_stage(_win_back()), [_known(), _bought(START), _bought(again)])
    assert _lives(lines)[:3] == [
        (LAPSES, None),
        (again, Ending.EXITED),
        (utc(2026, 7, 9, 20), None),
    ]


def test_an_event_at_the_very_instant_comes_first() -> None:
    lines = simulate(_stage(_win_back()), [_known(), _bought(START), _bought(LAPSES)])
    assert _lives(lines)[0] == (utc(2026, 7, 9, 8), None)


def test_a_computed_anchor_moves_its_step() -> None:
    made = journey(
        {"send": "time-again", "at": "customer.last_order_at + 30 days", "repeat": True},
        starts_on="bought",
    )
    second = START + 20 * DAY
    lines = simulate(_stage(made), [_known(), _bought(START), _bought(second)])
    assert _sent(lines) == [("time-again", second + 30 * DAY)]


def test_the_event_itself_counts_where_it_starts_a_journey() -> None:
    where = {"event": "bought", "where": "customer.orders == 2 and customer.spent == 0.3"}
    made = journey({"send": "thanks", "at": "start"}, starts_on=where)
    tenth = [_bought(START + k * DAY, properties={"total": 0.1 * k}) for k in (1, 2, 3)]
    lines = simulate(_stage(made), [_known(), *tenth])
    assert _sent(lines) == [("thanks", START + 2 * DAY)]


def test_a_step_asks_whether_the_customer_is_inside() -> None:
    made = journey(
        {"send": "thanks", "at": "start", "when": "inside('loyal')"},
        {"send": "tip", "at": "start", "when": "not inside('loyal')"},
        starts_on="bought",
        reenter="restart",
    )
    orders = [_bought(START + k * DAY) for k in range(3)]
    lines = simulate(_stage(made), [_known(), *orders])
    assert [step for step, _ in _sent(lines)] == ["tip", "tip", "thanks"]


def test_being_inside_at_the_first_call_counts_as_entering() -> None:
    made = journey({"send": "hello", "at": "start"}, starts_on={"enters": "loyal"})
    assert _sent(simulate(_stage(made), [_known(vip=True)])) == [("hello", START)]
    assert _sent(simulate(_stage(made), [_known(vip=False)])) == []


def test_a_trait_that_a_step_sets_makes_the_customer_enter() -> None:
    hello = journey({"send": "hello", "at": "start"}, starts_on={"enters": "loyal"})
    sets = journey(
        {"id": "promote", "set": {"vip": True}, "at": "start + 3 days"},
        journey="promotion",
        starts_on="bought",
    )
    lines = simulate(_stage(hello, sets), [_known(), _bought(START)])
    assert ("hello", START + 3 * DAY) in _sent(lines)


def test_what_an_import_brings_about_starts_nothing_but_what_time_brings_does() -> None:
    hello = journey({"send": "hello", "at": "start"}, starts_on={"enters": "loyal"})
    history = [_bought(START + k * DAY, historical=True) for k in range(3)]
    lines = simulate(_stage(hello, _win_back()), [_known(), *history])
    assert _sent(lines) == [("come-back", utc(2026, 4, 13, 8))]


def test_whoever_has_not_said_who_they_are_is_in_no_segment_until_they_do() -> None:
    hello = journey({"send": "hello", "at": "start"}, starts_on={"enters": "loyal"})
    nobody = anonymous_customer("a1")
    orders = [_bought(START + k * DAY, who=nobody) for k in range(3)]
    assert simulate(_stage(hello), orders) == []
    known = START + 10 * DAY
    named = Identify(
        customer_id="ana",
        at=known,
        message_id="i",
        traits={"email": "ana@example.com"},
        formerly=(nobody,),
    )
    assert _sent(simulate(_stage(hello), [*orders, named])) == [("hello", known)]


def test_two_customers_who_are_one_have_done_what_both_did() -> None:
    hello = journey({"send": "hello", "at": "start"}, starts_on={"enters": "three"})
    stage = _stage(hello, segments={"three": {"when": "customer.orders == 3"}})
    calls: list[Call] = [_known(who="ana"), _known(who="bob")]
    calls += [_bought(START + DAY), _bought(START + 2 * DAY), _bought(START + DAY, who="bob")]
    assert _sent(simulate(stage, calls)) == []
    joined = START + 9 * DAY
    alias = Alias(customer_id="ana", at=joined, message_id="a", formerly=("bob",))
    assert _sent(simulate(stage, [*calls, alias])) == [("hello", joined)]


def test_who_moves_from_one_segment_to_another_leaves_first() -> None:
    few = {"when": "customer.orders < 3"}
    stage = _stage(
        journey({"send": "some", "at": "start"}, starts_on={"leaves": "few"}),
        journey({"send": "many", "at": "start"}, journey="many", starts_on={"enters": "loyal"}),
        segments=COMPUTED["segments"] | {"few": few},
    )
    orders = [_bought(START + timedelta(hours=k)) for k in range(3)]
    assert [step for step, _ in _sent(simulate(stage, [_known(), *orders]))] == ["some", "many"]


def test_a_stage_that_can_t_read_conditions_plays_no_segments() -> None:
    with pytest.raises(TypeError, match="has to be told what they are made of"):
        simulate(Stage({}, _stage().policy, {}, evaluate), [_known()])

"""The journey model: every key, its default, and what is refused in which words."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from engine.definition import Journey
from engine.expressions import parse_duration
from tests.engine.enrolled import journey
from tests.engine.strategies import journeys

STEP = {"send": "tip", "at": "start"}
SHIPPING = {"free_shipping": True, "valid": "3 days"}
FULL: dict[str, Any] = {
    "journey": "cart",
    "title": "Cart",
    "starts_on": ["added", {"event": "saved", "where": "event.total > 5"}],
    "fresh": "2 hours",
    "key": "cart_id",
    "reenter": "restart",
    "ends_on": "left",
    "ends_at": "start + 30 days",
    "goal": {"event": "bought", "where": "event.ok", "value": "total", "within": "1 week"},
    "activity": ["used"],
    "topic": "carts",
    "holdout": "10%",
    "steps": [
        {
            "id": "a",
            "variants": {"x": "one", "y": {"send": "two", "weight": 2, "offer": SHIPPING}},
            "after_event": ["added", {"event": "saved", "where": "event.big"}],
            "wait": "2 hours",
            "repeat": True,
            "when": "customer.plan == 'trial'",
            "unless": "bought",
            "between": "09:00-18:00",
            "days": "mon-fri",
            "grace": "3 days",
            "channels": ["sms", "email"],
            "offer": {"percent": 12.5, "valid": "5 days"},
            "from": "customer.rep",
            "transactional": True,
        },
        {
            "id": "b",
            "set": {"since": date(2026, 1, 2), "tags": ["x", 1, None]},
            "after_idle": "10 days",
        },
        {"id": "gone", "unsubscribe": ["carts"], "at": "start + 9 days"},
        {"call": "crm", "at": "a + 1 day at 09:00", "topic": "other"},
        {
            "send": "d",
            "at": "customer.birthday",
            "repeat": "yearly",
            "offer": {"amount": 5, "valid": "1 day"},
        },
    ],
}


def _refusal(data: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as error:
        Journey.model_validate(data, extra="forbid")
    return str(error.value)


def test_a_small_journey_has_the_defaults_of_the_design() -> None:
    made = journey({"id": "tip", **STEP}, topic="news")
    assert (made.starts_on, made.ends_on, made.goal, made.activity) == ((), (), (), ())
    assert (made.key, made.reenter, made.ends_at, made.holdout) == (None, "never", None, 0)
    assert (made.fresh, made.transactional) == (parse_duration("1 day"), False)
    step = made.steps[0]
    assert (step.grace, step.repeat, step.unless) == (parse_duration("1 day"), None, ())
    assert (step.when, step.between, step.days, step.channels) == (None, None, None, None)


def test_every_key_of_the_design_is_read() -> None:
    made = Journey.model_validate(FULL, extra="forbid")
    assert [match.event for match in made.starts_on] == ["added", "saved"]
    assert (made.goal[0].value, made.goal[0].within) == ("total", parse_duration("1 week"))
    assert made.holdout == 0.1
    a, b, gone, call, _ = made.steps
    assert (gone.leaves, gone.messages) == (("carts",), ())
    assert a.after_event is not None
    assert [match.wait for match in a.after_event] == [parse_duration("2 hours")] * 2
    assert a.messages == ("one", "two")
    assert a.offer is not None
    assert a.variants is not None
    assert a.variants["y"].offer is not None
    assert a.variants["y"].offer.free_shipping
    assert (a.offer.percent, a.sender) == (Decimal("12.5"), "customer.rep")
    assert b.set == {"since": "2026-01-02", "tags": ["x", 1, None]}
    assert call.id == "crm"
    assert [made.topic_of(step) for step in made.steps] == [
        None, "carts", "carts", "other", "carts",
    ]  # fmt: skip
    assert made.live_traits == ("birthday",)


def test_the_goal_counts_for_thirty_days_unless_told_otherwise() -> None:
    assert journey(STEP, goal="bought").goal[0].within == parse_duration("30 days")


def test_what_is_pinned_is_read_back_equal() -> None:
    made = Journey.model_validate(FULL, extra="forbid")
    again = Journey.model_validate_json(made.pinned, extra="forbid")
    assert (again, again.version, again.pinned) == (made, made.version, made.pinned)


@given(journeys())
@settings(max_examples=100, deadline=None)
def test_every_journey_that_is_pinned_is_read_back_equal(made: Journey) -> None:
    again = Journey.model_validate_json(made.pinned, extra="forbid")
    assert (again, again.version) == (made, made.version)


def test_a_default_written_out_is_the_same_version() -> None:
    assert journey(STEP).version == journey({**STEP, "grace": "1 day"}, reenter="never").version
    assert journey(STEP).version != journey({**STEP, "grace": "2 days"}).version


def test_a_running_journey_ignores_keys_that_newer_code_wrote() -> None:
    made = journey(STEP)
    assert Journey.model_validate({**made.model_dump(by_alias=True), "newer": 1}) == made


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"topic": None}, "needs a `topic`, or `transactional: true`"),
        ({"transactional": True}, "a `topic` or is `transactional`, not both"),
        ({"journey": "Trial"}, "use lower case letters"),
        ({"title": ""}, "title"),
        ({"reenter": "sometimes"}, "reenter"),
        ({"newest_only": True}, "it needs a `key`"),
        ({"newest_only": True, "key": "c", "reenter": "always"}, "leave one of them out"),
        ({"holdout": "110%"}, "holdout"),
        ({"holdout": "x%"}, "is not a share"),
        ({"ends_at": "tip + 1 day"}, "`ends_at` can't depend on a step"),
        ({"ends_at": "start + 9 days at best hour"}, "leave out `at best hour`"),
        ({"starts_on": {"where": "x"}}, "starts_on"),
        ({"starts_on": ""}, "starts_on"),
        ({"key": ""}, "key"),
        ({"fresh": "1 dya"}, "did you mean `day`"),
        ({"steps": []}, "steps"),
        ({"steps": [STEP, STEP]}, "two steps are called `tip`"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_wrong_journey_key_is_refused_in_words(keys: dict[str, Any], said: str) -> None:
    data = {"journey": "trial", "title": "Trial", "topic": "news", "steps": [STEP]}
    assert said in _refusal(data | keys)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"send": None}, "exactly one of `send`, `call`, `set`, `unsubscribe`, `variants`"),
        ({"call": "crm"}, "not `send` and `call`"),
        ({"at": None}, "exactly one of `at`, `after_idle`, `after_event`"),
        ({"after_idle": "1 day"}, "not `at` and `after_idle`"),
        ({"at": None, "after_idle": "0 days"}, "`after_idle` needs some time"),
        ({"wait": "1 day"}, "`wait` belongs to `after_event`"),
        (
            {"at": None, "after_event": {"event": "e", "wait": "1 day"}, "wait": "1 day"},
            "`wait` is given twice",
        ),
        ({"at": None, "after_event": "e", "wait": "1 dya"}, "did you mean `day`"),
        (
            {"at": None, "after_event": [{"event": "e", "wait": "1 day"}, "e"]},
            "one event with two waits",
        ),
        ({"repeat": True}, "needs an anchor that can change"),
        ({"repeat": "hourly"}, "repeat"),
        ({"at": None, "after_idle": "1 day", "repeat": "daily"}, "here `repeat: true` is meant"),
        ({"at": "tipp + 1 day"}, "there is no step `tipp`"),
        ({"at": "tip + 1 day"}, "in a circle: tip → tip"),
        ({"id": "start"}, "is a word of time expressions"),
        ({"id": "Tip"}, "is not a step id"),
        ({"variants": {}, "send": None}, "empty"),
        ({"variants": {"a": {"send": "x", "weight": 0}}, "send": None}, "weight"),
        ({"offer": {"valid": "1 day"}}, "exactly one of `percent`"),
        ({"offer": {"percent": 5, "amount": 5, "valid": "1 day"}}, "exactly one of `percent`"),
        ({"offer": {"percent": 101, "valid": "1 day"}}, "percent"),
        ({"between": "09:00"}, "not a window"),
        ({"days": "mon-fry"}, "unknown day"),
        ({"topic": "x", "transactional": True}, "not both"),
        ({"unsubscribe": [], "send": None}, "unsubscribe"),
        ({"unsubscribe": False, "send": None}, "unsubscribe"),
        ({"unsubscribe": True}, "not `send` and `unsubscribe`"),
        ({"set": {"x": float("inf")}, "send": None}, "can be kept"),
        ({"sender": "x"}, "sender"),
    ],
)
def test_a_wrong_step_is_refused_in_words(step: dict[str, Any], said: str) -> None:
    given = {k: v for k, v in {"id": "tip", **STEP, **step}.items() if v is not None}
    data = {"journey": "trial", "title": "Trial", "topic": "news", "steps": [given]}
    with pytest.raises(ValidationError) as error:
        Journey.model_validate(data, extra="forbid", by_alias=True, by_name=False)
    assert said in str(error.value)


def test_steps_that_wait_on_one_another_are_refused() -> None:
    data = {"journey": "j", "title": "J", "topic": "t"}
    steps = [{"send": "a", "at": "b"}, {"send": "b", "at": "c"}, {"send": "c", "at": "a"}]
    assert "a → b → c → a" in _refusal({**data, "steps": steps})


def test_a_step_that_is_not_transactional_needs_a_topic_from_somewhere() -> None:
    data = {"journey": "order", "title": "Order", "transactional": True}
    step = {**STEP, "transactional": False}
    assert "step `tip` is `transactional: false` but has no `topic`" in _refusal(
        {**data, "steps": [step]}
    )
    made = Journey.model_validate(
        {**data, "steps": [{**STEP, "topic": "reviews"}, {**STEP, "id": "b"}]}
    )
    assert [made.topic_of(each) for each in made.steps] == ["reviews", None]

"""Links followed and coupons used, played: which message is meant, and what comes of it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.calls import ChangeConsent, FollowLink, Identify, Played, Track, UseCoupon
from engine.definition import Journey
from engine.lines import LifeLine, Line, StepLine
from engine.person import Stage
from engine.policy import Policy
from engine.purposes import CLICKS
from engine.reactions import CannotReact
from engine.simulator import simulate
from rendering.conditions import counted, evaluate
from tests.engine.enrolled import utc

START = utc(2026, 11, 23, 8)
DAY = timedelta(days=1)
POLICY: dict[str, Any] = {
    "sender": {"name": "Ada", "email": "ada@example.com"},
    "postal_address": "1 High Street, Paris",
    "timezone": "Europe/Paris",
    "currency": "EUR",
    "topics": {"news": {"title": "News", "subscribed": True}},
}
CHANNELS = {"tip": ("email",), "coupon": ("email",), "ring": ("sms",), "more": ("email",)}


def played(
    journey: dict[str, Any], *calls: Played, until: datetime | None = None, **rules: Any
) -> list[Line]:
    made = Journey.model_validate(
        {"journey": "j", "title": "J", "starts_on": "came", "topic": "news", **journey}
    )
    policy = Policy.model_validate(POLICY | rules)
    stage = Stage({"j": made}, policy, {"j": CHANNELS}, evaluate, counted=counted)
    traits = {"email": "a@example.com", "phone": "+33612345678"}
    who = Identify(customer_id="c", at=START, message_id="who", traits=traits)
    return simulate(stage, [who, came(), *calls], until or START + 60 * DAY)


def came(at: datetime = START, **properties: Any) -> Track:
    return Track(
        customer_id="c",
        at=at,
        message_id=f"came-{at}-{properties}",
        event="came",
        properties=properties,
    )


def click(after: timedelta, step: str = "tip", **more: Any) -> FollowLink:
    name = f"click-{after}"
    return FollowLink(
        customer_id="c", at=START + after, message_id=name, journey="j", step=step, **more
    )


def use(after: timedelta, order: str | None = None, **more: Any) -> UseCoupon:
    return UseCoupon(
        customer_id="c",
        at=START + after,
        message_id=f"use-{after}",
        journey="j",
        step="coupon",
        order=order,
        **more,
    )


def told(lines: list[Line]) -> list[str]:
    found = []
    for line in lines:
        match line:
            case StepLine():
                found.append(f"{line.decision} {line.step}{f' {line.key}' if line.key else ''}")
            case LifeLine(ending=None):
                pass
            case LifeLine():
                found.append(f"{line.ending} by {line.event}")
    return found


TIP = {"send": "tip", "at": "start + 1 day"}
COUPON = {"send": "coupon", "at": "start + 1 day", "offer": {"percent": 20, "valid": "5 days"}}
AGAIN = {"id": "again", "send": "more", "at": "start + 9 days", "when": "clicked('tip')"}


def test_a_click_is_seen_by_conditions_and_heard_by_journeys() -> None:
    steps = [TIP, AGAIN, {"id": "at-once", "send": "more", "after_event": "message.clicked"}]
    journey = {"steps": steps, "ends_at": "start + 20 days"}
    assert told(played(journey, click(2 * DAY)))[1:3] == ["sent at-once", "sent again"]
    assert told(played(journey))[1:] == ["not_sent again", "completed by None"]


def test_the_events_carry_what_they_do_in_production() -> None:
    asked = (
        "event.message == 'tip' and event.journey == 'j' and event.step == 'tip' and event.topic "
        "== 'news' and event.channel == 'email' and event.kind == 'clicked' and event.url == 'u'"
    )
    journey = {"steps": [TIP, AGAIN], "ends_on": {"event": "message.clicked", "where": asked}}
    assert told(played(journey, click(2 * DAY, url="u")))[-1] == "exited by message.clicked"
    assert told(played(journey, click(2 * DAY, url="v")))[-1] == "completed by None"
    asked = (
        "event.journey == 'j' and event.step == 'coupon' and event.percent == 20.0 and event.order "
        "== 'o-1' and event.amount is none and not event.free_shipping and event.currency is none"
    )
    journey = {"steps": [COUPON, AGAIN], "goal": {"event": "offer.redeemed", "where": asked}}
    assert told(played(journey, use(2 * DAY, "o-1")))[-1] == "converted by offer.redeemed"
    assert told(played(journey, use(2 * DAY, "o-2")))[-1] == "completed by None"


def test_the_newest_message_of_a_step_is_meant() -> None:
    steps = [
        {**COUPON, "at": "start + 1 day", "repeat": "daily"},
        {"id": "heard", "send": "more", "after_event": "offer.redeemed", "repeat": True},
    ]
    journey = {"steps": steps, "ends_at": "start + 3 days"}
    twice = played(journey, use(1.5 * DAY), use(2.5 * DAY))
    assert told(twice).count("sent heard") == 2  # two coupons, one a message
    with pytest.raises(CannotReact, match="the coupon of `coupon` was used before"):
        played(journey, use(1.5 * DAY), use(1.6 * DAY))


def test_a_coupon_may_be_used_twice_for_one_order_and_counts_once() -> None:
    heard = {"id": "heard", "send": "more", "after_event": "offer.redeemed", "repeat": True}
    journey = {"steps": [COUPON, heard], "ends_at": "start + 9 days"}
    assert told(played(journey, use(2 * DAY, "o-1"), use(3 * DAY, "o-1"))).count("sent heard") == 1
    with pytest.raises(CannotReact, match="used before"):
        played(journey, use(2 * DAY, "o-1"), use(3 * DAY, "o-2"))


def test_a_coupon_is_good_to_the_end_of_its_last_day() -> None:
    last = utc(2026, 11, 29, 22, 59) - START  # Paris; it went out on the 24th
    assert told(played({"steps": [COUPON]}, use(last))) == ["sent coupon", "completed by None"]
    with pytest.raises(CannotReact, match="was good until 2026-11-29 22:59 UTC"):
        played({"steps": [COUPON]}, use(last + timedelta(minutes=1)))


@pytest.mark.parametrize("after", [timedelta(hours=3), DAY])
def test_nothing_can_be_done_with_what_was_not_sent_before(after: timedelta) -> None:
    # At one instant what customers do comes before all steps.
    with pytest.raises(CannotReact, match="nothing was sent that could be clicked: by then `tip`"):
        played({"steps": [TIP]}, click(after))
    with pytest.raises(CannotReact, match="nothing was sent that could be redeemed"):
        played({"steps": [COUPON]}, use(after))
    held_out = {"steps": [TIP], "holdout": 1}
    with pytest.raises(CannotReact, match="`tip` had not gone out"):
        played(held_out, click(2 * DAY))


def test_of_a_text_message_nobody_learns_what_is_clicked() -> None:
    with pytest.raises(CannotReact, match="`ring` went out by sms"):
        played({"steps": [{"send": "ring", "at": "start"}]}, click(DAY, "ring"))


@pytest.mark.parametrize("has_coupon", [True, False])
def test_a_variant_without_a_coupon_has_none_to_use(has_coupon: bool) -> None:
    often, never = {"weight": 10**9}, {"weight": 1}
    with_it = {"send": "more", "offer": COUPON["offer"], **(often if has_coupon else never)}
    without = {"send": "tip", **(never if has_coupon else often)}
    step = {"id": "coupon", "variants": {"a": without, "b": with_it}, "at": "start"}
    if has_coupon:
        assert told(played({"steps": [step]}, use(DAY)))[0] == "sent coupon"
    else:
        with pytest.raises(CannotReact, match="went out as `tip`, without a coupon"):
            played({"steps": [step]}, use(DAY))


def test_of_several_enrollments_the_key_says_which() -> None:
    steps = [TIP, {**AGAIN, "at": "start + 9 days"}]
    journey = {"key": "cart", "steps": steps, "starts_on": "filled"}
    carts = [
        Track(
            customer_id="c",
            at=START + n * timedelta(hours=1),
            message_id=f"f{n}",
            event="filled",
            properties={"cart": f"c-{n}"},
        )
        for n in (1, 2)
    ]
    lines = played(journey, *carts, click(2 * DAY, key="c-1"))
    assert {"sent again c-1", "not_sent again c-2"} <= {*told(lines)}
    with pytest.raises(CannotReact, match="`tip` went out for `c-1` and `c-2`: say which"):
        played(journey, *carts, click(2 * DAY))
    with pytest.raises(CannotReact, match="`tip` had not gone out for `c-3`"):
        played(journey, *carts, click(2 * DAY, key="c-3"))


def test_of_two_sent_at_one_moment_none_can_be_told() -> None:
    journey = {"steps": [TIP], "reenter": "always"}
    with pytest.raises(CannotReact, match="more than once at one moment"):
        played(journey, came(START, another=True), click(2 * DAY))


def refusal(at: datetime) -> ChangeConsent:
    return ChangeConsent(
        customer_id="c", at=at, message_id="no", topic=CLICKS, channel=None, subscribed=False
    )


def test_of_a_click_that_may_not_be_kept_nothing_comes() -> None:
    journey = {"steps": [TIP, AGAIN], "ends_on": "message.clicked"}
    assert told(played(journey, click(2 * DAY)))[-1] == "exited by message.clicked"
    assert told(played(journey, refusal(START), click(2 * DAY)))[-1] == "completed by None"
    off = played(journey, click(2 * DAY), tracking={"clicks": False})
    assert told(off)[-2:] == ["not_sent again", "completed by None"]


def test_a_click_counts_in_segments() -> None:
    segments = {"awake": {"when": "count('message.clicked', '30 days') > 0"}}
    journey = {"steps": [TIP, AGAIN], "ends_on": {"enters": "awake"}}
    lines = played(journey, click(2 * DAY), segments=segments)
    assert told(lines)[-1] == "exited by segment.entered"


def test_what_two_got_is_got_by_the_one_they_turn_out_to_be() -> None:
    other = Identify(customer_id="d", at=START, message_id="d", traits={"email": "d@example.com"})
    came_d = Track(customer_id="d", at=START, message_id="came-d", event="came")
    joined = Identify(
        customer_id="d",
        at=START + 2 * DAY,
        message_id="j",
        traits={},
        formerly=("c",),
    )
    # Both got the tip at one moment: after they are one, nobody can say which is meant.
    with pytest.raises(CannotReact, match="more than once at one moment"):
        played({"steps": [TIP]}, other, came_d, joined, click(3 * DAY))

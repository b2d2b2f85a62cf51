"""The simulator: what customers would get, from the calls that an app sends."""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest

from engine.calls import Call, ChangeConsent, EnrollByHand, Identify, Track
from engine.definition import Journey
from engine.keys import anonymous_customer
from engine.lines import LifeLine, Line, StepLine
from engine.matching import ConditionFailed
from engine.person import Stage
from engine.policy import Policy
from engine.reasons import Ending, Reason
from engine.simulator import simulate
from tests.engine.enrolled import DAY, HOUR, START, journey, utc

TRIAL: dict[str, Any] = {
    "journey": "trial-onboarding",
    "starts_on": "trial_started",
    "ends_on": "trial_cancelled",
    "ends_at": "customer.trial_ends_at",
    "goal": "subscription_purchased",
}
STEPS = (
    {"send": "thanks", "at": "start + 1 day"},
    {"send": "tip", "at": "start + 2 days"},
    {"send": "demo", "after_idle": "10 days"},
    {"send": "coupon", "at": "customer.trial_ends_at - 5 days"},
)


class App:
    """Notes calls as an app would send them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def _next(self, at: datetime, who: str) -> dict[str, Any]:
        return {"customer_id": who, "at": at, "message_id": f"m{len(self.calls)}"}

    def identify(self, at: datetime, who: str = "ana", **traits: Any) -> None:
        self.calls.append(Identify(**self._next(at, who), traits=traits))

    def track(self, event: str, at: datetime, who: str = "ana", **properties: Any) -> None:
        self.calls.append(Track(**self._next(at, who), event=event, properties=properties))

    def starts(self, who: str = "ana", ends: Any = "2026-12-23", at: datetime = START) -> None:
        self.identify(at, who, email=f"{who}@example.com", trial_ends_at=ends)
        self.track("trial_started", at, who)

    def consents(self, at: datetime, subscribed: bool, topic: str | None = None) -> None:
        self.calls.append(
            ChangeConsent(**self._next(at, "ana"), topic=topic, channel=None, subscribed=subscribed)
        )

    def by_hand(self, at: datetime, start_at: datetime, name: str, **properties: Any) -> None:
        call = EnrollByHand(
            **self._next(at, "ana"), journey=name, start_at=start_at, properties=properties
        )
        self.calls.append(call)


def _stage(*made: Journey, word: Any = None, **policy: Any) -> Stage:
    all_of_them = made or (journey(*STEPS, **TRIAL),)
    given = {
        "sender": {"name": "Ana", "email": "a@b.example"},
        "postal_address": "1 Road",
        "topics": {"news": {"title": "News", "subscribed": True}},
    }
    return Stage(
        journeys={each.journey: each for each in all_of_them},
        policy=Policy.model_validate(given | policy),
        channels={
            each.journey: {m: ("email",) for step in each.steps for m in step.messages}
            for each in all_of_them
        },
        evaluate=lambda text, traits, event, history: bool(traits.get(text)),
        word=word,
    )


def _told(lines: Iterable[Line], who: str = "ana") -> list[tuple[str, str, datetime]]:
    told: list[tuple[str, str, datetime]] = []
    for line in lines:
        if line.customer != who:
            continue
        match line:
            case StepLine():
                told.append((line.step, line.reason or line.decision, line.at))
            case LifeLine():
                told.append(("", line.ending or "entered", line.at))
    return told


def test_the_one_who_never_comes_back_gets_everything() -> None:
    app = App()
    app.starts()
    assert _told(simulate(_stage(), app.calls)) == [
        ("", "entered", START),
        ("thanks", "sent", START + DAY),
        ("tip", "sent", START + 2 * DAY),
        ("demo", "sent", START + 10 * DAY),
        ("coupon", "sent", utc(2026, 12, 18)),
        ("", "completed", utc(2026, 12, 18)),
    ]


def test_the_buyer_on_day_four_gets_nothing_more() -> None:
    app = App()
    app.starts()
    app.track("subscription_purchased", START + 4 * DAY)
    lines = simulate(_stage(), app.calls)
    assert _told(lines)[-2:] == [
        ("tip", "sent", START + 2 * DAY),
        ("", "converted", START + 4 * DAY),
    ]
    assert isinstance(lines[-1], LifeLine)
    assert lines[-1].event == "subscription_purchased"


def test_the_daily_user_never_gets_the_demo() -> None:
    app = App()
    app.starts()
    for day in range(1, 31):
        app.track("used", START + day * DAY)
    assert "demo" not in [step for step, _, _ in _told(simulate(_stage(), app.calls))]


def test_extending_the_trial_on_day_eight_moves_the_coupon() -> None:
    app = App()
    app.starts()
    app.identify(START + 8 * DAY, trial_ends_at="2027-01-10")
    assert ("coupon", "sent", utc(2027, 1, 5)) in _told(simulate(_stage(), app.calls))


def test_the_unsubscribed_gets_reasons_instead_until_they_come_back() -> None:
    app = App()
    app.starts()
    app.consents(START + 36 * HOUR, subscribed=False)
    app.consents(START + 5 * DAY, subscribed=True, topic="news")
    assert [what for _, what, _ in _told(simulate(_stage(), app.calls))] == [
        "entered", "sent", "unsubscribed", "sent", "sent", "completed",
    ]  # fmt: skip


def test_calls_of_one_instant_all_come_before_its_steps() -> None:
    app = App()
    app.starts(ends="2026-11-20")
    app.identify(START, trial_ends_at="2026-12-23")
    assert len(_told(simulate(_stage(), app.calls))) == 6


def test_until_is_inclusive() -> None:
    app = App()
    app.starts()
    lines = simulate(_stage(), app.calls, until=START + 2 * DAY)
    assert [step for step, _, _ in _told(lines)] == ["", "thanks", "tip"]
    assert simulate(_stage(), app.calls, until=START - DAY) == []
    assert simulate(_stage(), []) == []


def test_customers_do_not_know_of_each_other_and_lines_are_in_time_order() -> None:
    one, both = App(), App()
    one.starts("ana")
    for who in ("bob", "ana", "eve"):
        both.starts(who, at=START if who == "ana" else START + HOUR)
    lines = simulate(_stage(), both.calls)
    assert _told(lines, "ana") == _told(simulate(_stage(), one.calls), "ana")
    assert [line.at for line in lines] == sorted(line.at for line in lines)


def test_the_zone_may_come_with_an_event() -> None:
    app = App()
    app.calls.append(
        Track(
            customer_id="ana",
            at=START,
            message_id="z",
            event="trial_started",
            timezone="Asia/Tokyo",
        )
    )
    app.identify(START, email="ana@example.com", trial_ends_at="2026-12-23")
    assert ("coupon", "sent", utc(2026, 12, 17, 15)) in _told(simulate(_stage(), app.calls))


def test_caps_quiet_hours_and_holdout_of_the_policy_apply() -> None:
    app = App()
    app.starts()
    quiet = _told(simulate(_stage(quiet_hours={"email": "00:00-12:00"}), app.calls))
    assert quiet[1] == ("thanks", "sent", START.replace(hour=12) + DAY)
    capped = _told(simulate(_stage(caps=[{"max": 1, "per": "3 days"}]), app.calls))
    assert capped[1:3] == [("thanks", "sent", START + DAY), ("tip", "capped", START + 2 * DAY)]
    held = _told(simulate(_stage(holdout=1), app.calls))
    assert {what for _, what, _ in held} == {"entered", "holdout", "completed"}


def test_a_message_that_can_not_be_worded_is_a_template_error() -> None:
    def word(*given: object) -> None:
        raise ConditionFailed("no such field")

    app = App()
    app.starts()
    assert _told(simulate(_stage(word=word), app.calls))[1][1] == "template_error"


def test_enrolling_by_hand_starts_earlier_and_hears_what_happened_since() -> None:
    app = App()
    app.identify(START, email="ana@example.com", trial_ends_at="2027-03-01")
    app.track("subscription_purchased", START + 5 * DAY)
    app.by_hand(START + 21 * DAY, START, "trial-onboarding")
    assert _told(simulate(_stage(), app.calls)) == [
        ("", "entered", START + 21 * DAY),
        ("", "converted", START + 21 * DAY),
    ]


def test_enrolling_by_hand_three_weeks_late_sends_nothing_long_due() -> None:
    app = App()
    app.identify(START, email="ana@example.com", trial_ends_at="2026-12-20")
    app.by_hand(START + 21 * DAY, START, "trial-onboarding")
    told = _told(simulate(_stage(), app.calls))
    assert [(step, what) for step, what, _ in told] == [
        ("", "entered"),
        ("thanks", "expired"),
        ("tip", "expired"),
        ("demo", "expired"),
        ("coupon", "sent"),
        ("", "completed"),
    ]


def test_enrolling_by_hand_follows_reenter_and_needs_the_key() -> None:
    app = App()
    app.starts()
    app.by_hand(START + DAY, START + DAY, "trial-onboarding")
    assert [what for _, what, _ in _told(simulate(_stage(), app.calls))].count("entered") == 1
    keyed = _stage(journey(*STEPS[:1], **{**TRIAL, "key": "cart"}))
    carts = App()
    for cart in (None, "1", "2"):
        carts.by_hand(START, START, "trial-onboarding", **({"cart": cart} if cart else {}))
    assert [line.key for line in simulate(keyed, carts.calls) if isinstance(line, LifeLine)][
        :2
    ] == ["1", "2"]


def test_built_in_events_start_and_end_journeys() -> None:
    welcome = journey(
        {"send": "hello", "at": "start + 1 day"}, journey="welcome", starts_on="customer.created"
    )
    sorry = journey(
        {"send": "sorry", "at": "start"}, journey="sorry", starts_on="consent.withdrawn"
    )
    app = App()
    app.identify(START, email="ana@example.com")
    app.track("used", START + HOUR)
    app.consents(START + DAY, subscribed=False, topic="other")
    lines = simulate(_stage(welcome, sorry), app.calls)
    assert [(line.journey, line.at) for line in lines if isinstance(line, StepLine)] == [
        ("welcome", START + DAY),
        ("sorry", START + DAY),
    ]


def test_what_parcours_reports_is_no_activity() -> None:
    app = App()
    app.starts()
    app.consents(START + 5 * DAY, subscribed=True)
    assert ("demo", "sent", START + 10 * DAY) in _told(simulate(_stage(), app.calls))


def test_a_step_may_set_traits_that_other_steps_count_from() -> None:
    made = journey(
        {"id": "mark", "set": {"marked": "2026-12-01"}, "at": "start + 1 day"},
        {"send": "tip", "at": "customer.marked"},
        **TRIAL,
    )
    app = App()
    app.starts()
    assert ("tip", "sent", utc(2026, 12, 1)) in _told(simulate(_stage(made), app.calls))


@pytest.mark.parametrize(("leaves", "gets"), [(True, []), (["news"], []), (["other"], ["tip"])])
def test_a_step_may_take_the_customer_off_topics(leaves: Any, gets: list[str]) -> None:
    sunset = journey(
        {"id": "off", "unsubscribe": leaves, "at": "start + 1 day"},
        {"send": "tip", "at": "start + 2 days"},
        **TRIAL,
    )
    bye = journey(
        {"send": "bye", "at": "start", "transactional": True},
        journey="bye", starts_on="consent.withdrawn",
    )  # fmt: skip
    app = App()
    app.starts()
    lines = [
        each for each in simulate(_stage(sunset, bye), app.calls) if isinstance(each, StepLine)
    ]
    sent = {each.step: each.at for each in lines if each.reason is None}
    assert sent["off"] == sent["bye"] == START + DAY
    assert [step for step in sent if step == "tip"] == gets
    left = [each.reason for each in lines if each.step == "tip" and each.reason]
    assert left == ([] if gets else [Reason.UNSUBSCRIBED])


def test_who_is_taken_off_may_come_back() -> None:
    made = journey(
        {"id": "off", "unsubscribe": True, "at": "start + 1 day"},
        {"send": "tip", "at": "start + 3 days"},
        **TRIAL,
    )
    app = App()
    app.starts()
    app.consents(START + 2 * DAY, subscribed=True, topic="news")
    assert ("tip", "sent", START + 3 * DAY) in _told(simulate(_stage(made), app.calls))


def test_an_unsubscribe_that_ends_its_own_journey_was_settled_before() -> None:
    made = journey(
        {"id": "off", "unsubscribe": True, "at": "start + 1 day"},
        {"send": "tip", "at": "start + 3 days"},
        **{**TRIAL, "ends_on": "consent.withdrawn"},
    )
    app = App()
    app.starts()
    assert _told(simulate(_stage(made), app.calls)) == [
        ("", "entered", START),
        ("off", "sent", START + DAY),
        ("", "exited", START + DAY),
    ]


def test_restart_begins_again_and_says_so() -> None:
    app = App()
    app.starts()
    app.track("trial_started", START + 36 * HOUR)
    stage = _stage(journey(*STEPS[:2], **{**TRIAL, "reenter": "restart"}))
    assert [what for _, what, _ in _told(simulate(stage, app.calls))] == [
        "entered", "sent", "exited", "entered", "sent", "sent", "completed",
    ]  # fmt: skip


def test_every_order_is_an_enrollment_of_its_own_under_always() -> None:
    app = App()
    app.identify(START, email="ana@example.com")
    for hour in (0, 2, 5):
        app.track("ordered", START + hour * HOUR)
    app.calls.append(app.calls[-1])  # the same message once more
    app.by_hand(START + 6 * HOUR, START + 6 * HOUR, "order")
    made = journey(
        {"send": "receipt", "at": "start"},
        {"send": "review", "at": "start + 1 day"},
        journey="order", starts_on="ordered", reenter="always",
    )  # fmt: skip
    told = _told(simulate(_stage(made), app.calls))
    assert [at for step, _, at in told if step == "review"] == [
        START + DAY + hour * HOUR for hour in (0, 2, 5, 6)
    ]


def test_only_the_newest_cart_writes_to_the_customer() -> None:
    made = journey(
        {"send": "reminder", "at": "start + 1 day"},
        journey="cart", starts_on="filled", key="cart", newest_only=True, reenter="after_exit",
    )  # fmt: skip
    app = App()
    app.identify(START, email="ana@example.com")
    for hour, cart in enumerate(("1", "2", "1", "1")):
        app.track("filled", START + hour * HOUR, cart=cart)
    lines = [line for line in simulate(_stage(made), app.calls) if isinstance(line, LifeLine)]
    assert [(line.key, line.ending, line.at) for line in lines] == [
        ("1", None, START),
        ("1", Ending.EXITED, START + HOUR),
        ("2", None, START + HOUR),
        ("2", Ending.EXITED, START + 2 * HOUR),
        ("1", None, START + 2 * HOUR),
        ("1", Ending.COMPLETED, START + DAY + 2 * HOUR),
    ]


def test_a_visitors_newer_cart_ends_an_older_one_once_it_is_known_whose_it_was() -> None:
    made = journey(
        {"send": "reminder", "at": "start + 1 day"},
        journey="cart", starts_on="filled", key="cart", newest_only=True, reenter="after_exit",
    )  # fmt: skip
    visitor = anonymous_customer("v")
    app = App()
    app.identify(START, email="ana@example.com")
    app.track("filled", START, cart="1")
    app.track("filled", START + HOUR, visitor, cart="2")
    app.track("filled", START + 2 * HOUR, cart="1")  # inside still, as far as is known
    link = {**app._next(START + 3 * HOUR, "ana"), "formerly": (visitor,), "traits": {}}
    app.calls.append(Identify(**link))
    lines = [line for line in simulate(_stage(made), app.calls) if isinstance(line, LifeLine)]
    assert [(line.key, line.ending) for line in lines][-1] == ("1", Ending.COMPLETED)
    [sent] = [line for line in simulate(_stage(made), app.calls) if isinstance(line, StepLine)]
    assert (sent.key, sent.at) == ("1", START + DAY + 2 * HOUR)


def test_an_event_that_both_ends_and_starts_enrolls_once() -> None:
    made = journey(
        {"send": "again", "at": "start + 30 days"},
        journey="win-back", starts_on="bought", ends_on="bought", reenter="after_exit",
    )  # fmt: skip
    app = App()
    app.identify(START, email="ana@example.com")
    for day in (0, 10, 20):
        app.track("bought", START + day * DAY)
    assert _told(simulate(_stage(made), app.calls)) == [
        ("", "entered", START),
        ("", "exited", START + 10 * DAY),
        ("", "entered", START + 10 * DAY),
        ("", "exited", START + 20 * DAY),
        ("", "entered", START + 20 * DAY),
        ("again", "sent", START + 50 * DAY),
        ("", "completed", START + 50 * DAY),
    ]


@pytest.mark.long
def test_a_thousand_customers_through_thirty_days_take_less_than_two_seconds() -> None:
    app = App()
    for n in range(1000):
        app.starts(f"c{n}")
        for day in range(1, 1 + n % 30):
            app.track("used", START + day * DAY, f"c{n}")
    took = []
    for _ in range(3):
        before = time.process_time()
        assert len(simulate(_stage(), app.calls)) > 5_000
        took.append(time.process_time() - before)
    assert min(took) < 2

"""The gate: which question comes first, and what each answers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from engine.caps import PastMessage
from engine.consent import ConsentState
from engine.definition import Journey
from engine.enrollment import Delivery, NotBefore, Settled
from engine.expressions import parse_duration
from engine.gate import (
    Customer,
    Go,
    Occasion,
    Verdict,
    choose_message,
    decide,
    offer_for,
    refusal,
)
from engine.matching import ConditionFailed, History, PastEvent, key_of, last_activity
from engine.policy import Policy
from engine.reasons import Reason
from tests.engine.enrolled import DAY, HOUR, START, journey, not_sent, utc

POLICY: dict[str, Any] = {
    "sender": {"name": "Ana", "email": "ana@example.com"},
    "postal_address": "1 Road",
    "topics": {
        "news": {"title": "News", "subscribed": True},
        "extra": {"title": "Extra", "subscribed": False},
    },
}
YES, NO = ConsentState.SUBSCRIBED, ConsentState.UNSUBSCRIBED

ANA = Customer(
    id="ana",
    traits={"email": "ana@example.com", "phone": "+33123456789"},
    last_activity_at=None,
    events=(),
    messages=(),
    said=lambda channel, topic: None,
    suppressed=lambda channel, address: False,
)


def _delivery(at: datetime = START, **more: Any) -> Delivery:
    given = {"step": "tip", "occurrence": "start", "at": at, "due_at": at, "until": at + DAY}
    return Delivery(**{**given, "zone": "UTC", **more})


def _occasion(step: dict[str, Any] | None = None, at: datetime = START, **keys: Any) -> Occasion:
    made = journey({"id": "tip", "send": "tip", "at": "start", **(step or {})}, **keys)
    return Occasion(
        journey=made,
        step=made.steps[0],
        enrollment="trial:ana",
        start_at=START - DAY,
        key=None,
        event={},
        delivery=_delivery(at),
        channels={"tip": ("email", "sms"), "b": ("email",)},
    )


def _sms(at: datetime, topic: str | None = "news") -> PastMessage:
    return PastMessage(enrollment="x", step="s", at=at, channel="email", topic=topic)


def _decide(
    occasion: Occasion | None = None,
    customer: Customer = ANA,
    evaluate: Callable[..., bool] = lambda *given: True,
    **policy: Any,
) -> Verdict:
    rules = Policy.model_validate(POLICY | policy)
    return decide(occasion or _occasion(), customer, rules, evaluate)


def test_nothing_in_the_way_lets_it_go_by_the_first_channel() -> None:
    assert _decide() == Go("tip", "email", "ana@example.com", "news")


def test_the_questions_are_asked_in_the_order_of_the_reasons() -> None:
    """Everything is against it; each obstacle taken away uncovers the next."""
    occasion = _occasion({"unless": "bought", "when": "false", "channels": ["email"]}, holdout=1)
    customer = replace(
        ANA,
        traits={},
        events=(PastEvent("bought", START),),
        messages=(_sms(START - HOUR),),
        said=lambda channel, topic: NO,
        suppressed=lambda channel, address: True,
    )
    holdout_off = _occasion({"channels": ["email"]})
    rules: dict[str, Any] = {
        "quiet_hours": {"email": "00:00-23:00"},
        "caps": [{"max": 1, "per": "1 week"}],
    }
    told = [
        _decide(occasion, customer, lambda *given: given[0] != "false", **rules),
        _decide(occasion, replace(customer, events=()), lambda *given: False, **rules),
        _decide(occasion, replace(customer, events=()), **rules),
        _decide(holdout_off, customer, **rules),
    ]
    agreed = replace(customer, said=ANA.said)
    told.append(_decide(holdout_off, agreed, **rules))
    reachable = replace(agreed, traits={"email": "not an address"})
    told.append(_decide(holdout_off, reachable, **rules))
    told.append(_decide(holdout_off, replace(reachable, suppressed=ANA.suppressed), **rules))
    assert told == [
        not_sent(reason)
        for reason in (
            Reason.UNLESS,
            Reason.CONDITION,
            Reason.HOLDOUT,
            Reason.UNSUBSCRIBED,
            Reason.NO_ADDRESS,
            Reason.SUPPRESSED,
            Reason.INVALID_ADDRESS,
        )
    ]
    fine = replace(reachable, traits=ANA.traits, suppressed=ANA.suppressed)
    held = _decide(holdout_off, fine, **rules)
    assert held == NotBefore(until=START.replace(hour=23), reason=Reason.QUIET_HOURS)
    capped = _decide(holdout_off, fine, caps=rules["caps"])
    assert capped == not_sent(Reason.CAPPED)  # not free before its grace is over


def test_a_topic_that_must_be_opted_into_needs_a_yes() -> None:
    occasion = _occasion({"topic": "extra"})
    assert _decide(occasion) == not_sent(Reason.NO_CONSENT)
    yes = replace(ANA, said=lambda channel, topic: YES if topic == "extra" else NO)
    assert isinstance(_decide(occasion, yes), Go)


@pytest.mark.parametrize("by_step", [True, False])
def test_transactional_passes_consent_holdout_quiet_hours_and_caps(by_step: bool) -> None:
    no = replace(ANA, said=lambda channel, topic: NO, messages=(_sms(START),))
    occasion = (
        _occasion({"transactional": True}) if by_step else _occasion(topic=None, transactional=True)
    )
    rules: dict[str, Any] = {
        "holdout": 1,
        "quiet_hours": {"email": "00:00-23:00"},
        "caps": [{"max": 1, "per": "1 day"}],
    }
    assert _decide(occasion, no, **rules) == Go("tip", "email", "ana@example.com", None)
    assert _decide(occasion, replace(no, suppressed=lambda *given: True)) == not_sent(
        Reason.SUPPRESSED
    )


def test_unless_looks_from_the_start_instant_on() -> None:
    occasion = _occasion({"unless": "bought"})
    at_start = replace(ANA, events=(PastEvent("bought", occasion.start_at),))
    before = replace(ANA, events=(PastEvent("bought", occasion.start_at - HOUR),))
    assert _decide(occasion, at_start) == not_sent(Reason.UNLESS)
    assert isinstance(_decide(occasion, before), Go)


def test_unless_with_a_key_ignores_the_events_of_another_enrollment() -> None:
    occasion = replace(_occasion({"unless": "bought"}, key="cart"), key="1")
    other = replace(ANA, events=(PastEvent("bought", START, {"cart": 2}),))
    mine = replace(ANA, events=(PastEvent("bought", START, {"cart": 1}),))
    assert isinstance(_decide(occasion, other), Go)
    assert _decide(occasion, mine) == not_sent(Reason.UNLESS)


def test_an_error_in_when_is_trouble_and_in_where_no_match() -> None:
    def fails(*given: object) -> bool:
        raise ConditionFailed("no such field")

    with pytest.raises(ConditionFailed):
        _decide(_occasion({"when": "x"}), evaluate=fails)
    occasion = _occasion({"unless": {"event": "bought", "where": "x"}})
    bought = replace(ANA, events=(PastEvent("bought", START),))
    assert isinstance(_decide(occasion, bought, fails), Go)


def test_a_condition_can_ask_for_history() -> None:
    asked: list[object] = []

    def look(text: str, traits: object, event: object, history: History | None) -> bool:
        assert history is not None
        asked.extend([history.count("used", None), history.sent("s"), history.clicked("s")])
        return True

    mine = replace(_sms(START - DAY), enrollment="trial:ana", clicked=True)
    customer = replace(ANA, events=(PastEvent("used", START),) * 2, messages=(mine,))
    _decide(_occasion({"when": "x"}), customer, look)
    assert asked == [2, True, True]


def test_a_when_counts_as_a_segment_does_up_to_the_instant_of_leaving() -> None:
    """31 January and a month is 28 February; a month before that would be 28 January."""
    done, leaves = utc(2026, 1, 31, 9), utc(2026, 2, 28, 9)
    month = parse_duration("1 month")
    counted: list[int] = []

    def evaluate(*given: Any) -> bool:
        counted.append(given[-1].count("used", month))
        return True

    customer = replace(ANA, events=(PastEvent("used", done),))
    for at in (done, leaves - HOUR, leaves):
        _decide(_occasion({"when": "x"}, at), customer, evaluate)
    assert counted == [1, 1, 0]


def test_a_when_asks_about_segments_that_the_customer_is_in() -> None:
    def evaluate(*given: Any) -> bool:
        return bool(given[-1].inside("lapsed"))

    occasion = _occasion({"when": "inside('lapsed')"})
    assert _decide(occasion, ANA, evaluate) == not_sent(Reason.CONDITION)
    customer = replace(ANA, segments=frozenset({"lapsed"}))
    assert isinstance(_decide(occasion, customer, evaluate), Go)


def test_an_active_customer_is_not_idle_yet() -> None:
    occasion = _occasion()
    idle = replace(occasion, delivery=_delivery(idle_since=START - 10 * DAY))
    active = replace(ANA, last_activity_at=START - HOUR)
    assert _decide(idle, active) == NotBefore(last_activity_at=START - HOUR)
    forced = replace(occasion, delivery=_delivery(idle_since=START - 10 * DAY, forced=True))
    assert isinstance(_decide(forced, active), Go)


def test_a_spell_that_had_its_message_is_never_sent_again() -> None:
    since = START - DAY
    check = replace(_occasion(), delivery=_delivery(idle_since=since, spell_settled=True))
    assert _decide(check) == NotBefore(last_activity_at=since)


# --- Channels -------------------------------------------------------------------------------


def test_the_next_channel_is_tried_when_the_first_refuses() -> None:
    no_mail = replace(ANA, traits={"phone": "+33123456789"})
    assert _decide(customer=no_mail) == Go("tip", "sms", "+33123456789", "news")


def test_a_channel_that_is_only_held_back_is_waited_for() -> None:
    no_mail = replace(ANA, traits={"phone": "+33123456789"})
    verdict = _decide(customer=no_mail, quiet_hours={"sms": "00:00-10:00"})
    assert verdict == NotBefore(until=START + 2 * HOUR, reason=Reason.QUIET_HOURS)


def test_of_two_refusals_the_one_that_says_more_is_told() -> None:
    mail_only = replace(ANA, traits={"email": "ana@example.com"}, suppressed=lambda *given: True)
    occasion = _occasion({"channels": ["sms", "email"]})
    assert _decide(occasion, mail_only) == not_sent(Reason.SUPPRESSED)
    assert _decide(occasion, replace(ANA, traits={})) == not_sent(Reason.NO_ADDRESS)


def test_a_webhook_asks_nobody_for_consent() -> None:
    no = replace(ANA, traits={}, said=lambda *given: NO)
    occasion = _occasion({"send": None, "call": "crm"})
    hooks = {"crm": {"url": "https://crm.example/hook"}}
    assert _decide(occasion, no, webhooks=hooks) == Go(
        "crm", "webhook", "https://crm.example/hook", None
    )


@pytest.mark.parametrize(
    ("does", "channel"), [({"set": {"plan": None}}, "traits"), ({"unsubscribe": True}, "consent")]
)
def test_what_we_write_down_ourselves_asks_nobody_but_is_held_out(
    does: dict[str, Any], channel: str
) -> None:
    no = replace(ANA, traits={}, said=lambda *given: NO)
    assert _decide(_occasion({"send": None, **does}), no) == Go("tip", channel, "ana", None)
    held = _decide(_occasion({"send": None, **does}, holdout=1), no)
    assert held == not_sent(Reason.HOLDOUT)


def test_variants_are_drawn_alike_every_time() -> None:
    occasion = _occasion({"send": None, "variants": {"a": "tip", "b": {"send": "b", "weight": 3}}})
    drawn = [choose_message(occasion, f"c{n}") for n in range(400)]
    assert drawn == [choose_message(occasion, f"c{n}") for n in range(400)]
    assert 250 < drawn.count("b") < 350


def test_a_variants_own_offer_counts_instead_of_the_steps() -> None:
    own = {"send": "b", "offer": {"free_shipping": True, "valid": "3 days"}}
    variants = {"send": None, "variants": {"a": "tip", "b": own}}
    occasion = _occasion({**variants, "offer": {"percent": 10, "valid": "3 days"}})
    drawn = {choose_message(occasion, f"c{n}"): f"c{n}" for n in range(20)}
    offers = {
        message: offer_for(occasion.journey, occasion.step, who) for message, who in drawn.items()
    }
    assert offers["b"] is not None
    assert offers["b"].free_shipping
    assert offers["tip"] == occasion.step.offer
    bare = _occasion(variants)
    assert offer_for(bare.journey, bare.step, drawn["tip"]) is None
    assert bare.step.makes_offers
    assert not _occasion().step.makes_offers


def test_what_may_be_out_already_is_refused_only_if_she_may_not_be_written_to() -> None:
    rules = Policy.model_validate(POLICY | {"quiet_hours": {"email": "00:00-23:00"}})
    busy = replace(ANA, messages=(_sms(START),), events=(PastEvent("bought", START),))
    occasion = _occasion({"unless": "bought"})
    assert refusal(occasion, busy, rules, "email", "ana@example.com") is None
    no = replace(ANA, said=lambda *given: NO)
    assert refusal(occasion, no, rules, "email", "ana@example.com") is Reason.UNSUBSCRIBED
    bounced = replace(ANA, suppressed=lambda *given: True)
    assert refusal(occasion, bounced, rules, "email", "ana@example.com") is Reason.SUPPRESSED


# --- Quiet hours and caps -------------------------------------------------------------------


@pytest.mark.parametrize(("hour", "until"), [(21, None), (22, 32), (7, 8), (8, None)])
def test_quiet_hours_are_half_open_and_in_the_customers_zone(hour: int, until: int | None) -> None:
    at = START.replace(hour=0) + hour * HOUR
    verdict = _decide(_occasion(at=at), quiet_hours={"email": "22:00-08:00", "sms": "22:00-08:00"})
    if until is None:
        assert isinstance(verdict, Go)
    else:
        opens = START.replace(hour=0) + until * HOUR
        assert verdict == NotBefore(until=opens, reason=Reason.QUIET_HOURS)


def test_quiet_hours_past_the_grace_settle_it() -> None:
    short = replace(_occasion(), delivery=_delivery(until=START + HOUR))
    verdict = _decide(short, quiet_hours={"email": "00:00-10:00", "sms": "00:00-10:00"})
    assert verdict == not_sent(Reason.QUIET_HOURS)


@pytest.mark.parametrize("transactional", [True, False])
def test_what_was_held_up_past_its_window_waits_for_the_next_unless_transactional(
    transactional: bool,
) -> None:
    step = {"between": "09:00-10:00", "transactional": transactional}
    occasion = replace(_occasion(step), delivery=_delivery(START.replace(hour=20)))
    tomorrow = START.replace(hour=9) + DAY
    verdict = _decide(occasion)
    assert (
        isinstance(verdict, Go)
        if transactional
        else verdict == NotBefore(until=tomorrow, reason=Reason.QUIET_HOURS)
    )


def test_a_cap_rolls_and_does_not_follow_the_calendar() -> None:
    late_evening = replace(ANA, messages=(_sms(START - HOUR),))
    cap = [{"max": 1, "per": "1 day"}]
    held = _decide(customer=late_evening, caps=cap)
    assert held == NotBefore(until=START - HOUR + DAY, reason=Reason.CAPPED)
    free = replace(ANA, messages=(_sms(START - DAY),))
    assert isinstance(_decide(customer=free, caps=cap), Go)


def test_a_cap_is_free_when_enough_messages_have_left_it() -> None:
    three = replace(ANA, messages=tuple(_sms(START - n * HOUR) for n in (1, 2, 3)))
    verdict = _decide(customer=three, caps=[{"max": 2, "per": "1 day"}])
    assert verdict == NotBefore(until=START - 2 * HOUR + DAY, reason=Reason.CAPPED)


@pytest.mark.parametrize(
    ("cap", "topic", "held"),
    [
        ({"channel": "sms"}, "news", False),
        ({"topic": "extra"}, "news", False),
        ({"topic": "news", "channel": "email"}, "news", True),
        ({}, None, False),  # a transactional message does not count
    ],
)
def test_a_cap_counts_only_what_it_names(cap: dict[str, str], topic: str, held: bool) -> None:
    customer = replace(ANA, messages=(_sms(START - HOUR, topic),))
    occasion = _occasion({"channels": ["email"]})
    verdict = _decide(occasion, customer, caps=[{"max": 1, "per": "1 day", **cap}])
    assert isinstance(verdict, NotBefore if held else Go)


# --- Activity and keys ----------------------------------------------------------------------


def _newest(made: Journey, key: str | None, *events: PastEvent) -> datetime | None:
    return last_activity(made, key, events, {}, lambda *given: True)


def test_only_activity_that_the_journey_names_and_that_has_the_key_counts() -> None:
    events = (
        PastEvent("used", START, {"cart": 1}),
        PastEvent("used", START + HOUR, {"cart": 2}),
        PastEvent("seen", START + 2 * HOUR),
    )
    idle = {"id": "a", "after_idle": "1 day"}
    assert _newest(journey(idle), None, *events) == START + 2 * HOUR
    assert _newest(journey(idle, activity="used"), None, *events) == START + HOUR
    assert _newest(journey(idle, activity="used", key="cart"), "1", *events) == START
    assert _newest(journey(idle, activity="bought"), None, *events) is None


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("c1", "c1"),
        (9, "9"),
        (9.0, "9"),
        (None, None),
        ("", None),
        (True, None),
        ([1], None),
        ("a\0b", None),
        ("\ud800", None),
        ("k" * 255, "k" * 255),
        ("k" * 256, None),
        (10**300, None),
    ],
)
def test_a_key_is_text_or_a_number(value: object, key: str | None) -> None:
    made = journey({"id": "a", "at": "start"}, key="cart.id")
    assert key_of(made, {"cart": {"id": value}}) == key


def test_a_refusal_is_a_settlement_with_its_reason() -> None:
    verdict = _decide(customer=replace(ANA, traits={}))
    assert isinstance(verdict, Settled)
    assert verdict.reason is Reason.NO_ADDRESS


# --- Which channel ------------------------------------------------------------------------

BOTH = {"email": "ana@example.com", "phone": "+33123456789"}


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (None, "email"),
        ("sms", "sms"),
        (["sms", "email"], "sms"),
        (["post", "sms"], "sms"),
        ("post", "email"),
        ([["sms"], 7], "email"),
        ({"sms": 1}, "email"),
        ("", "email"),
    ],
)
def test_what_a_customer_wishes_for_comes_first_among_what_the_step_allows(
    wish: object, expected: str
) -> None:
    verdict = _decide(customer=replace(ANA, traits={**BOTH, "preferred_channel": wish}))
    assert isinstance(verdict, Go)
    assert verdict.channel == expected


def test_a_wish_opens_no_channel_that_the_step_does_not_name() -> None:
    occasion = _occasion({"channels": ["email"]})
    customer = replace(ANA, traits={**BOTH, "preferred_channel": "sms"})
    assert _decide(occasion, customer) == Go("tip", "email", "ana@example.com", "news")


def test_a_channel_that_nobody_carries_is_passed_over() -> None:
    occasion = replace(_occasion({"channels": ["sms", "email"]}), channels={"tip": ("email",)})
    verdict = _decide(occasion, replace(ANA, traits=BOTH))
    assert verdict == Go("tip", "email", "ana@example.com", "news")


@pytest.mark.parametrize(
    ("traits", "suppressed"),
    [
        ({"phone": BOTH["phone"]}, ()),
        ({**BOTH, "email": "no address"}, ()),
        (BOTH, (("email", "ana@example.com"),)),
    ],
    ids=["no address", "invalid", "suppressed"],
)
def test_where_one_channel_is_closed_the_next_is_taken(
    traits: dict[str, Any], suppressed: tuple[tuple[str, str], ...]
) -> None:
    customer = replace(
        ANA, traits=traits, suppressed=lambda channel, address: (channel, address) in suppressed
    )
    assert _decide(customer=customer) == Go("tip", "sms", BOTH["phone"], "news")


def test_an_unsubscribed_channel_leaves_the_other() -> None:
    customer = replace(
        ANA, traits=BOTH, said=lambda channel, topic: NO if channel == "email" else None
    )
    verdict = _decide(customer=customer)
    assert isinstance(verdict, Go)
    assert verdict.channel == "sms"


def test_the_number_that_goes_out_is_the_one_that_was_read() -> None:
    customer = replace(
        ANA,
        traits={"phone": "01 23 45 67 89", "country": "FR"},
        read_phone=lambda number, country: "+33123456789" if country == "FR" else None,
    )
    assert _decide(customer=customer) == Go("tip", "sms", "+33123456789", "news")
    nowhere = replace(customer, traits={"phone": "01 23 45 67 89"})
    assert _decide(customer=nowhere) == not_sent(Reason.INVALID_ADDRESS)

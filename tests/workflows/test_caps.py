"""Caps and priorities: the simulator and a real server let out the same messages at the same times.

Several enrollments of one customer are under way at once, so each has to see what the others
will want.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from authoring.folder import LoadedJourney
from authoring.journey_file import load_journey_data
from cli.simulate import play
from engine.calls import Call, Identify, Track
from engine.lines import StepLine
from engine.policy import Policy
from rendering.messages import MessageSource
from worker.rehearsal import rehearse

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TEXT = {"subject.txt": "Hello", "email.html": "<p>Hello</p>"}
CARTS = """
journey: carts
title: Two weights
starts_on: cart_filled
ends_on: cart_emptied
key: cart
topic: news
steps:
  - id: light
    send: hello
    at: start + 1 hour
    grace: 2 days
  - id: heavy
    send: hello
    at: start + 4 hours
    priority: 10
    when: event.total > 10
"""


def policy(most: int, per: str) -> Policy:
    return Policy.model_validate(
        {
            "sender": {"name": "Acme", "email": "hello@acme.example"},
            "postal_address": "1 Main Street",
            "topics": {"news": {"title": "News", "subscribed": True}},
            "caps": [{"max": most, "per": per}],
        }
    )


def filled(cart: str, after: timedelta, total: int = 50) -> Call:
    return Track(
        customer_id="ana",
        at=START + after,
        message_id=f"cart-{cart}",
        event="cart_filled",
        properties={"cart": cart, "total": total},
    )


async def played(
    rules: Policy, *calls: Call, until: datetime = START + timedelta(days=9)
) -> list[tuple[str | None, str, str, timedelta]]:
    """Who got what when, by both."""
    ana = Identify(
        customer_id="ana", at=START, message_id="ana", traits={"email": "ana@example.com"}
    )
    source = MessageSource("hello", TEXT, {})
    journey = load_journey_data(CARTS, "carts/journey.yaml")
    named = LoadedJourney(journey, {"hello": source}, (), Path("carts"))
    real = await rehearse(named, rules, [ana, *calls], until)
    assert real == play(named, rules, [ana, *calls], until)
    steps = [line for line in real if isinstance(line, StepLine)]
    return [(s.key, s.step, s.reason or s.decision, s.at - START) for s in steps]


async def test_the_lighter_waits_for_the_heavier_of_another_enrollment() -> None:
    lines = await played(
        policy(1, "calendar day"),
        filled("a", HOUR * 0),
        filled("b", timedelta(hours=1, minutes=30), total=1),
    )
    assert lines == [
        ("a", "heavy", "sent", 4 * HOUR),
        ("b", "heavy", "condition", timedelta(hours=5, minutes=30)),
        ("a", "light", "sent", 16 * HOUR),
        ("b", "light", "sent", 40 * HOUR),
    ]


@pytest.mark.parametrize("total", [1, 50])
async def test_what_comes_to_nothing_gives_its_room_back_the_same_day(total: int) -> None:
    lines = await played(policy(1, "1 day"), filled("a", HOUR * 0, total))
    waited = 4 * HOUR + MINUTE if total == 1 else 28 * HOUR
    assert ("a", "light", "sent", waited) in lines
    assert len(lines) == 2


async def test_of_an_enrollment_only_its_next_step_is_seen() -> None:
    """The heavy steps of b and c stand behind their light ones when the light one of a comes up."""
    carts = [filled(name, n * 20 * MINUTE) for n, name in enumerate("abc")]
    lines = await played(policy(2, "1 day"), *carts, until=START + timedelta(days=1))
    assert [(key, step, what) for key, step, what, _ in lines] == [
        ("a", "light", "sent"),
        ("a", "heavy", "sent"),
    ]

"""Texts, letters, calls and traits: the simulator and a real server with skipped time agree."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from authoring.folder import LoadedJourneys, load_journeys
from cli.simulate import play
from engine.calls import Call, Identify, Track
from engine.lines import StepLine
from engine.reasons import Reason
from worker.rehearsal import rehearse

POLICY = """
sender: {name: Atelier, email: hello@atelier.example}
postal_address: Lyon
timezone: Europe/Paris
topics:
  onboarding: {title: Getting started, subscribed: true}
webhooks:
  crm: {url: "https://crm.example/hook"}
post: {return_address: {name: Atelier, street: 1 Main St, city: Reno, country: US}}
"""

# The deadline that `mark` sets moves `last` from never to the day after.
JOURNEY = """
journey: trial
title: A trial
starts_on: trial_started
ends_at: start + 30 days
topic: onboarding
steps:
  - send: note
    at: start + 1 day
  - send: card
    at: start + 1 day
  - call: crm
    at: start + 2 days
  - id: mark
    set: {deadline: 2026-11-28, preferred_channel: sms}
    at: start + 3 days
  - id: last
    send: note
    at: customer.deadline at 10:00
  - id: told
    call: crm
    at: mark + 2 days
    when: sent('mark') and customer.preferred_channel == 'sms'
"""

FILES = {
    "policy.yaml": POLICY,
    "trial/journey.yaml": JOURNEY,
    "trial/note/subject.txt": "Hello",
    "trial/note/email.html": "<p>Hello {{ customer.name }}</p>",
    "trial/note/sms.txt": "Hello {{ customer.name }}",
    "trial/card/card.html": "<p>Dear {{ customer.name }}</p>",
}
START = datetime(2026, 11, 23, 8, tzinfo=UTC)
TRAITS = {
    "name": "Ann",
    "email": "ann@acme.example",
    "phone": "06 12 34 56 78",
    "country": "FR",
    "address": {"street": "12 Rue Neuve", "city": "Lyon", "country": "FR"},
}


def load(folder: Path, **changed: str) -> LoadedJourneys:
    for name, text in {**FILES, **changed}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return load_journeys(folder)


CALLS: list[Call] = [
    Identify(customer_id="c1", at=START, message_id="m1", traits=TRAITS),
    Track(customer_id="c1", at=START, message_id="m2", event="trial_started"),
]
UNTIL = START + timedelta(days=60)


@pytest.mark.parametrize(
    "changed",
    [
        {"trial/note/sms.txt": "Hello {{ customer.nobody_said }}"},
        {"trial/note/sms.txt": "Hello " * 500},
        {"trial/card/card.html": "<p>{{ customer.nobody_said }}</p>"},
        {"policy.yaml": POLICY.partition("post:")[0]},
    ],
    ids=["sms", "long sms", "card", "card of nobody"],
)
def test_the_simulator_tells_of_texts_that_do_not_hold(
    tmp_path: Path, changed: dict[str, str]
) -> None:
    loaded = load(tmp_path, **changed)
    lines = play(loaded.journeys["trial"], loaded.policy, CALLS, UNTIL)
    told = {line.reason for line in lines if isinstance(line, StepLine)}
    assert told == {None, Reason.TEMPLATE_ERROR}


async def test_both_say_the_same_of_every_channel(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    pure = play(loaded.journeys["trial"], loaded.policy, CALLS, UNTIL)
    steps = [line for line in pure if isinstance(line, StepLine)]
    assert [(line.step, line.channel, line.reason) for line in steps] == [
        ("note", "email", None),
        ("card", "post", None),
        ("crm", "webhook", None),
        ("mark", "traits", None),
        ("told", "webhook", None),
        ("last", "sms", None),
    ]
    assert await rehearse(loaded.journeys["trial"], loaded.policy, CALLS, UNTIL) == pure

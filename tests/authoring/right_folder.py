"""A journeys folder without a mistake, for tests to make one in it."""

from collections.abc import Callable
from pathlib import Path

Write = Callable[..., Path]

POLICY = """\
sender: {name: Atelier, email: hello@atelier.example}
postal_address: 12 rue des Tanneurs, 69005 Lyon, France
timezone: Europe/Paris
topics:
  onboarding: {title: Getting started, subscribed: true}
  news: {title: Product news, subscribed: false}
webhooks:
  crm: {url: "https://crm.example/hook"}
"""
JOURNEY = """\
journey: trial
title: A trial
starts_on: trial_started
ends_at: start + 30 days
goal: bought
topic: onboarding
steps:
  - send: thanks
    at: start + 1 day
  - send: tip
    at: start + 2 days
"""
LEAVE = '<a href="{{ links.unsubscribe }}">Unsubscribe</a>'  # as marketing must
RIGHT = {
    "policy.yaml": POLICY,
    "trial/journey.yaml": JOURNEY,
    "trial/thanks/subject.txt": "Thanks",
    "trial/thanks/email.html": f"<p>Thanks. {LEAVE}</p>",
    "trial/tip/subject.txt": "A tip",
    "trial/tip/email.html": f"<p>A tip. {LEAVE}</p>",
    "trial/tip/sms.txt": "A tip. Reply STOP to end.",
}

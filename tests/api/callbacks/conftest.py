"""A customer in the trial, with a message out by each channel; every provider set up."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.callbacks.sns import Sns
from api.services import Services
from engine.delivery_status import DeliveryStatus
from engine.keys import message_key
from engine.reasons import Decision
from settings import Settings
from store import consents, delivery_events, messages, suppressions
from store.tables import Consent, DeliveryEvent, Message
from tests.api.callbacks.speaking import SETTINGS, TOPIC, amazon
from tests.api.given import A_DAY, identify, load_settings, publish, take, track, trial

PHONE = "+33612345678"
EMAIL = "ann@example.com"


def key_of(step: str) -> str:
    return message_key("trial:c1", step, "start")


@dataclass
class Office:
    """The API, those who call it, and what they left in the store."""

    services: Services
    client: httpx.AsyncClient
    asked: list[str]  # of Amazon

    async def message(self, step: str = "thanks") -> Message:
        async with self.services.database.reading() as session:
            found = await messages.get_by_key(session, key_of(step))
        assert found is not None
        return found

    async def status(self, step: str = "thanks") -> DeliveryStatus | None:
        return (await self.message(step)).status

    async def told(self, step: str = "thanks") -> list[DeliveryEvent]:
        async with self.services.database.reading() as session:
            return await delivery_events.of_message(session, key_of(step))

    async def ledger(self) -> list[Consent]:
        async with self.services.database.reading() as session:
            return await consents.of_customer(session, "c1")

    async def is_suppressed(self, channel: str, address: str) -> bool:
        async with self.services.database.reading() as session:
            return await suppressions.is_suppressed(session, channel, address)


@pytest.fixture
def configured(url: str) -> Settings:
    return load_settings(url, **SETTINGS)


@pytest.fixture
async def office(services: Services) -> AsyncIterator[Office]:
    steps = [
        {"send": "thanks", "at": "start + 1 day"},
        {"id": "sorry", "send": "thanks", "after_event": "message.bounced"},
        {"id": "good", "send": "thanks", "after_event": "message.clicked"},
    ]
    await publish(services.database, trial(steps=steps))
    await take(services, identify(email=EMAIL, phone=PHONE, locale="fr"), track("trial_started"))
    async with services.database.transaction() as session:
        for step, channel, provider, address in (
            ("thanks", "email", "postmark", EMAIL),
            ("tip", "email", "sendgrid", EMAIL),
            ("ses", "email", "ses", EMAIL),
            ("resend", "email", "resend", EMAIL),
            ("text", "sms", "twilio", PHONE),
            ("card", "post", "lob", "1 rue X"),
        ):
            assert await messages.claim(session, sent(step, channel, provider, address))
    asked: list[str] = []
    app = create_app(services)
    app.state.sns = Sns(frozenset({TOPIC}), amazon(asked))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
        yield Office(services, client, asked)


IDS: dict[str, str] = {
    "postmark": "pm-1",
    "sendgrid": "sg",
    "ses": "ses-1",
    "resend": "re-1",
    "twilio": "SM1",
    "lob": "ltr_1",
}


def sent(step: str, channel: str, provider: str, address: str) -> Message:
    given: dict[str, Any] = {
        "key": key_of(step),
        "enrollment_id": "trial:c1",
        "customer_id": "c1",
        "journey": "trial",
        "step": step,
        "occurrence": "start",
        "decision": Decision.SENT,
        "channel": channel,
        "topic": "onboarding",
        "message": "thanks",
        "address": address,
        "provider": provider,
        "provider_message_id": IDS[provider],
        "claimed_at": A_DAY,
        "decided_at": A_DAY,
        "sent_at": A_DAY,
    }
    return Message(**given)

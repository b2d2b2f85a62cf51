"""From settings to who carries which channel."""

from typing import Any, cast

import pytest

from activities.providers.mailbox import MailboxProvider
from settings import load
from store.database import Database
from tests.settings.test_settings import KEY, TWILIO, WEBHOOK_SECRET
from worker.desk import providers


def carried(**chosen: Any) -> dict[str, str]:
    """Who carries what; nothing of it touches a store."""
    settings = load(secret_key=KEY, **chosen)
    mailbox = MailboxProvider(cast(Database, None), lambda: pytest.fail("nobody asks"))
    return {channel: each.name for channel, each in providers(settings, mailbox).items()}


def test_out_of_the_box_messages_stay_here_and_calls_are_made() -> None:
    assert carried() == {
        "email": "mailbox",
        "sms": "mailbox",
        "post": "mailbox",
        "webhook": "webhook",
    }


def test_each_channel_has_the_provider_that_was_chosen() -> None:
    chosen = {
        "email_provider": "resend",
        "resend_api_key": "re",
        "sms_provider": "twilio",
        **TWILIO,
        "post_provider": "lob",
        "lob_api_key": "test_x",
        "webhook_provider": "mailbox",
        "webhook_secrets": {"crm": WEBHOOK_SECRET},
    }
    assert carried(**chosen) == {
        "email": "resend",
        "sms": "twilio",
        "post": "lob",
        "webhook": "mailbox",
    }


def test_what_nobody_carries_is_missing() -> None:
    left = carried(sms_provider="none", post_provider="none")
    assert left == {"email": "mailbox", "webhook": "webhook"}


@pytest.mark.parametrize(
    ("public_url", "told"),
    [
        ("https://parcours.example", "https://parcours.example/callbacks/twilio/status"),
        ("http://parcours.example", None),
        ("http://127.0.0.1:8080", None),
        ("https://localhost:8443", None),
    ],
)
def test_twilio_is_told_only_of_addresses_that_it_can_reach(
    public_url: str, told: str | None
) -> None:
    from worker.desk import _status_url

    assert _status_url(public_url) == told

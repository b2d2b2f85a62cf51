"""From settings to who carries the mail."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.providers.mailbox import MailboxProvider
from settings import EmailProvider, load
from store.database import Database
from worker.desk import email_provider

CREDENTIALS = {
    "smtp_host": "mail.example",
    "resend_api_key": "re_secret",
    "postmark_server_token": "secret",
    "sendgrid_api_key": "SG.secret",
    "ses_access_key_id": "AKIDEXAMPLE",
    "ses_secret_access_key": "secret",
    "ses_region": "eu-west-1",
}


@pytest.mark.parametrize("chosen", EmailProvider)
def test_whom_the_settings_name_carries_the_mail(chosen: EmailProvider, tmp_path: Path) -> None:
    settings = load(secret_key="k" * 32, email_provider=chosen, **CREDENTIALS)
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}")
    mailbox = MailboxProvider(database, lambda: datetime(2026, 11, 24, tzinfo=UTC))
    assert email_provider(settings, mailbox).name == chosen.value

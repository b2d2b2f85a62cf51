"""Messages that stay here: captured in the store and shown in the browser, to try things out.

Mails, text messages, letters and calls alike. The surprising fact: nothing is lost by it but the
delivery; what is captured is what a real provider would have been given.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import assert_never

from activities.providers.outcome import (
    Accepted,
    HookCall,
    Letter,
    Mail,
    Parcel,
    Refused,
    Sms,
)
from store import mailbox
from store.database import Database
from store.tables import MailboxMail

# What a list shows of a text message in place of a subject.
_LONGEST_SUBJECT = 80


class MailboxProvider:
    """Keeps each message once. `now` is journey time, which is when its reader gets it."""

    name = "mailbox"
    remembers_keys_for: timedelta | None = timedelta(days=36_500)  # for as long as the store

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def send(self, parcel: Parcel) -> Accepted | Refused:
        """Keep it; one that came before with this key is the same."""
        captured = _captured(parcel, self._now())
        async with self._database.transaction() as session:
            await mailbox.put(session, captured)
        return Accepted(provider_message_id=parcel.key)


def _captured(parcel: Parcel, at: datetime) -> MailboxMail:
    match parcel:
        case Mail():
            channel, subject, raw = "email", parcel.subject, parcel.raw
            sender, recipient = parcel.sender, parcel.recipient
        case Sms():
            channel, subject, raw = "sms", _in_short(parcel.text), parcel.text.encode()
            sender, recipient = parcel.sender or "", parcel.recipient
        case Letter():
            channel, subject, raw = "post", f"A {parcel.kind}", parcel.html.encode()
            sender = f"{parcel.sender.name}, {parcel.sender.line}"
            recipient = f"{parcel.recipient.name}, {parcel.recipient.line}"
        case HookCall():
            channel, subject, raw = "webhook", f"Call `{parcel.hook}`", parcel.body
            sender, recipient = "", parcel.url
        case _:
            assert_never(parcel)
    return MailboxMail(
        key=parcel.key,
        at=at,
        sender=sender,
        recipient=recipient,
        subject=subject,
        raw=raw,
        customer_id=parcel.customer_id,
        headers={mailbox.CHANNEL: channel},
    )


def _in_short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_SUBJECT else f"{line[: _LONGEST_SUBJECT - 1]}…"

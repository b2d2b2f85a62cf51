"""A captured message as a page shows it: a mail's parts, a text, a printed page, a call's JSON."""

import json
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from store.mailbox import channel_of
from store.tables import MailboxMail


@dataclass(frozen=True)
class Shown:
    """`headers` are a mail's; `html` is for a frame of its own."""

    text: str | None = None
    html: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


def shown_of(row: MailboxMail) -> Shown:
    """What is to be seen of it."""
    match channel_of(row):
        case "email":
            return _mail(row.raw)
        case "post":
            return Shown(html=row.raw.decode())
        case "webhook":
            return Shown(text=json.dumps(json.loads(row.raw), ensure_ascii=False, indent=2))
        case _:
            return Shown(text=row.raw.decode())


def _mail(raw: bytes) -> Shown:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)  # what that policy makes
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return Shown(
        text=None if text is None else text.get_content(),
        html=None if html is None else html.get_content(),
        headers=tuple((name, str(value)) for name, value in message.items()),
    )

"""A finished mail taken apart again, for providers that want fields and not bytes.

What they build from the fields is another mail with the same sender, recipient, subject,
texts and headers. Only SMTP and SES send our very bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage

from activities.providers.outcome import Mail

# Headers that every API sets from its own fields; all others go along as they are.
_OWN_FIELDS = frozenset(
    {"from", "to", "subject", "reply-to", "mime-version", "content-type", "date"}
)


@dataclass(frozen=True)
class Parts:
    """The mail in fields. `sender` and `reply_to` are whole headers: a name and an address."""

    sender: Address
    reply_to: Address | None
    subject: str
    text: str | None
    html: str | None
    headers: Mapping[str, str]


def take_apart(mail: Mail) -> Parts:
    """The parts of a mail that `rendering.mail` has built."""
    parsed = message_from_bytes(mail.raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    sender = _address(parsed, "From")
    assert sender is not None  # every mail is from somebody
    return Parts(
        sender=sender,
        reply_to=_address(parsed, "Reply-To"),
        subject=str(parsed["Subject"]),
        text=_text(parsed, "plain"),
        html=_text(parsed, "html"),
        headers={
            name: str(value) for name, value in parsed.items() if name.lower() not in _OWN_FIELDS
        },
    )


def _address(parsed: EmailMessage, name: str) -> Address | None:
    header = parsed[name]
    if header is None:
        return None
    found: Address = header.addresses[0]
    return found


def _text(parsed: EmailMessage, kind: str) -> str | None:
    part = parsed.get_body((kind,))
    if part is None:
        return None
    content: str = part.get_content()
    return content.replace("\r\n", "\n")

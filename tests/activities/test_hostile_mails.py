"""Names, subjects and traits that somebody made to break mail, through a real mail server.

Each mail is worded from a customer's own data by the project's templates, handed over, and
compared with the plan as the server received it: a reader that we did not write.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import getaddresses
from typing import Any

import pytest

from activities.providers.outcome import Mail
from activities.providers.parts import take_apart
from rendering.errors import MailRefused
from rendering.mail import build_mail
from rendering.messages import MessageContext, MessageSource, render_email
from rendering.senders import compile_sender
from store.json_text import keepable
from tests.activities.test_smtp import Handler, mail_server

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
LEAVE = "https://acme.example/u/" + "a" * 120
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post",
    "MIME-Version", "Content-Type",
]  # fmt: skip
SOURCE = MessageSource(
    "tip",
    {
        "subject.txt": "{{ customer.name }}: {{ customer.company }}",
        "email.html": "<p>Hello {{ customer.name }}</p><pre>{{ customer.note }}</pre>",
        "email.txt": "Hello {{ customer.name }}\n{{ customer.note }}\n",
    },
    {},
)
SENDER = compile_sender("customer.representative")

# What each attack is made of: line ends in all spellings, the end of a mail, encoded words that
# hold headers (CVE-2024-6923), separators of addresses and parts, directions of text.
SHARDS = (
    "\r\n", "\n", "\r", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\ud800",
    "\u202e", "\u2066", "\r\n.\r\n", "\n.\n", "\r.\r", ".", "..", "\r\n\r\n", "=\r\n", "=0D=0A",
    "\r\nBcc: evil@x.example", "\nBcc: evil@x.example\n", "%0d%0aBcc: evil@x.example",
    "=?utf-8?q?a=0d=0aBcc:_evil@x.example?=", "=?utf-8?b?DQpCY2M6IGV2aWxAeC5leGFtcGxl?=",
    "=?utf-8?q?", "?=", "=?", "\r\nMAIL FROM:<evil@x.example>\r\n", "RCPT TO:<evil@x.example>",
    "DATA", "QUIT\r\n", "<evil@x.example>", "evil@x.example,", ",", ";", ":", "<", ">", '"', "\\",
    "(", ")", "[", "]", "@", "=", "?", "--=_next_part", "--=_next_part--", "\r\n--=_next_part\r\n",
    "Content-Type: text/html", "From nobody", "From: ceo@acme.example", "é", "日本語", "🎉",
    "👩‍👩‍👧", "a\u0301", "ﷺ", "a", "Ann", " ", "  ", "\t", "\xa0", "x" * 90, "é" * 90, "w" * 1_100,
    "{{ 7 * 7 }}", "{% raw %}", "<script>", "&amp;", "</pre>", "${x}", "%s", "'; --",
)  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    """What a customer calls themselves, and who is said to write to them."""

    number: int
    traits: dict[str, Any]


def hostile(many: int) -> Iterator[Hostile]:
    """The same ones every time."""
    draw = random.Random(6923)
    for number in range(many):
        name, company, note, by = (
            "".join(draw.choices(SHARDS, k=draw.randint(1, 8))) for _ in range(4)
        )
        representative = {"name": by, "email": "ann@acme.example"}
        traits = {"name": name, "company": company, "note": note, "representative": representative}
        yield Hostile(number, keepable(traits))  # as the store keeps what an app sends


def mail_to(customer: Hostile) -> Mail:
    """The mail as `deliver` words it."""
    sender = SENDER.find(customer.traits, {})
    assert sender is not None
    email = render_email(SOURCE, _context(customer))
    recipient = f"r{customer.number}@reader.example"
    raw = build_mail(
        email,
        sender_name=sender.name,
        sender_email=sender.email,
        recipient=recipient,
        reply_to=None,
        message_id=f"<m{customer.number}.parcours@acme.example>",
        date=NOW,
        headers={
            "List-Unsubscribe": f"<{LEAVE}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
    return Mail(f"k{customer.number}", sender.email, recipient, email.subject, raw, "c1")


def _context(customer: Hostile) -> MessageContext:
    return MessageContext(
        customer=customer.traits,
        event={},
        start_event={},
        journey="trial",
        step="tip",
        sender={"name": "Acme", "email": "hello@acme.example", "reply_to": None},
        policy={"postal_address": "1 Main Street"},
        links={"unsubscribe": LEAVE, "preferences": None},
        now=NOW,
        offer=None,
        locale="en",
        default_locale="en",
        timezone="UTC",
    )


def plain(text: object) -> str:
    """What a person reads of it: without space, quotes and what can't be seen."""
    return re.sub(r'[\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffd\\"]', "",
                  str(text))  # fmt: skip


def differences(mail: Mail, got: tuple[str, list[str], bytes]) -> list[str]:
    """Whatever the server received otherwise than it was planned."""
    sender, recipients, content = got
    head, _, body = content.partition(b"\r\n\r\n")
    lines = head.decode("ascii").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")
    fields = [line.partition(": ") for line in lines]
    said = {name: value for name, _, value in fields}
    parts = body.count(b"\r\n--=_next_part\r\n") + body.startswith(b"--=_next_part\r\n")
    number = mail.recipient.partition("@")[0].removeprefix("r")
    checks = {
        "envelope": (sender, recipients) == ("ann@acme.example", [mail.recipient]),
        "bytes": content == mail.raw,
        "line ends": not re.search(rb"(?<!\r)\n|\r(?!\n)", content),
        "headers": [name for name, _, _ in fields] == HEADERS,
        "to": said.get("To") == mail.recipient,
        "from": [a for _, a in getaddresses([said.get("From", "")])] == ["ann@acme.example"],
        "message id": said.get("Message-ID") == f"<m{number}.parcours@acme.example>",
        "leave": said.get("List-Unsubscribe") == f"<{LEAVE}>",
        "subject": plain(mail.subject) == _subject(said),
        "parts": parts == 2,
    }
    return [what for what, is_so in checks.items() if not is_so]


def _subject(said: dict[str, str]) -> str:
    return plain(make_header(decode_header(said.get("Subject", ""))))


@pytest.mark.parametrize("many", [200, pytest.param(20_000, marks=pytest.mark.wide)])
async def test_what_the_server_receives_is_what_was_planned(many: int) -> None:
    handler, wrong = Handler(), []
    async with mail_server(handler) as provider:
        for customer in hostile(many):
            mail = mail_to(customer)
            await provider.send(mail)
            received, handler.mails = handler.mails, []
            if len(received) != 1:
                wrong.append(f"{customer}: {len(received)} mails by one call")
            wrong += [f"{customer}: {what}" for got in received for what in differences(mail, got)]
    assert wrong == []


async def test_a_mail_that_was_tampered_with_is_found_out() -> None:
    """The known-bad control: each of these is a difference that the test above would see."""
    mail = mail_to(next(hostile(1)))
    right = ("ann@acme.example", [mail.recipient], mail.raw)
    assert differences(mail, right) == []
    for old, new, found in (
        (b"\r\nSubject:", b"\r\nBcc: evil@x.example\r\nSubject:", "headers"),
        (b"To: r0@", b"To: evil@", "to"),
        (b"<ann@acme.example>", b"<evil@x.example>", "from"),
        (b"--=_next_part--", b"--=_next_part\r\n\r\nevil\r\n--=_next_part--", "parts"),
        (b"\r\nDate", b"\nDate", "line ends"),
        (b"\r\nSubject: ", b"\r\nSubject: other ", "bytes"),
    ):
        assert old in mail.raw
        assert found in differences(mail, (*right[:2], mail.raw.replace(old, new)))
    assert "envelope" in differences(mail, (right[0], [*right[1], "evil@x.example"], mail.raw))


@pytest.mark.parametrize("many", [50, pytest.param(20_000, marks=pytest.mark.wide)])
def test_what_apis_are_given_in_fields_says_the_same(many: int) -> None:
    for customer in hostile(many):
        mail = mail_to(customer)
        parts = take_apart(mail)
        parsed = message_from_bytes(mail.raw, policy=default)
        assert isinstance(parsed, EmailMessage)
        assert parts.sender.addr_spec == "ann@acme.example"
        assert not re.search(r"[\r\n\0]", parts.subject + parts.sender.display_name)
        assert list(parts.headers) == ["Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"]
        assert parts.headers["List-Unsubscribe"] == f"<{LEAVE}>"
        assert parts.subject == parsed["Subject"]


@pytest.mark.parametrize("address", ["bob@x.example\r\nBcc: e@x.y", "a@b.example>,<e@x.y", "x"])
def test_an_address_that_is_two_is_refused(address: str) -> None:
    with pytest.raises(MailRefused):
        build_mail(
            render_email(SOURCE, _context(next(hostile(1)))),
            sender_name="Ann",
            sender_email="ann@acme.example",
            recipient=address,
            reply_to=None,
            message_id="<a.parcours@acme.example>",
            date=NOW,
            headers={},
        )

"""The bytes of a mail say what was planned, whatever the data, and are always the same."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import compat32, default
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import rendering.mail
from rendering.errors import MailRefused
from rendering.mail import build_mail
from rendering.messages import RenderedEmail

EMAIL = RenderedEmail("Your trial", "<p>Hello</p>", "Hello\n", "en")
UNSUBSCRIBE = {
    "List-Unsubscribe": f"<https://acme.example/u/{'a' * 300}>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}
HEADERS = ["From", "To", "Subject", "Date", "Message-ID"]
EVIL_SUBJECT = "=?utf-8?q?a=0d=0aBcc:_evil@x.example?="


def mail(email: RenderedEmail = EMAIL, **given: Any) -> bytes:
    values: dict[str, Any] = {
        "sender_name": "Ann Lee",
        "sender_email": "ann@acme.example",
        "recipient": "bob@customer.example",
        "reply_to": None,
        "message_id": "<abc.parcours@acme.example>",
        "date": datetime(2026, 11, 23, 9, tzinfo=UTC),
        "headers": {},
    }
    return build_mail(email, **{**values, **given})


def read(finished: bytes) -> EmailMessage:
    message = message_from_bytes(finished, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def with_subject(subject: str) -> RenderedEmail:
    return RenderedEmail(subject, EMAIL.html, EMAIL.text, "en")


def test_a_mail_is_what_was_asked_for() -> None:
    message = read(mail(reply_to="help@acme.example", headers=UNSUBSCRIBE))
    assert message.keys() == [
        *HEADERS, "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version",
        "Content-Type",
    ]  # fmt: skip
    assert message["From"] == "Ann Lee <ann@acme.example>"
    assert message["To"] == "bob@customer.example"
    assert message["Subject"] == "Your trial"
    assert message["Date"] == "Mon, 23 Nov 2026 09:00:00 +0000"
    assert message["Message-ID"] == "<abc.parcours@acme.example>"
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert text.get_content() == "Hello\r\n"
    assert html.get_content() == "<p>Hello</p>\r\n"


def test_the_same_input_gives_the_same_bytes() -> None:
    assert mail() == mail()
    assert mail() != mail(message_id="<other.parcours@acme.example>")


def test_lines_end_in_crlf_and_are_ascii_and_short_enough() -> None:
    finished = mail(
        RenderedEmail("Été " * 40, "<p>" + "é" * 5_000, "\r\n.\rFrom x\n" + "é" * 5_000, "fr"),
        sender_name="É" * 500,
        headers=UNSUBSCRIBE,
    )
    assert finished.isascii()
    assert b"\n" not in finished.replace(b"\r\n", b"")
    assert b"\r" not in finished.replace(b"\r\n", b"")
    assert max(map(len, finished.split(b"\r\n"))) <= 998


def test_a_long_link_in_a_header_stays_in_one_piece() -> None:
    line = f"List-Unsubscribe: {UNSUBSCRIBE['List-Unsubscribe']}\r\n".encode()
    assert line in mail(headers=UNSUBSCRIBE)


def test_no_text_can_end_its_part() -> None:
    boundary = read(mail()).get_boundary()
    assert boundary is not None
    hostile = f"x\n--{boundary}\nContent-Type: text/html\n\nevil\n--{boundary}--\n"
    message = read(mail(RenderedEmail("s", hostile, hostile, "en")))
    assert len(list(message.iter_parts())) == 2
    assert message.get_boundary() == boundary


def test_a_subject_that_decodes_to_a_header_adds_none() -> None:
    """CVE-2024-6923, which this Python may have."""
    for finished in (mail(with_subject(EVIL_SUBJECT)), mail(sender_name=EVIL_SUBJECT)):
        assert "Bcc" not in read(finished)
        assert b"\nBcc" not in finished
        assert b"=?utf-8?q?a=0d" not in finished


def test_the_finished_bytes_are_compared_with_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were data not defused, the comparison would still refuse the mail."""

    def forged(name: str, value: str) -> str:
        return value.replace("|", "\r\n").replace("é", "e")

    monkeypatch.setattr(rendering.mail, "_encoded", forged)
    for subject in ("é|Bcc: evil@x.example", "é|X-Other: 1", "é||<p>body", "é|Subject: other"):
        with pytest.raises(MailRefused, match="than planned"):
            mail(with_subject(subject))
    with pytest.raises(MailRefused, match="another name or address"):
        mail(sender_name="é <evil@x.example>,")


@pytest.mark.parametrize(
    "evil",
    [
        "x\r\n--{}\r\nContent-Type: text/html\r\n\r\nevil\r\n",
        "x\r\n--{}--\r\n",
        "x\n--{}\n\nevil",
        "--{} \r\n",
    ],
)
def test_another_part_is_found_in_the_finished_bytes(
    monkeypatch: pytest.MonkeyPatch, evil: str
) -> None:
    """Were `=` not encoded, the comparison would still refuse the mail."""
    monkeypatch.setattr(rendering.mail, "_quoted", str.encode)
    assert mail(RenderedEmail("s", "<p>fine</p>\r\n", "fine\r\n", "en"))
    text = evil.format(read(mail()).get_boundary())
    for email in (RenderedEmail("s", text, "fine", "en"), RenderedEmail("s", "fine", text, "en")):
        with pytest.raises(MailRefused, match="other parts than planned"):
            mail(email)


_SHARDS = (
    "\r", "\n", "\0", "\u2028", "\ud800", "\x85", "\u202e", "=?utf-8?q?", "?=", "=0d=0a", "=", "?",
    "Bcc: e@x.y", "\r\nBcc: e@x.y", "e@x.example", "<", ">", '"', "\\", ",", ";", ":", "@", "(",
    ")", "é", "日本", "🎉", "a", " ", "  ", "\t", "x" * 90,
)  # fmt: skip
hostile_text = st.text(max_size=120) | st.lists(st.sampled_from(_SHARDS), max_size=12).map("".join)


@given(subject=hostile_text, name=hostile_text, text=hostile_text, html=hostile_text)
@settings(max_examples=300, deadline=None)
@example(subject="\ud800", name="=" + "=??=" * 20, text="\ud800", html="\0")
@example(subject="a" * 300, name="Lee, Ann " * 30, text="", html="")
@example(subject="é" * 300, name='"É" <e@x.example>, ' * 4, text=".", html=".")
@example(subject=" ", name=" ", text="--=_next_part", html="\r\r\n")
@example(subject="", name="", text="x" * 73 + " \n", html="\t".join(["x" * 74, "", "\n"]))
def test_hostile_data_never_changes_headers_or_recipients(
    subject: str, name: str, text: str, html: str
) -> None:
    finished = mail(RenderedEmail(subject, html, text, "en"), sender_name=name, headers=UNSUBSCRIBE)
    message = read(finished)
    assert message.keys() == [*HEADERS, *UNSUBSCRIBE, "MIME-Version", "Content-Type"]
    assert message_from_bytes(finished, policy=compat32).keys() == message.keys()
    assert [a.addr_spec for a in message["From"].addresses] == ["ann@acme.example"]
    assert [a.addr_spec for a in message["To"].addresses] == ["bob@customer.example"]
    assert [p.get_content_type() for p in message.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip
    parts = finished.partition(b"\r\n\r\n")[2]
    assert max(map(len, parts.split(b"\r\n"))) <= 76  # RFC 2045, 6.7, rule 5


@given(text=hostile_text, html=hostile_text)
@settings(max_examples=200, deadline=None)
@example(text="trailing \t\n spaces \n", html="\n\n")
@example(text="", html="1 = 2\n.\nFrom x\n")
def test_what_a_part_says_arrives_as_it_is(text: str, html: str) -> None:
    for part, said in zip(
        read(mail(RenderedEmail("s", html, text, "en"))).iter_parts(), (text, html), strict=True
    ):
        assert isinstance(part, EmailMessage)
        told = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", re.sub("\r\n?", "\n", said))
        told = re.sub("[\ud800-\udfff]", "\ufffd", told).removesuffix("\n") + "\n"
        assert part.get_content() == told.replace("\n", "\r\n")


@given(name=st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=60))
@settings(max_examples=200, deadline=None)
@example(name='Lee, Ann "The Boss" (Sales)')
@example(name="Élodie Müller-Ångström, directrice de la relation clientèle")
@example(name="株式会社パルクール、カスタマーサクセス部、田中太郎")
def test_an_ordinary_name_arrives_as_it_is(name: str) -> None:
    # The older reader, since the newer one breaks a long name in two (a space too many).
    raw = message_from_bytes(mail(sender_name=name), policy=compat32)["From"]
    shown = str(make_header(decode_header(parseaddr(raw.replace("\r\n", ""))[0])))
    assert shown == " ".join(name.replace("=?", "= ?").split())


@pytest.mark.parametrize(
    "recipient",
    [
        "", "bob", "bob@", "@x.example", "bob@x", "a b@x.example", "bob@x.example,e@y.example",
        "bob@x.example\r\nBcc: e@y.example", '"bob"@x.example', "Bob <bob@x.example>",
        "bob@@x.example",
        "bob@x..example", ".bob@x.example", "bob@[127.0.0.1]", "bob@127.0.0.1", "böb@x.example",
        "bob@x.example (c)", "a" * 65 + "@x.example", "a@" + "x" * 300 + ".example",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_and_not_quoted(recipient: str) -> None:
    with pytest.raises(MailRefused, match="the recipient's address") as caught:
        mail(recipient=recipient)
    assert not recipient or recipient not in str(caught.value)


def test_a_domain_in_other_letters_is_written_in_punycode() -> None:
    assert read(mail(recipient="bob@münchen.example"))["To"] == "bob@xn--mnchen-3ya.example"


@pytest.mark.parametrize(
    "headers",
    [
        {"Bcc": "e@x.example"}, {"bcc": "e@x.example"}, {"To": "e@x.example"}, {"Subject": "x"},
        {"Content-Type": "text/html"}, {"X Y": "1"}, {"X-A:": "1"}, {"": "1"}, {"X-A\r\nBcc": "1"},
        {"X-A": "1\r\nBcc: e@x.example"}, {"X-A": "é"}, {"X-A": ""}, {"X-A": "x" * 1_000},
    ],
)  # fmt: skip
def test_extra_headers_can_t_say_what_is_not_theirs(headers: Mapping[str, str]) -> None:
    with pytest.raises(MailRefused):
        mail(headers=headers)


@pytest.mark.parametrize("message_id", ["abc", "<abc>", "<a b@x>", "<a@x>\r\nBcc: e@x.example"])
def test_a_message_id_has_one_form(message_id: str) -> None:
    with pytest.raises(MailRefused, match="Message-ID"):
        mail(message_id=message_id)


def test_a_date_without_a_zone_is_our_bug() -> None:
    with pytest.raises(ValueError, match="needs a zone"):
        mail(date=datetime(2026, 11, 23))  # noqa: DTZ001 - what is being refused

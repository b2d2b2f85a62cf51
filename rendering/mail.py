"""The bytes of a mail, the same for the same input, saying what was planned and no more.

Decides how a worded e-mail is written down (RFC 5322, MIME); knows no customer and no
provider. The surprising fact: it trusts neither names nor subjects nor Python's e-mail
package. Python 3.11.7 turns a subject that merely looks like an encoded word into a real
header (CVE-2024-6923), so data is defused first, and the finished bytes are read back and
compared with the plan.
"""

import re
from binascii import b2a_qp
from collections.abc import Mapping
from datetime import datetime
from email.header import Header
from email.headerregistry import Address, HeaderRegistry
from email.parser import BytesHeaderParser
from email.policy import default
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from engine.addresses import ascii_email
from rendering.errors import MailRefused
from rendering.messages import RenderedEmail

# Lines of a header may have 998 characters (RFC 5322, 2.1.1); names and values beyond this
# are somebody's attack or mistake.
_MAX_VALUE = 900
# What an inbox shows of a name; longer ones are only ever data gone wrong.
_MAX_NAME = 80

# With those that turn the direction of text, by which a name can show another address.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
_CONTROLS_OF_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9._+=~-]{1,200}@[A-Za-z0-9.-]{1,200}>")
# In no text of a part, whatever it says: there `=` is written `=3D` (RFC 2045, 6.7).
_BOUNDARY = "=_next_part"
_DELIMITER = f"--{_BOUNDARY}".encode()
_PLAIN, _HTML = (
    (
        f'\r\nContent-Type: text/{kind}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    ).encode()
    for kind in ("plain", "html")
)
# `b2a_qp` counts a space at a line's end as one character, and then writes three of them.
_TOO_LONG = re.compile(rb"^(.{74,75})(=20|=09)(?=\r\n)", re.MULTILINE)
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
# What only this file may say.
_OURS = frozenset(
    {"from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date", "message-id"}
    | {"mime-version", "return-path", "received"}
)


class _ParsedOnce(HeaderRegistry):
    """The package's own, which parses a header anew whenever somebody looks at it.

    That is a dozen times a mail for `Content-Type`, and took most of the reading.
    """

    def __call__(self, name: str, value: Any) -> Any:
        return _parsed(name, value)


@lru_cache(maxsize=64)  # one mail has some fifteen headers
def _parsed(name: str, value: str) -> Any:
    return default.header_factory(name, value)


_READER = BytesHeaderParser(policy=default.clone(header_factory=_ParsedOnce()))


def build_mail(
    email: RenderedEmail,
    *,
    sender_name: str,
    sender_email: str,
    recipient: str,
    reply_to: str | None,
    message_id: str,
    date: datetime,
    headers: Mapping[str, str],
) -> bytes:
    """The finished mail: multipart/alternative, UTF-8, CRLF.

    `message_id` is the whole header with its angle brackets; `date` is aware; `headers` are
    added as they are (List-Unsubscribe and the like). Raises MailRefused.
    """
    if not _MESSAGE_ID.fullmatch(message_id):
        raise MailRefused("the Message-ID is not of the form `<key@domain>`")
    if date.tzinfo is None:
        raise ValueError("the date of a mail needs a zone")
    sender = Address(_name(sender_name), *_address("sender", sender_email).split("@"))
    planned = {
        "From": str(sender),
        "To": _address("recipient", recipient),
        "Subject": _defused(email.subject)[:_MAX_VALUE],
        "Date": format_datetime(date),
        "Message-ID": message_id,
    }
    if reply_to is not None:
        planned["Reply-To"] = _address("reply-to", reply_to)
    planned |= {name: _extra(name, value) for name, value in headers.items()}

    written = {name: _header(name, value) for name, value in planned.items()}
    if not planned["From"].isascii():
        written["From"] = f"{_encoded('From', sender.display_name)} <{sender.addr_spec}>"
    finished = _message(written, email)
    _compare(finished, planned)
    return finished


def _header(name: str, value: str) -> str:
    """A value as it is if it is ASCII, else as encoded words. No other folding is needed.

    The package's own breaks long URLs into encoded words (List-Unsubscribe), and drops
    quotes of long names.
    """
    return value if value.isascii() else _encoded(name, value)


def _encoded(name: str, value: str) -> str:
    return Header(value, "utf-8", header_name=name).encode(linesep="\r\n")


def _message(headers: Mapping[str, str], email: RenderedEmail) -> bytes:
    """Written here, since the package takes a millisecond to write the same."""
    head = {
        **headers,
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{_BOUNDARY}"',
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    parts = (b"", _PLAIN + _quoted(email.text), _HTML + _quoted(email.html), b"--\r\n")
    return lines.encode("ascii") + b"\r\n" + _DELIMITER.join(parts)


def _quoted(text: str) -> bytes:
    return _TOO_LONG.sub(rb"\1=\r\n\2", b2a_qp(_body(text).encode())) + b"\r\n"


def _defused(text: str) -> str:
    """One line of text without controls, and without what decodes to something else."""
    line = _SURROGATES.sub("\ufffd", _CONTROLS.sub(" ", text))
    return line.replace("=?", "= ?").strip()  # a space, since removing might join new ones


def _name(text: str) -> str:
    name = " ".join(_defused(text).split())
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1].rstrip()}…"


def _address(role: str, text: str) -> str:
    address = ascii_email(text)
    if address is None:  # not quoted: it may be a customer's
        raise MailRefused(f"the {role}'s address is not one that mail can be sent to")
    return address


def _extra(name: str, value: str) -> str:
    if not _HEADER_NAME.fullmatch(name) or name.lower().startswith("content-"):
        raise MailRefused(f"`{name}` can't be the name of an extra header")
    if name.lower() in _OURS:
        raise MailRefused(f"`{name}` is not an extra header")
    if not (value.isascii() and value.isprintable() and 0 < len(value) <= _MAX_VALUE):
        raise MailRefused(f"the value of `{name}` is not one line of ASCII")
    return value


def _body(text: str) -> str:
    """The text without controls, its lines ending in CRLF, the last one too."""
    text = _CONTROLS_OF_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _SURROGATES.sub("\ufffd", text).removesuffix("\n")
    return text.replace("\n", "\r\n") + "\r\n"


def _compare(finished: bytes, planned: Mapping[str, str]) -> None:
    """Read the mail as a stranger would. Raises MailRefused unless it says what was planned."""
    head, _, body = finished.partition(b"\r\n\r\n")
    read = _READER.parsebytes(head + b"\r\n\r\n")
    names = [name for name in read if name not in ("MIME-Version", "Content-Type")]
    if names != list(planned) or read.defects:
        raise MailRefused("the finished mail has other headers than planned")
    for name in ("From", "To", "Reply-To"):
        if name in planned:
            person, _, address = planned[name].rpartition("<")
            seen = [(_bare(each.display_name), each.addr_spec) for each in read[name].addresses]
            if seen != [(_bare(person), address.rstrip(">"))]:
                raise MailRefused(f"the finished mail has another name or address in `{name}`")
    if _bare(str(read["Subject"])) != _bare(planned["Subject"]):
        raise MailRefused("the finished mail has another subject than planned")
    # The delimiter is found wherever it stands, where a reader looks for whole lines only.
    match body.split(_DELIMITER):
        case [b"", plain, html, b"--\r\n"]:
            is_planned = plain.startswith(_PLAIN) and html.startswith(_HTML)
        case _:
            is_planned = False
    whole = (read.get_content_type(), read.get_boundary())
    if not is_planned or whole != ("multipart/alternative", _BOUNDARY):
        raise MailRefused("the finished mail has other parts than planned")


def _bare(text: str) -> str:
    """Without space and quoting: Python 3.11 reads a space between two encoded words of a name."""
    return re.sub(r'[\s\\"]', "", text)

"""What an e-mail address may look like.

Decides whether mail can be sent there at all; whether somebody reads it, only sending can
tell. The surprising fact: stricter than RFC 5321, which allows quoted local parts with
spaces, routes and comments. Those are how a mail is smuggled to somebody else.
"""

import re

# A dot-atom of at most 64 characters (RFC 5322, 3.2.3; RFC 5321, 4.5.3.1.1), then a host
# name with at least one dot whose last label is not a number (RFC 1123, 2.1).
_EMAIL = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"(?=[^.]*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])"
)
_LONGEST = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets


def ascii_email(text: str) -> str | None:
    """The address as mail servers take it, or None if mail can't be sent there.

    A domain in other letters is written in punycode (`münchen.example` is
    `xn--mnchen-3ya.example`); surrounding space is dropped, nothing else is repaired.
    """
    local, at, domain = text.strip(" \t\r\n").rpartition("@")
    # Checked first: encoding a very long domain takes very long.
    if not at or len(local) + len(domain) >= _LONGEST:
        return None
    try:
        address = f"{local}@{domain if domain.isascii() else domain.encode('idna').decode()}"
    except UnicodeError:
        return None
    return address if len(address) <= _LONGEST and _EMAIL.fullmatch(address) else None


def valid_email(text: str) -> bool:
    """Whether mail can be sent there at all."""
    return ascii_email(text) is not None

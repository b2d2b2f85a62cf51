"""The message key as providers carry it and bring it back: in named fields, in pieces.

Whoever sends puts it in, whoever hears what became of a message takes it out, so both ways
stand here. The surprising fact: a key has up to 256 characters, and some providers' fields
fewer than half of that, or no `:` and no `/`.
"""

import base64
import binascii
from collections.abc import Mapping

_FIELD = "message-key"


def carried(key: str, longest: int) -> dict[str, str]:
    """Fields of at most `longest` characters each: `message-key`, `message-key-2`, …"""
    pieces = [key[start : start + longest] for start in range(0, len(key), longest)]
    return {_name(number): piece for number, piece in enumerate(pieces, start=1)}


def key_carried(fields: Mapping[str, object]) -> str | None:
    """The key in a provider's fields, among whatever else is there; None if there is none."""
    pieces: list[str] = []
    while isinstance(piece := fields.get(_name(len(pieces) + 1)), str):
        pieces.append(piece)
    return "".join(pieces) or None


def plain(key: str) -> str:
    """The key in letters, digits, `-` and `_` alone (RFC 4648, 5)."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def from_plain(text: str) -> str | None:
    """The key that `plain` made this of; None if it made no such text."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        key = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (UnicodeError, binascii.Error):
        return None
    return key if plain(key) == text else None


def _name(number: int) -> str:
    return _FIELD if number == 1 else f"{_FIELD}-{number}"

"""The links in messages: made for one message, read by the API when its reader follows them.

A link names whom it is about and what it is for, signed, so that nobody can unsubscribe
another, and so that a click leads only where we sent people (no open redirect). It never
runs out: a mail may be found after years, and its link must still work. Keys may be changed:
the newest signs, the older ones are still read. The one surprising fact: whoever has the link
may use it, without logging in (RFC 8058, section 3.1), so it says nothing that the mail it is
in does not say.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from rendering.errors import RenderingError


class Purpose(StrEnum):
    """What a link is for. A signature for one purpose is no use for another."""

    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    CONFIRM = "confirm"
    CLICK = "click"
    OPEN = "open"


# Short, for they stand in text messages too.
_PATHS = {
    Purpose.UNSUBSCRIBE: "u",
    Purpose.PREFERENCES: "p",
    Purpose.CONFIRM: "s",
    Purpose.CLICK: "c",
    Purpose.OPEN: "o",
}


class BadLinkError(RenderingError):
    """A link that was not made here: altered, cut off, or signed with another key."""


@dataclass(frozen=True)
class Unsubscribe:
    """Whom a link unsubscribes, and from what; `topic` None means all marketing."""

    customer_id: str
    topic: str | None


@dataclass(frozen=True)
class Preferences:
    """Whose choices a link shows, to be changed."""

    customer_id: str


@dataclass(frozen=True)
class Confirm:
    """Who asked to subscribe to what, by which channel (None: all); the link says yes."""

    customer_id: str
    topic: str
    channel: str | None


@dataclass(frozen=True)
class Click:
    """A link of a message: where it leads, and which message it stands in."""

    message_key: str
    url: str


@dataclass(frozen=True)
class Open:
    """The picture of one pixel that a message holds."""

    message_key: str


Link = Unsubscribe | Preferences | Confirm | Click | Open

_PURPOSE_OF: dict[type[Link], Purpose] = {
    Unsubscribe: Purpose.UNSUBSCRIBE,
    Preferences: Purpose.PREFERENCES,
    Confirm: Purpose.CONFIRM,
    Click: Purpose.CLICK,
    Open: Purpose.OPEN,
}


class Links:
    """Makes and reads the links of one installation.

    `secrets`: the key that signs, then those that signed before it and are still believed.
    """

    def __init__(self, public_url: str, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("without a key anybody could make links")
        self.base = f"{public_url.rstrip('/')}/"
        # The package signs with the last of its keys, and tries them all from there.
        keys = list(reversed(secrets))
        self._serializers = {
            purpose: URLSafeSerializer(
                keys,
                salt=purpose.value,
                # In place of the package's SHA-1; keys are at least as long as its output.
                signer_kwargs={"digest_method": hashlib.sha256},
            )
            for purpose in Purpose
        }

    def url(self, link: Link) -> str:
        """The address to follow."""
        return f"{self.base}{_PATHS[_PURPOSE_OF[type(link)]]}/{self.token(link)}"

    def token(self, link: Link) -> str:
        """What stands last in the address."""
        token = self._serializers[_PURPOSE_OF[type(link)]].dumps(_said(link))
        return token.decode() if isinstance(token, bytes) else token

    def unsubscribe(self, token: str) -> Unsubscribe:
        """What a token of this purpose says. Raises BadLinkError, as do the others."""
        match self._read(Purpose.UNSUBSCRIBE, token):
            case [str(customer_id), str() | None as topic]:
                return Unsubscribe(customer_id, topic)
        raise _other_version()

    def preferences(self, token: str) -> Preferences:
        match self._read(Purpose.PREFERENCES, token):
            case [str(customer_id)]:
                return Preferences(customer_id)
        raise _other_version()

    def confirm(self, token: str) -> Confirm:
        match self._read(Purpose.CONFIRM, token):
            case [str(customer_id), str(topic), str() | None as channel]:
                return Confirm(customer_id, topic, channel)
        raise _other_version()

    def click(self, token: str) -> Click:
        match self._read(Purpose.CLICK, token):
            case [str(message_key), str(url)]:
                return Click(message_key, url)
        raise _other_version()

    def open(self, token: str) -> Open:
        match self._read(Purpose.OPEN, token):
            case [str(message_key)]:
                return Open(message_key)
        raise _other_version()

    def _read(self, purpose: Purpose, token: str) -> Any:
        try:
            said = self._serializers[purpose].loads(token)
        except BadData:
            raise BadLinkError("the link is not complete, or was not made here") from None
        # The last letter of a signature has bits to spare: of its spellings only ours will do.
        signature = token.rpartition(".")[2]
        if base64_encode(base64_decode(signature)).decode() != signature:
            raise BadLinkError("the link was altered")
        return said


def _said(link: Link) -> list[str | None]:
    match link:
        case Unsubscribe():
            return [link.customer_id, link.topic]
        case Preferences():
            return [link.customer_id]
        case Confirm():
            return [link.customer_id, link.topic, link.channel]
        case Click():
            return [link.message_key, link.url]
        case Open():
            return [link.message_key]


def _other_version() -> BadLinkError:
    return BadLinkError("the link was made by another version")

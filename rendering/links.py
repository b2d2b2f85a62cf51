"""The links in messages by which a customer leaves a topic: made for a mail, read by the API.

A link names the customer and the topic, signed, so that nobody can unsubscribe another. It
never runs out: a mail may be found after years, and its link must still work. The one
surprising fact: whoever has the link may use it, without logging in (RFC 8058, section 3.1),
so it says nothing that the mail it is in does not say.
"""

import hashlib
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeSerializer

from rendering.errors import RenderingError

# Signatures for another purpose are no use here, and the other way round.
_SALT = "unsubscribe"


class BadLinkError(RenderingError):
    """A link that was not made here: altered, cut off, or signed with another key."""


@dataclass(frozen=True)
class Unsubscribe:
    """Whom a link unsubscribes, and from what; `topic` None means all marketing."""

    customer_id: str
    topic: str | None


class UnsubscribeLinks:
    """Makes and reads the links of one installation. `secret` signs them."""

    def __init__(self, public_url: str, secret: str) -> None:
        self._base = f"{public_url.rstrip('/')}/u/"
        # SHA-256 in place of the package's SHA-1; the key is at least as long as its output.
        self._serializer = URLSafeSerializer(
            secret, salt=_SALT, signer_kwargs={"digest_method": hashlib.sha256}
        )

    def url(self, customer_id: str, topic: str | None) -> str:
        """The link, for `List-Unsubscribe` and the foot of a mail."""
        return self._base + self.token(Unsubscribe(customer_id, topic))

    def token(self, what: Unsubscribe) -> str:
        """What follows `/u/` in the link."""
        token = self._serializer.dumps([what.customer_id, what.topic])
        return token.decode() if isinstance(token, bytes) else token

    def read(self, token: str) -> Unsubscribe:
        """What the token says. Raises BadLinkError."""
        try:
            said = self._serializer.loads(token)
        except BadData:
            raise BadLinkError("the link is not complete, or was not made here") from None
        match said:
            case [str(customer_id), str() | None as topic]:
                return Unsubscribe(customer_id, topic)
            case _:
                raise BadLinkError("the link was made by another version")

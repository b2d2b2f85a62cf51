"""What a provider is given and what it may answer, the same for all.

Every failure is classified once, here at the border: certainly not sent (`NotTaken`, try
again), certainly refused (`Refused`, settle), or nobody knows (`Ambiguous`).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True)
class Mail:
    """A finished mail. `key` is the message key, the same at every attempt; so are the bytes.

    `sender` and `recipient` are bare addresses, those of the SMTP envelope.
    """

    key: str
    sender: str
    recipient: str
    subject: str
    raw: bytes
    customer_id: str


@dataclass(frozen=True)
class Accepted:
    """The provider has it and will deliver it."""

    provider_message_id: str | None = None


@dataclass(frozen=True)
class Refused:
    """The provider will never take this mail. `bad_address`: nor any other to that address."""

    detail: str
    bad_address: bool = False


class ProviderTrouble(Exception):
    """The mail was not accepted, and not refused either."""


class NotTaken(ProviderTrouble):
    """Certainly not sent; another attempt is safe, not before `retry_after` if given."""

    def __init__(self, detail: str, retry_after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Ambiguous(ProviderTrouble):
    """It may have been sent: the answer was lost on its way back."""


class Provider(Protocol):
    """One way to send mail."""

    name: str
    # How long the provider remembers an idempotency key; None if it knows no keys.
    remembers_keys_for: timedelta | None

    async def send(self, mail: Mail) -> Accepted | Refused:
        """Hand the mail over. Raises NotTaken or Ambiguous."""
        ...

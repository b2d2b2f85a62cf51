"""What a provider is given (a `Parcel`) and what it may answer, the same for all.

Every failure is classified once, here at the border: certainly not sent (`NotTaken`, try
again), certainly refused (`Refused`, settle), or nobody knows (`Ambiguous`). The tables are
in docs/providers.md.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar, runtime_checkable

from engine.policy import LetterKind
from engine.postal import PostalAddress

# The whole of one hand-over, however many round trips: below the workflow's limit for an
# attempt, so that we learn what happened ourselves.
LIMIT = timedelta(seconds=30)


@dataclass(frozen=True)
class Mail:
    """A finished mail. `key` is the message key, the same at every attempt; so are the bytes.

    `sender` and `recipient` are bare ASCII addresses, those of the SMTP envelope.
    """

    key: str
    sender: str
    recipient: str
    subject: str
    raw: bytes
    customer_id: str


@dataclass(frozen=True)
class Sms:
    """A text message. `recipient` is E.164; without a `sender` it comes from the provider's own."""

    key: str
    sender: str | None
    recipient: str
    text: str
    customer_id: str


@dataclass(frozen=True)
class Letter:
    """Something to be printed: a page of HTML, of the size that its kind has."""

    key: str
    kind: LetterKind
    sender: PostalAddress
    recipient: PostalAddress
    html: str
    transactional: bool
    customer_id: str


@dataclass(frozen=True)
class HookCall:
    """A call of the webhook `hook` of the policy: `body` is JSON, signed as it is."""

    key: str
    hook: str
    url: str
    body: bytes
    transactional: bool
    customer_id: str


Parcel = Mail | Sms | Letter | HookCall


@dataclass(frozen=True)
class Accepted:
    """The provider has it and will deliver it."""

    provider_message_id: str | None = None


@dataclass(frozen=True)
class Refused:
    """The provider will never take this one. `bad_address`: nor any other to that address."""

    detail: str
    bad_address: bool = False


class ProviderTrouble(Exception):  # noqa: N818 - told by name
    """It was not accepted, and not refused either.

    `what` says it in words that everyone may read; `detail` may quote the provider, who may
    quote the customer, so it stays in the store.
    """

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.detail = f"{what}: {detail}" if detail else what


class NotTaken(ProviderTrouble):
    """Certainly not sent; another attempt is safe, not before `retry_after` if given."""

    def __init__(self, what: str, detail: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(what, detail)
        self.retry_after = retry_after


class Ambiguous(ProviderTrouble):
    """It may have been sent: the answer was lost on its way back."""


_Carried = TypeVar("_Carried", bound=Parcel, contravariant=True)


class Provider(Protocol[_Carried]):
    """One way to hand over what it carries: mail, text messages, letters, or calls."""

    name: str
    # How long after the first attempt the provider still knows its key, less what a request
    # may take on its way; None: it knows none.
    remembers_keys_for: timedelta | None

    async def send(self, parcel: _Carried, /) -> Accepted | Refused:
        """Hand it over, within LIMIT. Raises NotTaken or Ambiguous."""
        ...


@runtime_checkable
class Finds(Protocol[_Carried]):
    """Those who can be asked whether they took something. Only for providers without keys."""

    async def find(self, parcel: _Carried, /) -> Accepted | None:
        """It as the provider took it; None is no proof. Raises ProviderTrouble."""
        ...


# One among others: its channel says what it carries (`activities.packing`).
AnyProvider = Provider[Any]

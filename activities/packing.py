"""A parcel as the columns of its message row, and the other way round.

What is sent is always what the claim stored, so this is the one place that knows how: a
mail's body is its bytes, a text message's its text, a call's the JSON that is signed, and a
letter's a JSON object with everything that its provider needs. `address` is what
suppressions know it by.
"""

from dataclasses import dataclass
from typing import assert_never

from pydantic import BaseModel, ConfigDict

from activities.providers.outcome import HookCall, Letter, Mail, Parcel, Sms
from engine.policy import LetterKind
from engine.postal import PostalAddress
from store.tables import Message


@dataclass(frozen=True)
class Packed:
    """The columns of a parcel."""

    address: str
    body: bytes
    sender: str | None = None
    subject: str | None = None


class _StoredLetter(BaseModel):
    model_config = ConfigDict(frozen=True)

    kind: LetterKind
    sender: PostalAddress
    recipient: PostalAddress
    html: str


def pack(parcel: Parcel) -> Packed:
    """The columns to be claimed."""
    match parcel:
        case Mail():
            return Packed(
                address=parcel.recipient,
                body=parcel.raw,
                sender=parcel.sender,
                subject=parcel.subject,
            )
        case Sms():
            return Packed(address=parcel.recipient, body=parcel.text.encode(), sender=parcel.sender)
        case Letter():
            stored = _StoredLetter(
                kind=parcel.kind,
                sender=parcel.sender,
                recipient=parcel.recipient,
                html=parcel.html,
            )
            return Packed(address=parcel.recipient.line, body=stored.model_dump_json().encode())
        case HookCall():
            return Packed(address=parcel.url, body=parcel.body)
        case _:
            assert_never(parcel)


def unpack(row: Message) -> Parcel:
    """What a row claimed, the same at every attempt."""
    assert row.address is not None
    assert row.body is not None
    match row.channel:
        case "email":
            assert row.sender is not None
            return Mail(
                key=row.key,
                sender=row.sender,
                recipient=row.address,
                subject=row.subject or "",
                raw=row.body,
                customer_id=row.customer_id,
            )
        case "sms":
            return Sms(
                key=row.key,
                sender=row.sender,
                recipient=row.address,
                text=row.body.decode(),
                customer_id=row.customer_id,
            )
        case "post":
            stored = _StoredLetter.model_validate_json(row.body)
            return Letter(
                key=row.key,
                kind=stored.kind,
                sender=stored.sender,
                recipient=stored.recipient,
                html=stored.html,
                transactional=row.transactional,
                customer_id=row.customer_id,
            )
        case "webhook":
            assert row.message is not None
            return HookCall(
                key=row.key,
                hook=row.message,
                url=row.address,
                body=row.body,
                transactional=row.transactional,
                customer_id=row.customer_id,
            )
        case other:
            raise ValueError(f"nothing is claimed for the channel {other}")

"""What was decided for each step, what went out, and what became of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, LargeBinary, false, text
from sqlmodel import Field

from engine.delivery_status import DeliveryStatus
from engine.reasons import Decision, Reason
from store.tables.columns import EXACT, JSON_VALUE, ROW_NUMBER, UTC_TIME, Table, empty_object, word


class Message(Table, table=True):
    """A decision about one occurrence of a step. `key` is the message key of `engine.keys`.

    `decision` None means claimed: the bytes are stored. With `claimed_at` a provider may have
    them; without, it certainly has not, and the row waits for its next attempt. A row in that
    state is what stops a second send. `decided_at` is the engine's time of the
    decision, which for a claim is the decision to send; the other times are wall time.
    """

    __tablename__ = "messages"
    __table_args__ = (
        Index(None, "customer_id", "decided_at"),
        Index(None, "enrollment_id"),
        Index(None, "address", "channel"),
        Index(
            "ix_messages_unsettled",
            "claimed_at",
            sqlite_where=text("decision IS NULL OR decision = 'unknown'"),
            postgresql_where=text("decision IS NULL OR decision = 'unknown'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    key: str = Field(unique=True)
    enrollment_id: str = Field(foreign_key="enrollments.id")
    customer_id: str = Field(foreign_key="customers.id")
    journey: str
    step: str
    occurrence: str
    decision: Decision | None = Field(default=None, sa_type=word(Decision))
    reason: Reason | None = Field(default=None, sa_type=word(Reason))
    channel: str | None = None
    topic: str | None = None  # None with `transactional`, or when nothing was chosen
    transactional: bool = False
    message: str | None = None  # the message folder
    content_hash: str | None = None  # of the text it was made from
    sender: str | None = None  # bare address, as is `address`: the envelope's
    address: str | None = None
    intended_address: str | None = None  # whose it was, where `address` stands in for it
    subject: str | None = None
    body: bytes | None = Field(default=None, sa_type=LargeBinary)  # finished; sent as they are
    provider: str | None = None
    provider_message_id: str | None = Field(default=None, index=True)
    claimed_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    first_claimed_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    decided_at: datetime = Field(sa_type=UTC_TIME)  # journey time
    sent_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    status: DeliveryStatus | None = Field(default=None, sa_type=word(DeliveryStatus))
    status_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # wall, as the provider says
    attempts: int = 0
    last_error: str | None = None
    due_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # journey time
    zone: str | None = None


class MailboxMail(Table, table=True):
    """A mail that the `mailbox` provider took: the world outside, kept where people can look.

    `key` is the idempotency key it came with. `headers` are those worth showing in a list.
    """

    __tablename__ = "mailbox"
    __table_args__ = (Index(None, "at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    key: str = Field(unique=True)
    at: datetime = Field(sa_type=UTC_TIME)  # journey time
    sender: str
    recipient: str
    subject: str
    raw: bytes = Field(sa_type=LargeBinary)
    customer_id: str | None = Field(default=None, index=True)
    headers: dict[str, str] = Field(default_factory=empty_object, sa_type=JSON_VALUE)


class DeliveryEvent(Table, table=True):
    """What the provider or the reader did: delivered, bounced, complained, opened, clicked.

    `is_machine`: a scanner or a prefetch did it, not a reader, so it counts nowhere.
    """

    __tablename__ = "delivery_events"
    __table_args__ = (Index(None, "customer_id", "kind"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    provider_event_id: str = Field(unique=True)
    message_key: str = Field(index=True)
    customer_id: str = Field(foreign_key="customers.id")
    kind: str
    at: datetime = Field(sa_type=UTC_TIME)  # wall, as the provider says
    received_at: datetime = Field(sa_type=UTC_TIME)  # wall
    provider: str
    is_machine: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    details: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_VALUE)


class Offer(Table, table=True):
    """A coupon made for one customer by one message: `percent` off, or `amount`, or free shipping.

    `made_by` names the webhook of the shop that made the code; None: we did.
    """

    __tablename__ = "offers"
    __table_args__ = (Index(None, "journey", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    code: str = Field(unique=True)
    customer_id: str = Field(foreign_key="customers.id", index=True)
    enrollment_id: str = Field(foreign_key="enrollments.id")
    journey: str
    step: str
    percent: Decimal | None = Field(default=None, sa_type=EXACT)
    amount: Decimal | None = Field(default=None, sa_type=EXACT)
    free_shipping: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    currency: str | None = None  # of `amount`, ISO 4217
    made_by: str | None = None
    valid_until_at: datetime = Field(sa_type=UTC_TIME)  # journey time
    message_key: str = Field(unique=True)
    redeemed_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # journey time
    redeemed_for: str | None = None  # the order, as the shop calls it
    revoked_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # wall
    revoked_by: str | None = None

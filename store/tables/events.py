"""What customers did, how often, and what of it Temporal still has to hear."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field

from store.tables.columns import JSON_VALUE, ROW_NUMBER, UTC_TIME, Table, empty_object, word


class EventKind(StrEnum):
    """The Segment call an event came by; `system` is one of ours, with a dot in its name."""

    IDENTIFY = "identify"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"
    SYSTEM = "system"


class OutboxKind(StrEnum):
    """What the dispatcher does with a row: start, signal, update or cancel a workflow.

    `identify` and `consent` are for ourselves: traits that a step sets, topics that it takes
    the customer off, to be taken in as the app's are.
    `paced` is a signal that goes when its own time comes, in no order with the customer's
    other rows: it holds up none of them, and it is never taken for a repeat.
    """

    START = "start"
    SIGNAL = "signal"
    UPDATE = "update"
    CANCEL = "cancel"
    IDENTIFY = "identify"
    CONSENT = "consent"
    PACED = "paced"


class Event(Table, table=True):
    """An accepted event. `message_id` is what makes a repeat harmless.

    `disposition` is what routing made of it (`engine.disposition`); None for the most
    frequent of all: no journey waits for it.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "customer_id", "name", "occurred_at"),
        Index(None, "customer_id", "occurred_at"),
        Index(None, "received_at"),
    )

    message_id: str = Field(primary_key=True)
    customer_id: str = Field(foreign_key="customers.id")
    kind: EventKind = Field(sa_type=word(EventKind))
    name: str | None = None  # `identify`, `group` and `alias` have none
    properties: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_VALUE)
    context: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_VALUE)
    occurred_at: datetime = Field(sa_type=UTC_TIME)  # event time, corrected for the sender's clock
    received_at: datetime = Field(sa_type=UTC_TIME)  # journey time
    disposition: dict[str, Any] | None = Field(default=None, sa_type=JSON_VALUE)


class RefusedCall(Table, table=True):
    """A call that could not be accepted, kept a while for whoever wires the app.

    What can be read of it is in the columns; `payload` is its JSON, cut short. `customer_id`
    is as it was given and may name nobody.
    """

    __tablename__ = "refused_calls"
    __table_args__ = (Index(None, "received_at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    received_at: datetime = Field(sa_type=UTC_TIME)  # journey time
    customer_id: str | None = Field(default=None, index=True)
    kind: str | None = None
    name: str | None = None
    message_id: str | None = None
    code: str
    message: str
    api_key: str | None = None  # the key's name
    payload: str


class EventStats(Table, table=True):
    """How often and when a customer did something, kept beside the events themselves."""

    __tablename__ = "event_stats"

    customer_id: str = Field(primary_key=True, foreign_key="customers.id")
    name: str = Field(primary_key=True)
    first_at: datetime = Field(sa_type=UTC_TIME)  # event time
    last_at: datetime = Field(sa_type=UTC_TIME)  # event time
    count: int


_PENDING = text("done_at IS NULL AND parked_at IS NULL")
_IN_ORDER = text("done_at IS NULL AND parked_at IS NULL AND kind <> 'paced'")
_PACED = text("done_at IS NULL AND parked_at IS NULL AND kind = 'paced'")


class OutboxRow(Table, table=True):
    """Something Temporal must hear, in the order of `id` per customer.

    `id` is never used twice, so a workflow can remember the last one it heard. `event_id` is
    the `message_id` of the event it comes from, if it comes from one. All times are wall time.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_pending",
            "customer_id",
            "id",
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
        Index("ix_outbox_in_order", "id", sqlite_where=_IN_ORDER, postgresql_where=_IN_ORDER),
        Index("ix_outbox_paced", "not_before_at", sqlite_where=_PACED, postgresql_where=_PACED),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    customer_id: str = Field(foreign_key="customers.id")
    enrollment_id: str | None = None
    event_id: str | None = Field(default=None, index=True)
    kind: OutboxKind = Field(sa_type=word(OutboxKind))
    payload: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_VALUE)
    created_at: datetime = Field(sa_type=UTC_TIME)
    attempts: int = 0
    not_before_at: datetime = Field(sa_type=UTC_TIME)
    leased_until_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    done_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    parked_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    parked_reason: str | None = None
    last_error: str | None = None

"""Who the customers are, and what they agreed to.

`customers` has one row a customer, which is also the lock that ingestion, consent changes
and `deliver` take first.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from store.tables.columns import JSON_VALUE, ROW_NUMBER, UTC_TIME, Table, word


class ConsentState(StrEnum):
    """What the customer said. Who never said anything has no row."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"


class Customer(Table, table=True):
    """`id` is the app's own user id; `pseudonym` is what Temporal sees.

    `trait_times` holds, for every trait ever set or cleared, the event time (ISO text) at
    which it was, so that a late old `identify` does not undo a newer one.
    """

    __tablename__ = "customers"

    id: str = Field(primary_key=True)
    pseudonym: str = Field(unique=True)
    traits: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_VALUE)
    trait_times: dict[str, str] = Field(default_factory=dict, sa_type=JSON_VALUE)
    context_timezone: str | None = None
    context_timezone_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # event time
    context_locale: str | None = None
    context_locale_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # event time
    first_seen_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # None: not yet seen
    last_seen_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # track, page, screen
    created_at: datetime = Field(sa_type=UTC_TIME)  # wall
    updated_at: datetime = Field(sa_type=UTC_TIME)  # wall
    erased_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # wall


class Consent(Table, table=True):
    """One thing a customer said about being written to. `channel` or `topic` None means all."""

    __tablename__ = "consents"
    __table_args__ = (Index(None, "customer_id", "at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    customer_id: str = Field(foreign_key="customers.id")
    channel: str | None = None
    topic: str | None = None
    state: ConsentState = Field(sa_type=word(ConsentState))
    basis: str | None = None  # the legal ground: `consent`, `contract`, `soft opt-in`
    source: str  # where it was said: `link`, `one-click`, `api`, `import`
    wording: str | None = None  # what the customer read when saying it
    at: datetime = Field(sa_type=UTC_TIME)  # when it was said
    actor: str | None = None  # None: the customer themselves


class Suppression(Table, table=True):
    """An address that nothing is sent to, whoever's it is: it bounced, or complained."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("channel", "address"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    channel: str
    address: str  # as `store.suppressions.normal_address` writes it
    reason: str
    at: datetime = Field(sa_type=UTC_TIME)  # wall
    source: str

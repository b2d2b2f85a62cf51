"""Who the customers are, and what they agreed to.

`customers` has one row a customer, which is also the lock that ingestion, consent changes
and `deliver` take first. Somebody who has not said who they are is a customer too, with an
`anonymous:` id, until they do and are joined to the one they turn out to be.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field

from engine.consent import ConsentState
from store.tables.columns import JSON_VALUE, ROW_NUMBER, UTC_TIME, Table, empty_object, word


class Customer(Table, table=True):
    """`id` is the app's own user id; `pseudonym` is what Temporal sees.

    `trait_times` holds, for every trait ever set or cleared, the event time (ISO text) at
    which it was, so that a late old `identify` does not undo a newer one. `updated_at` is when
    anything else was told of them than when they were last seen.

    With `merged_into` the row is only a name of another customer, who has all that was this
    one's. `ordinals_after` is the highest ordinal among enrollments that an erased customer
    of this id had: Temporal may still know their workflow ids. No foreign keys here: SQLite
    can't add one to a table that others point at.
    """

    __tablename__ = "customers"
    __table_args__ = (
        Index(
            "ix_customers_merged_into",
            "merged_into",
            sqlite_where=text("merged_into IS NOT NULL"),
            postgresql_where=text("merged_into IS NOT NULL"),
        ),
        Index(
            "ix_customers_company_id",
            "company_id",
            sqlite_where=text("company_id IS NOT NULL"),
            postgresql_where=text("company_id IS NOT NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    pseudonym: str = Field(unique=True)
    traits: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_VALUE)
    trait_times: dict[str, str] = Field(default_factory=empty_object, sa_type=JSON_VALUE)
    context_timezone: str | None = None
    context_timezone_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # event time
    context_locale: str | None = None
    context_locale_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # event time
    first_seen_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # None: not yet seen
    last_seen_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # track, page, screen
    created_at: datetime = Field(sa_type=UTC_TIME)  # wall
    updated_at: datetime = Field(sa_type=UTC_TIME)  # wall
    erased_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # wall
    merged_into: str | None = None
    merged_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # event time
    company_id: str | None = None
    company_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # event time
    ordinals_after: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class Company(Table, table=True):
    """A company that customers belong to, by `group` calls; its traits are all its members'."""

    __tablename__ = "companies"

    id: str = Field(primary_key=True)
    traits: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_VALUE)
    trait_times: dict[str, str] = Field(default_factory=empty_object, sa_type=JSON_VALUE)
    created_at: datetime = Field(sa_type=UTC_TIME)  # wall
    updated_at: datetime = Field(sa_type=UTC_TIME)  # wall


class Erasure(Table, table=True):
    """Somebody who was erased, by a salted hash of their id or of an address they had.

    What is left, so that an import does not bring them back to marketing. `kind` says what
    was hashed: `customer`, `email` or `phone`. `ordinals` is as `Customer.ordinals_after`.
    """

    __tablename__ = "erasures"

    hash: str = Field(primary_key=True)
    kind: str
    at: datetime = Field(sa_type=UTC_TIME)  # wall
    ordinals: int = 0


class ErasureSalt(Table, table=True):
    """The salt of those hashes: one row, made at the first erasure. It may never change."""

    __tablename__ = "erasure_salt"

    id: int = Field(primary_key=True, sa_type=ROW_NUMBER)
    salt: bytes = Field(sa_type=LargeBinary)


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
    ip: str | None = None  # from where it was said, where that is known


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

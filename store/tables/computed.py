"""What is computed of customers from what they did: one row a customer, kept as events arrive."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field

from store.tables.columns import JSON_VALUE, UTC_TIME, Table, empty_list, empty_object

_CHANGES = text("changes_at IS NOT NULL")


class Computed(Table, table=True):
    """`state` is what `engine.computed` remembers of a customer's events, by the definitions
    whose hash is `by`; under others it is computed anew, from the events.

    `inside` are the segments that the customer was in at `computed_at`. `changes_at` is when time
    alone will next change that; mostly never, and then nobody looks at the row.
    """

    __tablename__ = "computed"
    __table_args__ = (
        Index(
            "ix_computed_changes_at",
            "changes_at",
            sqlite_where=_CHANGES,
            postgresql_where=_CHANGES,
        ),
        Index(None, "by"),
    )

    customer_id: str = Field(primary_key=True, foreign_key="customers.id")
    by: str
    state: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_VALUE)
    inside: list[str] = Field(default_factory=empty_list, sa_type=JSON_VALUE)
    computed_at: datetime = Field(sa_type=UTC_TIME)  # journey time
    changes_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # journey time


class HourOfClicks(Table, table=True):
    """How many clicks of all customers came in an hour of their own day (0 to 23)."""

    __tablename__ = "hours_of_clicks"

    hour: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    clicks: int

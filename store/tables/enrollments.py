"""One customer in one journey: the row that decides, whatever Temporal still remembers."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlmodel import Field

from engine.reasons import Ending, Reason
from store.tables.columns import (
    EXACT,
    JSON_AS_WRITTEN,
    JSON_VALUE,
    UTC_TIME,
    Table,
    empty_list,
    empty_object,
    word,
)


class EnrollmentState(StrEnum):
    """`open`, or how its life ended."""

    OPEN = "open"
    COMPLETED = Ending.COMPLETED.value
    EXITED = Ending.EXITED.value
    CONVERTED = Ending.CONVERTED.value
    CANCELLED = Ending.CANCELLED.value


_OF_A_BROADCAST = text("broadcast_id IS NOT NULL AND state = 'open'")


class Enrollment(Table, table=True):
    """`id` is the workflow id. Once the state is not `open`, nothing more is claimed for it.

    `input` is what the dispatcher starts the workflow with, but for the journey's definition,
    which `version` names. `next_step` and `next_at` are what comes next as the store last heard
    it: for people to read, and for lighter messages, which leave it room (`engine.caps`).
    Nothing is sent by them.

    `broadcast_id` names the broadcast that sends one message alone to many: such an
    enrollment has no workflow, and the broadcast goes by `next_at`.
    """

    __tablename__ = "enrollments"
    __table_args__ = (
        ForeignKeyConstraint(
            ["journey", "version"], ["journey_versions.journey", "journey_versions.version"]
        ),
        Index(None, "customer_id", "journey"),
        Index(None, "journey", "state"),
        Index(None, "entered_at"),
        Index(
            "ix_enrollments_broadcast",
            "broadcast_id",
            "next_at",
            sqlite_where=_OF_A_BROADCAST,
            postgresql_where=_OF_A_BROADCAST,
        ),
    )

    id: str = Field(primary_key=True)
    customer_id: str = Field(foreign_key="customers.id")
    journey: str
    version: str
    key: str | None = None
    ordinal: int = 1
    start_event_id: str
    start_at: datetime = Field(sa_type=UTC_TIME)  # journey time
    entered_at: datetime = Field(sa_type=UTC_TIME)  # journey time
    start_properties: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_VALUE)
    state: EnrollmentState = Field(default=EnrollmentState.OPEN, sa_type=word(EnrollmentState))
    ended_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # journey time
    ended_by: str | None = None  # the event's name, or the person
    paused_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # journey time
    skipped_steps: list[str] = Field(default_factory=empty_list, sa_type=JSON_VALUE)
    next_step: str | None = None
    next_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # journey time
    next_reason: Reason | None = Field(default=None, sa_type=word(Reason))  # what holds it up
    converted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # journey time
    conversion_value: Decimal | None = Field(default=None, sa_type=EXACT)
    holdout: bool = False
    broadcast_id: str | None = None
    input: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_AS_WRITTEN)

    @property
    def ending(self) -> Ending | None:
        """How it ended; None while it is open."""
        return None if self.state is EnrollmentState.OPEN else Ending(self.state.value)

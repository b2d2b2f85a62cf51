"""What people have stopped: nothing of it goes out until they start it again.

The rows stay when they are lifted: who stopped what, when, and why is history.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, text
from sqlmodel import Field

from engine.stops import StopScope, Target
from store.tables.columns import ROW_NUMBER, UTC_TIME, Table, word


class Stop(Table, table=True):
    """A stop button that was pressed. `journey`, `step`, `channel` as its scope needs them."""

    __tablename__ = "stops"
    __table_args__ = (
        Index(
            "ix_stops_in_force",
            "scope",
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    scope: StopScope = Field(sa_type=word(StopScope))
    journey: str | None = None
    step: str | None = None
    channel: str | None = None
    at: datetime = Field(sa_type=UTC_TIME)  # wall
    actor: str
    why: str | None = None
    lifted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # wall
    lifted_by: str | None = None

    @property
    def target(self) -> Target:
        """What it stops."""
        return Target(self.scope, journey=self.journey, step=self.step, channel=self.channel)


class ArchivedInside(StrEnum):
    """What becomes of those who are inside a journey that is archived."""

    FINISH = "finish"
    EXIT = "exit"


class Archive(Table, table=True):
    """A journey that enrolls nobody any more, though it may still be published."""

    __tablename__ = "archives"

    journey: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UTC_TIME)  # wall
    actor: str
    inside: ArchivedInside = Field(sa_type=word(ArchivedInside))

"""What was published, for ever: each version of a journey, each state of the whole folder."""

from datetime import datetime
from typing import Any

from sqlmodel import Field

from store.tables.columns import JSON_AS_WRITTEN, ROW_NUMBER, UTC_TIME, Table


class JourneyVersion(Table, table=True):
    """A definition under its content hash, as the JSON text a workflow is pinned to."""

    __tablename__ = "journey_versions"

    journey: str = Field(primary_key=True)
    version: str = Field(primary_key=True)
    definition: str
    published_at: datetime = Field(sa_type=UTC_TIME)  # wall
    published_by: str


class Publication(Table, table=True):
    """Everything published at once: the newest row is what every process goes by.

    `journeys` maps a journey to its version, `messages` a journey to its message folders.
    """

    __tablename__ = "publications"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 — SQLAlchemy's own spelling

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    at: datetime = Field(sa_type=UTC_TIME)  # wall
    by: str
    policy: dict[str, Any] = Field(sa_type=JSON_AS_WRITTEN)
    messages: dict[str, dict[str, Any]] = Field(sa_type=JSON_AS_WRITTEN)
    journeys: dict[str, str] = Field(sa_type=JSON_AS_WRITTEN)
    content_hash: str

"""Who may do what, and who did it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field

from store.tables.columns import JSON_VALUE, ROW_NUMBER, UTC_TIME, Table, empty_list, empty_object


class AuditEntry(Table, table=True):
    """Something a person or a key did to an enrollment, a customer or what is published."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    at: datetime = Field(sa_type=UTC_TIME)  # wall
    actor: str
    action: str
    enrollment_id: str | None = Field(default=None, index=True)
    customer_id: str | None = Field(default=None, index=True)
    details: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_VALUE)


class ApiKey(Table, table=True):
    """A key for the API. The key itself is nowhere: `prefix` is for people to tell keys apart."""

    __tablename__ = "api_keys"

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    name: str
    prefix: str
    sha256: str = Field(unique=True)
    scopes: list[str] = Field(default_factory=empty_list, sa_type=JSON_VALUE)
    created_at: datetime = Field(sa_type=UTC_TIME)  # wall
    revoked_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # wall
    last_used_at: datetime | None = Field(default=None, sa_type=UTC_TIME)  # wall
    events_per_second: int | None = None  # the most it may send; 0: no limit, null: the setting's


class ConsoleUser(Table, table=True):
    """Someone who may open the console."""

    __tablename__ = "console_users"

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    name: str = Field(unique=True)
    created_at: datetime = Field(sa_type=UTC_TIME)  # wall

"""What is sent to many at once: to whom, what, when, and how far it has got."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field

from store.tables.columns import JSON_VALUE, UTC_TIME, Table, empty_object, word


class BroadcastKind(StrEnum):
    """What everybody in the audience gets: a journey, one message alone, or an event."""

    JOURNEY = "journey"
    MESSAGE = "message"
    EVENT = "event"


class BroadcastState(StrEnum):
    """`running` from the start on, until all have had it or a person stops it."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


class Broadcast(Table, table=True):
    """`id` is its name. `journey` and `step` are what is sent, `event` what is told.

    `audience` is a condition over a customer, None for everybody. `local_time` (`HH:MM`) is
    each customer's own on the day of `start_at`, or with a date before it on that day; None:
    at `start_at`, all at once. `per_second` is how many are taken up in a second, None as fast
    as it goes.

    `cursor` is the last customer who was looked at, in the order of ids: what was done up to
    there was done in the transaction that moved it. `counted` says how many are in, and of
    the others how many are out for which reason; and, with a local time, whose turn it is
    (`store.broadcasts.Round`).
    """

    __tablename__ = "broadcasts"

    id: str = Field(primary_key=True)
    kind: BroadcastKind = Field(sa_type=word(BroadcastKind))
    journey: str | None = None
    version: str | None = None  # of the journey, as it was published when it began
    step: str | None = None
    event: str | None = None
    properties: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_VALUE)
    audience: str | None = None
    start_at: datetime = Field(sa_type=UTC_TIME)  # journey time
    local_time: str | None = None
    per_second: float | None = None
    state: BroadcastState = Field(sa_type=word(BroadcastState))
    cursor: str | None = None
    all_seen: bool = False  # the whole audience has been taken up
    counted: dict[str, Any] = Field(default_factory=empty_object, sa_type=JSON_VALUE)
    created_at: datetime = Field(sa_type=UTC_TIME)  # wall
    created_by: str
    changed_at: datetime = Field(sa_type=UTC_TIME)  # wall
    changed_by: str

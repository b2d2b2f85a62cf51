"""What the API says about events, refused ones too, and about what Temporal has yet to hear."""

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.event_words import why_of
from engine.disposition import Deed, Did, Disposition
from store.tables import Event, OutboxKind, OutboxRow, RefusedCall


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class Heard(StrEnum):
    """Whether Temporal has heard of something."""

    CARRIED = "carried"
    WAITING = "waiting"
    PARKED = "parked"


def heard(row: OutboxRow) -> Heard:
    """How far a row of the outbox has come."""
    if row.parked_at is not None:
        return Heard.PARKED
    return Heard.CARRIED if row.done_at is not None else Heard.WAITING


class TemporalReply(_Reply):
    """How far it has come on its way to Temporal."""

    state: Heard
    outbox_id: int = Field(description="The row of the outbox that carries it.")
    reason: str | None = Field(
        description="Why it was parked, or what trouble it met the last time it was tried."
    )

    @classmethod
    def of(cls, row: OutboxRow) -> Self:
        assert row.id is not None  # it was read
        state = heard(row)
        trouble = None if state is Heard.CARRIED else row.parked_reason or row.last_error
        return cls(state=state, outbox_id=row.id, reason=trouble)


class DeedReply(_Reply):
    """One thing an event did to an enrollment."""

    did: Did
    journey: str
    enrollment_id: str
    steps: list[str] = Field(description="Those it fired.")
    temporal: TemporalReply | None = Field(
        description="Null: Temporal need not hear of it, or did more than 30 days ago."
    )

    @classmethod
    def of(cls, deed: Deed, rows: Iterable[OutboxRow]) -> Self:
        """`rows` are those of the event; of several, what holds up counts."""
        mine = [TemporalReply.of(row) for row in rows if row.enrollment_id == deed.enrollment]
        mine.sort(key=lambda each: (Heard.PARKED, Heard.WAITING, Heard.CARRIED).index(each.state))
        return cls(
            did=deed.did,
            journey=deed.journey,
            enrollment_id=deed.enrollment,
            steps=list(deed.steps),
            temporal=mine[0] if mine else None,
        )


class EventReply(_Reply):
    """An event that came in. Times are journey time.

    Of one that was refused, what can be read of it, as it was given: `code` is not null
    then, and `properties` and `occurred_at` are.
    """

    id: str = Field(description="Of an accepted event its `message_id`.")
    received_at: datetime
    customer: str | None
    kind: str | None = Field(description="The Segment call; `system` is an event of ours.")
    name: str | None
    message_id: str | None
    properties: dict[str, Any] | None = Field(description="The traits, of an `identify`.")
    occurred_at: datetime | None
    did: list[DeedReply]
    why: str = Field(description="What it did, or why it did nothing or was refused.")
    code: str | None = Field(description="Why it was refused; null: it was accepted.")
    payload: str | None = Field(
        description="The refused call's JSON, cut at 2,000 characters; empty: it had none."
    )
    api_key: str | None = Field(description="The name of the key that sent the refused call.")

    @classmethod
    def of(cls, event: Event, rows: Iterable[OutboxRow], watched: Collection[str]) -> Self:
        told = Disposition.model_validate(event.disposition or {})
        rows = list(rows)
        return cls(
            id=event.message_id,
            received_at=event.received_at,
            customer=event.customer_id,
            kind=event.kind,
            name=event.name,
            message_id=event.message_id,
            properties=event.properties,
            occurred_at=event.occurred_at,
            did=[DeedReply.of(deed, rows) for deed in told.did],
            why=why_of(event, told, watched),
            code=None,
            payload=None,
            api_key=None,
        )

    @classmethod
    def of_refused(cls, call: RefusedCall) -> Self:
        return cls(
            id=f"refused:{call.id}",
            received_at=call.received_at,
            customer=call.customer_id,
            kind=call.kind,
            name=call.name,
            message_id=call.message_id,
            properties=None,
            occurred_at=None,
            did=[],
            why=f"{call.message[:1].upper()}{call.message[1:]}.",
            code=call.code,
            payload=call.payload,
            api_key=call.api_key,
        )


class EventsReply(_Reply):
    """Events, newest first as they were received, those that were refused among them."""

    events: list[EventReply]
    next_cursor: str | None = Field(description="For the older ones; null: there are none.")


class OutboxReply(_Reply):
    """Something Temporal must hear. Times are real time."""

    id: int
    state: Heard
    kind: OutboxKind
    customer_id: str
    enrollment_id: str | None
    event_id: str | None = Field(description="The `message_id` of the event it comes from.")
    created_at: datetime
    attempts: int
    parked_at: datetime | None
    parked_reason: str | None
    last_error: str | None

    @classmethod
    def of(cls, row: OutboxRow) -> Self:
        fields = {name: getattr(row, name) for name in cls.model_fields if name != "state"}
        return cls(**fields, state=heard(row))


class OutboxRowsReply(_Reply):
    """Rows of the outbox, oldest first."""

    rows: list[OutboxReply]

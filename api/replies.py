"""What the API says about customers and enrollments: the shapes of its JSON answers."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.words import reason_in_words
from engine.reasons import Decision, Reason
from engine.seen import Seen
from store.tables import AuditEntry, Consent, Customer, Enrollment, EnrollmentState, Message


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class MessageReply(_Reply):
    """A decision about a step: sent, or not and why. `decision` null: on its way."""

    key: str
    enrollment_id: str
    journey: str
    step: str
    decision: Decision | None
    reason: Reason | None
    why: str | None = Field(description="The reason as a sentence.")
    channel: str | None
    topic: str | None
    message: str | None = Field(description="The message folder.")
    subject: str | None
    decided_at: datetime = Field(description="Journey time.")
    due_at: datetime | None
    sent_at: datetime | None
    last_error: str | None

    @classmethod
    def of(cls, row: Message) -> Self:
        why = reason_in_words(row.reason) if row.reason is not None else None
        fields = {name: getattr(row, name) for name in cls.model_fields if name != "why"}
        return cls(**fields, why=why)


class EnrollmentReply(_Reply):
    """One customer in one journey. Times are journey time."""

    id: str
    customer_id: str
    journey: str
    version: str
    key: str | None
    state: EnrollmentState
    start_at: datetime
    entered_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    paused_at: datetime | None
    skipped_steps: list[str]
    next_step: str | None
    next_at: datetime | None
    next_reason: Reason | None = Field(description="What has held the next step up till then.")
    converted_at: datetime | None
    conversion_value: Decimal | None
    holdout: bool


class AuditReply(_Reply):
    """Something a person did, or that came of it."""

    at: datetime
    actor: str
    action: str
    details: dict[str, Any]


class EnrollmentDetailReply(EnrollmentReply):
    """An enrollment with every decision, oldest first, and what people did to it."""

    messages: list[MessageReply]
    audit: list[AuditReply]
    temporal_ui_url: str | None

    @classmethod
    def of(
        cls,
        row: Enrollment,
        messages: Iterable[Message],
        audit: Iterable[AuditEntry],
        temporal_ui_url: str | None,
    ) -> Self:
        return cls(
            **EnrollmentReply.model_validate(row).model_dump(),
            messages=[MessageReply.of(each) for each in messages],
            audit=[AuditReply.model_validate(each) for each in audit],
            temporal_ui_url=temporal_ui_url,
        )


class EnrollmentsReply(_Reply):
    """A page of enrollments, newest first."""

    enrollments: list[EnrollmentReply]


class ConsentReply(_Reply):
    """One thing the customer said. `topic` or `channel` null means all."""

    topic: str | None
    channel: str | None
    state: str
    basis: str | None = Field(description="The legal ground, such as `consent`.")
    source: str
    wording: str | None = Field(description="What the customer read or was asked.")
    at: datetime
    actor: str | None = Field(description="Who wrote it down; null: the customer themselves.")
    ip: str | None


class ConsentsReply(_Reply):
    """All that a customer ever said about being written to, newest first."""

    customer_id: str
    consents: list[ConsentReply]


class CustomerReply(_Reply):
    """A customer: traits, consents, and what they were sent or not. Messages newest first."""

    id: str
    traits: dict[str, Any]
    computed: dict[str, Any] = Field(
        description="The computed traits of the policy file, as they are now."
    )
    segments: list[str] = Field(description="The segments that the customer is in now.")
    zone: str = Field(description="The zone their times are computed in.")
    locale: str | None
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    consents: list[ConsentReply]
    enrollments: list[EnrollmentReply]
    messages: list[MessageReply]

    @classmethod
    def of(
        cls,
        row: Customer,
        seen: Seen | None,
        zone: str,
        consents: Iterable[Consent],
        enrollments: Iterable[Enrollment],
        messages: Iterable[Message],
    ) -> Self:
        return cls(
            id=row.id,
            traits=row.traits,
            computed=dict(sorted(seen.computed.items())) if seen is not None else {},
            segments=sorted(seen.segments) if seen is not None else [],
            zone=zone,
            locale=row.context_locale,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
            consents=[ConsentReply.model_validate(each) for each in consents],
            enrollments=[EnrollmentReply.model_validate(each) for each in enrollments],
            messages=[MessageReply.of(each) for each in messages],
        )

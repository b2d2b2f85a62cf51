"""What routing knows of a customer, and what it answers: effects, to be carried out in order.

Values only. The one surprising fact: an enrollment is known here by the definition it was
pinned to, so what is published now says nothing about those inside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from engine.definition import Journey
from engine.enrollment import Facts, Notice, Start
from engine.events import BuiltInEvent
from engine.reasons import Ending

# What ends an enrollment, where that is no event: a person began a newer one.
BY_HAND = "enrolled by hand"


class NotEnrolled(StrEnum):
    """Why an event that starts a journey did not enroll."""

    TOO_OLD = "too_old"
    ALREADY_ENROLLED = "already_enrolled"
    NO_KEY = "no_key"
    NOT_NEWEST = "not_newest"
    IMPORTED = "imported"
    ARCHIVED = "archived"

    @property
    def sentence(self) -> str:
        """For the person who wonders."""
        return _SENTENCES[self]


_SENTENCES: Mapping[NotEnrolled, str] = {
    NotEnrolled.TOO_OLD: "When it was received, it was older than the journey's `fresh`.",
    NotEnrolled.ALREADY_ENROLLED: "The customer is in this journey, or was, and may not re-enter.",
    NotEnrolled.NO_KEY: "It lacks the property that tells this journey's enrollments apart.",
    NotEnrolled.NOT_NEWEST: "A newer one is known already, and the journey is `newest_only`.",
    NotEnrolled.IMPORTED: "It was imported as history, which never starts a journey.",
    NotEnrolled.ARCHIVED: "The journey was archived: it enrolls nobody any more.",
}


@dataclass(frozen=True)
class Profile:
    """A customer as routing sees them: traits as they are after the event, and the zone.

    `last_activity_at` includes the event being routed. `ordinals_after`: the highest ordinal
    of enrollments that are forgotten here but not in Temporal.
    """

    id: str
    traits: Mapping[str, Any]
    zone: str
    last_activity_at: datetime | None = None
    ordinals_after: int = 0


@dataclass(frozen=True)
class Enrolled:
    """An enrollment of the customer that exists: open, or ended as `ending` at `ended_at`.

    `ended_by` names the event that ended it, or the person. One of a broadcast that sends a
    message alone has no workflow (`has_workflow`), so Temporal has nothing to hear of it.
    """

    id: str
    journey: Journey
    key: str | None
    start_at: datetime
    start_event_id: str
    ordinal: int = 1
    ending: Ending | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    has_workflow: bool = True

    @property
    def is_void(self) -> bool:
        """Whether another took its place, from its start or as two customers became one.

        One that had nothing to wait for completes at its start, and was there all the same.
        """
        if self.ended_at is None or self.ending is Ending.COMPLETED:
            return False
        return self.ended_at <= self.start_at or self.ended_by == BuiltInEvent.CUSTOMER_MERGED


@dataclass(frozen=True)
class Enroll:
    """Begin an enrollment. `facts` and `start` are what its machine begins with."""

    journey: Journey
    key: str | None
    ordinal: int
    start: Start
    facts: Facts
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tell:
    """Tell an open enrollment; `notice.ending` closes it."""

    enrollment: str
    notice: Notice


@dataclass(frozen=True)
class Supersede:
    """An earlier start arrived late: the enrollment began then. Only if nothing came of it yet."""

    tell: Tell
    enroll: Enroll


@dataclass(frozen=True)
class Convert:
    """A goal reached after completion still counts; recorded without Temporal."""

    enrollment: str
    event_id: str
    at: datetime
    value: object


@dataclass(frozen=True)
class Amend:
    """An event arrived late that had ended the enrollment earlier than, and not as, it is known."""

    enrollment: str
    ending: Ending
    at: datetime
    by: str
    value: object = None


@dataclass(frozen=True)
class Refuse:
    """The event would have enrolled, but did not; kept as the event's disposition."""

    journey: str
    why: NotEnrolled


Effect = Enroll | Tell | Supersede | Convert | Amend | Refuse

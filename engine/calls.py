"""What is told to Parcours about a customer, whoever tells it: an SDK, a person, a scenario.

The ingestion in `api/` and the simulator take the same values, so they can't disagree
about what an event means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class _Call:
    """`at` is when it happened (aware UTC); `message_id` is unique for ever."""

    customer_id: str
    at: datetime
    message_id: str


@dataclass(frozen=True, kw_only=True)
class Identify(_Call):
    """Traits of the customer. A trait that is None is cleared; those not named stay."""

    traits: Mapping[str, Any]
    timezone: str | None = None  # `context.timezone`
    locale: str | None = None  # `context.locale`


@dataclass(frozen=True, kw_only=True)
class Track(_Call):
    """Something the customer did. `kind` is the Segment call it came by: track, page or screen."""

    event: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "track"
    timezone: str | None = None
    locale: str | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeConsent(_Call):
    """The customer subscribes to a topic, or leaves it; `topic` None means all marketing."""

    topic: str | None
    channel: str | None  # None: every channel
    subscribed: bool


@dataclass(frozen=True, kw_only=True)
class EnrollByHand(_Call):
    """A person puts the customer into a journey at `at`, as if it had started at `start_at`."""

    journey: str
    start_at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)


Call = Identify | Track | ChangeConsent | EnrollByHand

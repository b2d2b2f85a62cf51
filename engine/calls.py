"""What is told to Parcours about a customer, whoever tells it: an SDK, a person, a scenario.

The ingestion in `api/` and the simulator take the same values, so they can't disagree
about what an event means. The one surprising fact: somebody who has not said who they are
is a customer as well (`engine.keys.anonymous_customer`), in no journey, until a call names
them together with the customer they turn out to be.

What customers do with their messages (`Reaction`) can be told only where messages went out, so
that it is no `Call`: a play has it, and the API hears of it by the links and codes themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class _Call:
    """`at` is when it happened (aware UTC); `message_id` is unique for ever.

    `formerly` lists ids under which the customer was known before, as this call says.
    `clamped`: it claimed to happen in the future. `historical`: it was sent to be known, not
    to start anything.
    """

    customer_id: str
    at: datetime
    message_id: str
    formerly: tuple[str, ...] = ()
    clamped: bool = False
    historical: bool = False


@dataclass(frozen=True, kw_only=True)
class Identify(_Call):
    """Traits of the customer. A trait that is None is cleared; those not named stay."""

    traits: Mapping[str, Any]
    timezone: str | None = None  # `context.timezone`
    locale: str | None = None  # `context.locale`


@dataclass(frozen=True, kw_only=True)
class Track(_Call):
    """Something the customer did. `kind` is the Segment call it came by: track, page or screen.

    `by_colleague`: not this customer did it but somebody of the same company, and only keys
    that say `of: company` ask for it.
    """

    event: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "track"
    timezone: str | None = None
    locale: str | None = None
    by_colleague: bool = False


@dataclass(frozen=True, kw_only=True)
class Group(_Call):
    """The customer belongs to a company; its traits are merged as a customer's are."""

    company_id: str
    traits: Mapping[str, Any] = field(default_factory=dict)
    timezone: str | None = None
    locale: str | None = None


@dataclass(frozen=True, kw_only=True)
class Alias(_Call):
    """Only says who the customer was before (`formerly`), where the two are to be joined."""

    timezone: str | None = None
    locale: str | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeConsent(_Call):
    """The customer subscribes to a topic, or leaves it; `topic` None means all marketing.

    `confirmed`: it is known that they themselves want it, so nobody has to ask them. `pending`:
    they have to be asked first; it is `engine.consent` that finds so.
    """

    topic: str | None
    channel: str | None  # None: every channel
    subscribed: bool
    confirmed: bool = False
    pending: bool = False


@dataclass(frozen=True, kw_only=True)
class EnrollByHand(_Call):
    """A person puts the customer into a journey at `at`, as if it had started at `start_at`."""

    journey: str
    start_at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TimePassed(_Call):
    """Nobody did anything, but `at` is when time alone changes what is known of the customer."""


@dataclass(frozen=True, kw_only=True)
class FollowLink(_Call):
    """The customer follows a link in the message of a step; `url` is where it leads.

    `key` says of which enrollment, where the journey has several beside one another.
    """

    journey: str
    step: str
    key: str | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class UseCoupon(_Call):
    """The customer uses the coupon that the message of a step gave them, for an order."""

    journey: str
    step: str
    key: str | None = None
    order: str | None = None


# What the Segment API can say.
SegmentCall = Identify | Track | Group | Alias
Call = SegmentCall | ChangeConsent | EnrollByHand | TimePassed

# What a customer does with a message that they got: told by the message, not by a call of an app.
Reaction = FollowLink | UseCoupon
Played = Call | Reaction

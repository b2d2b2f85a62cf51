"""The events that Parcours itself reports about a customer; apps name theirs without a dot.

Knows names only, not what the events carry. The surprising fact: every name with a dot is
reserved, also those not listed here, so that a later version can add to the list without
taking a name from somebody's app.
"""

from enum import StrEnum


class BuiltInEvent(StrEnum):
    """What journeys may start on, end on and wait for beside the app's own events."""

    CUSTOMER_CREATED = "customer.created"  # the first call of any kind for a customer
    CUSTOMER_MERGED = "customer.merged"  # two customers turned out to be one
    CUSTOMER_ERASED = "customer.erased"
    CONSENT_REQUESTED = "consent.requested"  # to be confirmed: a topic with double opt-in
    CONSENT_GIVEN = "consent.given"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    SEGMENT_ENTERED = "segment.entered"  # `segment` says which, here and below
    SEGMENT_LEFT = "segment.left"
    OFFER_REDEEMED = "offer.redeemed"
    MESSAGE_DELIVERED = "message.delivered"
    MESSAGE_BOUNCED = "message.bounced"
    MESSAGE_COMPLAINED = "message.complained"
    MESSAGE_OPENED = "message.opened"
    MESSAGE_CLICKED = "message.clicked"


BUILT_IN_EVENTS: tuple[str, ...] = tuple(event.value for event in BuiltInEvent)


def is_reserved(name: str) -> bool:
    """Whether an app may not send an event of this name (`reserved_name`)."""
    return "." in name


def is_built_in(name: str) -> bool:
    """Whether Parcours reports an event of this name."""
    return name in BUILT_IN_EVENTS

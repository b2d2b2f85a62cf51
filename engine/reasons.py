"""Why a step was not sent: the one closed list that code, tables, API and console share.

The order of `Reason` is the order of precedence (design, "Time", rule 11): where several
hold at once, the first one is told.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a step was settled without a message going out."""

    ANCHOR_NOT_SENT = "anchor_not_sent"
    ANCHOR_MISSING = "anchor_missing"
    EXPIRED = "expired"
    UNLESS = "unless"
    CONDITION = "condition"
    HOLDOUT = "holdout"
    NO_CONSENT = "no_consent"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    NO_ADDRESS = "no_address"
    INVALID_ADDRESS = "invalid_address"
    QUIET_HOURS = "quiet_hours"
    CAPPED = "capped"
    PROVIDER_REFUSED = "provider_refused"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    TEMPLATE_ERROR = "template_error"
    PROVIDER_DOWN = "provider_down"


class Decision(StrEnum):
    """How a step was settled. `unknown` counts as sent for anchors, caps and `sent()`."""

    SENT = "sent"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class Ending(StrEnum):
    """How an enrollment's life ended; `merged` and `erased` come with events that join or remove customers."""

    COMPLETED = "completed"
    EXITED = "exited"
    CONVERTED = "converted"
    CANCELLED = "cancelled"

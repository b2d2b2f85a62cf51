"""Why a step was not sent: the one closed list that code, tables, API and console share.

The order of `Reason` is the order of precedence (design, "Time", rule 11): where several
hold at once, the first one is told. Each has one sentence for people, which everything that
shows a reason takes from here; docs/reasons.md says what to do about it.
"""

from collections.abc import Mapping
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

    @property
    def sentence(self) -> str:
        """Why she did not get it, for people who read no code."""
        return _SENTENCES[self]


_SENTENCES: Mapping[Reason, str] = {
    Reason.ANCHOR_NOT_SENT: "The step it counts from was not sent.",
    Reason.ANCHOR_MISSING: "The date it counts from is missing or can't be read.",
    Reason.EXPIRED: "When it came up, its time had passed by more than its grace.",
    Reason.UNLESS: "An event that calls it off had happened.",
    Reason.CONDITION: "Its condition did not hold.",
    Reason.HOLDOUT: "The customer is in the holdout, who get nothing but are measured.",
    Reason.NO_CONSENT: "The customer never agreed to this topic.",
    Reason.UNSUBSCRIBED: "The customer has unsubscribed.",
    Reason.SUPPRESSED: "Nothing is sent to this address: it was refused, bounced or complained.",
    Reason.NO_ADDRESS: "There is no address to send it to.",
    Reason.INVALID_ADDRESS: "Mail can't be sent to an address like this one.",
    Reason.QUIET_HOURS: "Quiet hours lasted beyond its grace.",
    Reason.CAPPED: "The customer had as many messages as the caps allow, until its grace was over.",
    Reason.PROVIDER_REFUSED: "The provider refused it for good.",
    Reason.SKIPPED: "A person skipped it.",
    Reason.STOPPED: "It was stopped on its way out.",
    Reason.TEMPLATE_ERROR: "Its text or its condition was broken until its grace was over.",
    Reason.PROVIDER_DOWN: "No provider took it until its grace was over.",
}


class Decision(StrEnum):
    """How a step was settled. `unknown` counts as sent for anchors, caps and `sent()`."""

    SENT = "sent"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class Ending(StrEnum):
    """How an enrollment's life ended."""

    COMPLETED = "completed"
    EXITED = "exited"
    CONVERTED = "converted"
    CANCELLED = "cancelled"

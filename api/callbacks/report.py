"""A provider's report in our words, the same for all of them, and what a callback may raise.

Each provider's file checks that it was the provider who spoke and reads what it said into
`Report`s; what follows from one is decided in `api.callbacks.taking`. The surprising fact:
reports come late, twice and in any order, so each has an id by which a repeat is known, and
none may say "the status is now".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from api.errors import ApiError, BadRequestError


class ReportKind(StrEnum):
    """What happened to a message, or to an address. Kept with it as a delivery event."""

    DELAYED = "delayed"
    ON_ITS_WAY = "on_its_way"
    DELIVERED = "delivered"
    FAILED = "failed"  # given up by the provider; says nothing about the address
    SOFT_BOUNCED = "soft_bounced"  # refused for now: a full mailbox, a busy server
    BOUNCED = "bounced"  # refused for good
    INVALID_ADDRESS = "invalid_address"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"  # on the provider's own list
    RESUBSCRIBED = "resubscribed"
    OPENED = "opened"
    CLICKED = "clicked"


@dataclass(frozen=True, kw_only=True)
class Report:
    """One thing a provider reports. `id` is unique among all it ever reports, and the same
    when it repeats itself.

    The message is named by our key where the provider hands it back, else by the provider's
    own id. `address` is whom it concerns, as the provider writes it.
    """

    provider: str
    id: str
    kind: ReportKind
    at: datetime
    channel: str
    message_key: str | None = None
    provider_message_id: str | None = None
    address: str | None = None
    is_machine: bool = False  # of opens and clicks: a scanner did it, says the provider
    url: str | None = None  # of clicks: where the link leads
    details: Mapping[str, Any] = field(default_factory=dict)


class NotFromProviderError(ApiError):
    """The signature is missing or wrong, or too old to be believed."""

    status = 401
    code = "bad_signature"


class UnreadableReportError(BadRequestError):
    """It is signed, and says nothing that this provider's pages describe."""

    code = "unreadable_report"


class NotSetUpError(ApiError):
    """Nobody configured the secret by which this provider's reports are known."""

    status = 404
    code = "not_set_up"


class MessageNotYetKnownError(ApiError):
    """The report has overtaken our own note of the message: the provider is to come again."""

    status = 503
    code = "message_not_yet_known"

    def __init__(self) -> None:
        super().__init__(
            "the message is not known yet: report it again", headers={"Retry-After": "10"}
        )

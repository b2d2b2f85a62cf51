"""Postmark's webhooks (postmarkapp.com/developer/webhooks/webhooks-overview).

They carry no signature: Postmark's pages advise HTTP Basic authentication in the address, over
HTTPS, and that is what is checked. One report a request. Its own opens and clicks are read
too, for those who left its tracking on.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from api.callbacks.reading import (
    json_of,
    mapping_in,
    mapping_of,
    maybe_text,
    same,
    some,
    text_in,
    time_in,
)
from api.callbacks.report import NotFromProviderError, Report, ReportKind, UnreadableReportError
from engine.carried_keys import key_carried

PROVIDER = "postmark"

# postmarkapp.com/developer/api/bounce-api#bounce-types: those that will not mend.
_HARD = frozenset({"HardBounce", "BadEmailAddress", "ManuallyDeactivated", "AddressChange"})
_SOFT = frozenset({"SoftBounce", "Transient", "DnsError", "SMTPApiError", "Blocked", "DMARCPolicy"})
_COMPLAINTS = frozenset({"SpamComplaint", "SpamNotification"})


def check(authorization: str, credentials: str) -> None:
    """Whether the request came with `user:password`. Raises NotFromProviderError."""
    scheme, _, given = authorization.partition(" ")
    try:
        said = base64.b64decode(given, validate=True).decode("utf-8", "replace")
    except binascii.Error:
        said = ""
    if scheme.lower() != "basic" or not same(said, credentials):
        raise NotFromProviderError("the user name and password of the webhook's address are wrong")


def read(raw: bytes) -> list[Report]:
    """What it reports; nothing where it is of no interest."""
    found = mapping_of(json_of(raw))
    match text_in(found, "RecordType"):
        case "Delivery":
            return [_report(found, ReportKind.DELIVERED, "DeliveredAt", "Recipient")]
        case "Bounce":
            kind = _bounce(text_in(found, "Type"))
            return [] if kind is None else [_report(found, kind, "BouncedAt", "Email")]
        case "SpamComplaint":
            return [_report(found, ReportKind.COMPLAINED, "BouncedAt", "Email")]
        case "SubscriptionChange":
            return _subscription(found)
        case "Open":
            return [_report(found, ReportKind.OPENED, "ReceivedAt", "Recipient")]
        case "Click":
            return [_report(found, ReportKind.CLICKED, "ReceivedAt", "Recipient")]
        case other:
            raise UnreadableReportError(f"`RecordType` {other[:50]} is none that is known")


def _bounce(kind: str) -> ReportKind | None:
    if kind in _HARD:
        return ReportKind.BOUNCED
    if kind in _COMPLAINTS:
        return ReportKind.COMPLAINED
    if kind in _SOFT:
        return ReportKind.SOFT_BOUNCED
    return None  # an auto-reply, a challenge, a request to subscribe: it arrived


def _subscription(found: Mapping[str, Any]) -> list[Report]:
    """Postmark's own suppression list changed; bounces and complaints are told apart already."""
    if not found.get("SuppressSending"):
        return [_report(found, ReportKind.RESUBSCRIBED, "ChangedAt", "Recipient")]
    if found.get("SuppressionReason") != "ManualSuppression":
        return []
    return [_report(found, ReportKind.UNSUBSCRIBED, "ChangedAt", "Recipient")]


def _report(found: Mapping[str, Any], kind: ReportKind, at: str, recipient: str) -> Report:
    message_id = maybe_text(found, "MessageID")
    when = time_in(found, at)
    # Bounces and complaints have a number; the others are known by what they say.
    number = found.get("ID")
    own = str(number) if isinstance(number, int) else f"{message_id}:{when.isoformat()}"
    address = text_in(found, recipient)
    return Report(
        provider=PROVIDER,
        id=f"{kind}:{own}:{address}",
        kind=kind,
        at=when,
        channel="email",
        message_key=key_carried(mapping_in(found, "Metadata")),
        provider_message_id=message_id,
        address=address,
        url=maybe_text(found, "OriginalLink"),
        details=some(found, "Type", "Description", "Details", "Origin"),
    )

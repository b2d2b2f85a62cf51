"""SendGrid's Event Webhook (twilio.com/docs/sendgrid/for-developers/tracking-events/event).

Signed with ECDSA over P-256 and SHA-256: the timestamp header and the raw body, by a key whose
public half the settings hold (…/tracking-events/getting-started-event-webhook-security-features).
One request carries many reports, of many messages.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from api.callbacks.reading import json_of, mapping_of, maybe_text, some, text_in, time_in
from api.callbacks.report import NotFromProviderError, Report, ReportKind, UnreadableReportError
from engine.carried_keys import key_carried

PROVIDER = "sendgrid"
SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"

# SendGrid repeats what was not answered for 24 hours, each time signed anew; so an older
# signature is somebody's recording. An hour allows for clocks and queues.
_OLDEST = timedelta(hours=1)

_KINDS: Mapping[str, ReportKind] = {
    "deferred": ReportKind.DELAYED,
    "delivered": ReportKind.DELIVERED,
    "spamreport": ReportKind.COMPLAINED,
    "unsubscribe": ReportKind.UNSUBSCRIBED,
    "group_unsubscribe": ReportKind.UNSUBSCRIBED,
    "group_resubscribe": ReportKind.RESUBSCRIBED,
    "open": ReportKind.OPENED,
    "click": ReportKind.CLICKED,
}
# Accepted by SendGrid, or about the account: nothing that anybody would want to know.
_OF_NO_INTEREST = frozenset({"processed", "account_status_change"})

# Why SendGrid drops a mail unsent (…/tracking-events/event#dropped): it has its own lists.
_DROPPED: Mapping[str, ReportKind] = {
    "Bounced Address": ReportKind.BOUNCED,
    "Spam Reporting Address": ReportKind.COMPLAINED,
    "Unsubscribed Address": ReportKind.UNSUBSCRIBED,
    "Invalid": ReportKind.INVALID_ADDRESS,
}


def check(headers: Mapping[str, str], raw: bytes, public_key: str, now: datetime) -> None:
    """Whether SendGrid signed these bytes, lately. Raises NotFromProviderError."""
    timestamp = headers.get(TIMESTAMP, "")
    try:
        signature = base64.b64decode(headers.get(SIGNATURE, ""), validate=True)
        key = load_der_public_key(base64.b64decode(public_key))
        assert isinstance(key, ec.EllipticCurvePublicKey)  # the settings saw to it
        key.verify(signature, timestamp.encode() + raw, ec.ECDSA(SHA256()))
        age = abs(now.timestamp() - int(timestamp))
    except (binascii.Error, InvalidSignature, ValueError):
        raise NotFromProviderError("the signature is missing or wrong") from None
    if age > _OLDEST.total_seconds():
        raise NotFromProviderError("the signature is too old")


def read(raw: bytes) -> list[Report]:
    """What it reports, without what is of no interest."""
    found = json_of(raw)
    if not isinstance(found, list):
        raise UnreadableReportError("the body is not a JSON list")
    read = (_report(mapping_of(each, "an event")) for each in found)
    return [report for report in read if report is not None]


def _report(found: Mapping[str, Any]) -> Report | None:
    kind = _kind(found)
    if kind is None:
        return None
    sent_as = maybe_text(found, "sg_message_id")
    return Report(
        provider=PROVIDER,
        id=text_in(found, "sg_event_id"),
        kind=kind,
        at=time_in(found, "timestamp"),
        channel="email",
        message_key=key_carried(found),
        # What the send was answered with, before the first dot.
        provider_message_id=sent_as.partition(".")[0] if sent_as is not None else None,
        address=text_in(found, "email"),
        is_machine=found.get("sg_machine_open") is True,
        url=maybe_text(found, "url"),
        details=some(found, "reason", "status", "response", "type", "useragent"),
    )


def _kind(found: Mapping[str, Any]) -> ReportKind | None:
    event = text_in(found, "event")
    if event in _OF_NO_INTEREST:
        return None
    if event == "bounce":
        # `blocked`: this mail was refused, or this sender for now; the address may be good.
        blocked = found.get("type") == "blocked"
        return ReportKind.SOFT_BOUNCED if blocked else ReportKind.BOUNCED
    if event == "dropped":
        reason = maybe_text(found, "reason") or ""
        return _DROPPED.get(reason, ReportKind.FAILED)
    if event in _KINDS:
        return _KINDS[event]
    raise UnreadableReportError(f"`event` {event[:50]} is none that is known")

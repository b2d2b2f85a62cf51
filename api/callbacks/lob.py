"""Lob's webhooks (docs.lob.com, "Webhooks"): what the post does with cards and letters.

Signed with HMAC-SHA256 over the timestamp header, a dot and the raw body. The id is that of
the event, the same when Lob tries again.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from api.callbacks.reading import (
    json_of,
    mapping_in,
    mapping_of,
    same,
    text_in,
    time_in,
)
from api.callbacks.report import NotFromProviderError, Report, ReportKind
from engine.carried_keys import key_carried

PROVIDER = "lob"
SIGNATURE, TIMESTAMP = "Lob-Signature", "Lob-Signature-Timestamp"

# Lob's pages advise five minutes; each attempt is signed anew.
_OLDEST = timedelta(minutes=5)

# What follows the dot in `letter.delivered`, `postcard.mailed` and so on.
_KINDS: Mapping[str, ReportKind] = {
    "rejected": ReportKind.FAILED,
    "failed": ReportKind.FAILED,
    "deleted": ReportKind.FAILED,
    "mailed": ReportKind.ON_ITS_WAY,
    "in_transit": ReportKind.ON_ITS_WAY,
    "in_local_area": ReportKind.ON_ITS_WAY,
    "processed_for_delivery": ReportKind.ON_ITS_WAY,
    "re-routed": ReportKind.DELAYED,
    "delivered": ReportKind.DELIVERED,
    "returned_to_sender": ReportKind.BOUNCED,
}


def check(headers: Mapping[str, str], raw: bytes, secret: str, now: datetime) -> None:
    """Whether Lob signed these bytes, lately. Raises NotFromProviderError."""
    timestamp = headers.get(TIMESTAMP, "")
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + raw, hashlib.sha256)
    if not same(headers.get(SIGNATURE, ""), signed.hexdigest()):
        raise NotFromProviderError("the signature is missing or wrong")
    try:
        age = abs(now.timestamp() - _seconds(timestamp))
    except ValueError:
        raise NotFromProviderError("the signature has no time") from None
    if age > _OLDEST.total_seconds():
        raise NotFromProviderError("the signature is too old")


def _seconds(timestamp: str) -> float:
    """Lob gives milliseconds; seconds are taken as well."""
    number = int(timestamp)
    return number / 1000 if number > 10**11 else float(number)


def read(raw: bytes) -> list[Report]:
    """What it reports; nothing where it is of no interest."""
    found = mapping_of(json_of(raw))
    event = text_in(mapping_in(found, "event_type"), "id")
    kind = _KINDS.get(event.partition(".")[2])
    if kind is None:
        return []  # created, rendered: nothing that the customer would notice
    piece = mapping_in(found, "body")
    return [_report(found, piece, event, kind)]


def _report(
    found: Mapping[str, Any], piece: Mapping[str, Any], event: str, kind: ReportKind
) -> Report:
    return Report(
        provider=PROVIDER,
        id=text_in(found, "id"),
        kind=kind,
        at=time_in(found, "date_created"),
        channel="post",
        message_key=key_carried(mapping_in(piece, "metadata")),
        provider_message_id=text_in(piece, "id"),
        details={"event": event},
    )

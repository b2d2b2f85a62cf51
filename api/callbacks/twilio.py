"""Twilio's webhooks: what became of a text message, and what people answer.

Signed with HMAC-SHA1 over the address that Twilio called and the sorted fields
(twilio.com/docs/usage/security#validating-requests). There is no time in it, so a recording
can be played again; it changes nothing, for each report is known by its message and status.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from api.callbacks.reading import same
from api.callbacks.report import NotFromProviderError, Report, ReportKind, UnreadableReportError

PROVIDER = "twilio"
SIGNATURE = "X-Twilio-Signature"

# A message has some twenty fields.
_MOST_FIELDS = 200

_KINDS: Mapping[str, ReportKind] = {
    "delivered": ReportKind.DELIVERED,
    "read": ReportKind.DELIVERED,
    "undelivered": ReportKind.SOFT_BOUNCED,
    "failed": ReportKind.FAILED,
}

# twilio.com/docs/api/errors: the number is none, or takes no text messages, or has said STOP.
_NEVER = frozenset({"21211", "21614", "30005", "30006", "63024"})
_LEFT = "21610"


def fields_of(raw: bytes) -> dict[str, str]:
    """The form. Raises UnreadableReportError."""
    try:
        pairs = parse_qsl(
            raw.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise UnreadableReportError("the body is not a form") from None
    return dict(pairs)


def check(given: str, url: str, fields: Mapping[str, str], auth_token: str) -> None:
    """Whether Twilio signed these fields for this address. Raises NotFromProviderError."""
    said = url + "".join(name + fields[name] for name in sorted(fields))
    made = hmac.new(auth_token.encode(), said.encode("utf-8", "replace"), hashlib.sha1)
    if not same(given, base64.b64encode(made.digest()).decode()):
        raise NotFromProviderError(
            "the signature is missing or wrong; it must be for this address, as the settings' "
            "public URL has it"
        )


def read_status(fields: Mapping[str, str], now: datetime) -> list[Report]:
    """What became of a message; nothing while it is on its way. Twilio tells no time: `now`."""
    sid, status = fields.get("MessageSid", ""), fields.get("MessageStatus", "")
    if not sid or not status:
        raise UnreadableReportError("`MessageSid` or `MessageStatus` is missing")
    kind = _KINDS.get(status)
    if kind is None:
        return []
    error = fields.get("ErrorCode", "")
    if error in _NEVER:
        kind = ReportKind.INVALID_ADDRESS
    elif error == _LEFT:
        kind = ReportKind.UNSUBSCRIBED
    return [
        Report(
            provider=PROVIDER,
            id=f"{sid}:{status}",
            kind=kind,
            at=now,
            channel="sms",
            provider_message_id=sid,
            address=fields.get("To"),
            details={"status": status, **({"error": error} if error else {})},
        )
    ]

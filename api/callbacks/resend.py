"""Resend's webhooks (resend.com/docs/dashboard/webhooks/event-types), signed as Standard Webhooks.

One report a request, whose id is the `svix-id` header: the same when Resend tries again.
"""

from collections.abc import Mapping
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from api.callbacks.reading import (
    json_of,
    mapping_in,
    mapping_of,
    maybe_text,
    some,
    text_in,
    time_in,
)
from api.callbacks.report import NotFromProviderError, Report, ReportKind, UnreadableReportError

PROVIDER = "resend"

_KINDS: Mapping[str, ReportKind] = {
    "email.delivered": ReportKind.DELIVERED,
    "email.delivery_delayed": ReportKind.DELAYED,
    "email.complained": ReportKind.COMPLAINED,
    "email.failed": ReportKind.FAILED,
    "email.suppressed": ReportKind.BOUNCED,  # on Resend's list, for a bounce or a complaint
    "email.opened": ReportKind.OPENED,
    "email.clicked": ReportKind.CLICKED,
}


def check(headers: Mapping[str, str], raw: bytes, secret: str) -> None:
    """Whether Resend signed these bytes, within five minutes. Raises NotFromProviderError."""
    signed = {
        f"webhook-{name}": headers.get(f"svix-{name}", "")
        for name in ("id", "timestamp", "signature")
    }
    try:
        Webhook(secret).verify(raw, signed, json_parse=False)
    except (WebhookVerificationError, ValueError):
        raise NotFromProviderError("the signature is missing, wrong, or too old") from None


def read(headers: Mapping[str, str], raw: bytes) -> list[Report]:
    """What it reports; nothing where it is of no interest."""
    found = mapping_of(json_of(raw))
    data = mapping_in(found, "data")
    event = text_in(found, "type")
    kind = _bounce(data) if event == "email.bounced" else _KINDS.get(event)
    if kind is None:
        if event.startswith(("email.", "contact.", "domain.")):
            return []  # that it was sent, say
        raise UnreadableReportError(f"`type` {event[:50]} is none that is known")
    to = data.get("to")
    address = to[0] if isinstance(to, list) and to and isinstance(to[0], str) else None
    return [
        Report(
            provider=PROVIDER,
            id=headers.get("svix-id", ""),
            kind=kind,
            at=time_in(found, "created_at"),
            channel="email",
            provider_message_id=text_in(data, "email_id"),
            address=address,
            url=maybe_text(mapping_in(data, "click"), "link"),
            details={
                **some(mapping_in(data, "bounce"), "message", "type", "subType"),
                **some(mapping_in(data, "failed"), "reason"),
            },
        )
    ]


def _bounce(data: Mapping[str, Any]) -> ReportKind:
    """Only what Resend calls permanent is; what it calls undetermined may mend."""
    is_hard = maybe_text(mapping_in(data, "bounce"), "type") == "Permanent"
    return ReportKind.BOUNCED if is_hard else ReportKind.SOFT_BOUNCED

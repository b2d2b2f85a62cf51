"""What SES reports inside messages of SNS (docs.aws.amazon.com/ses, "Contents of event data").

Event publishing says `eventType`, feedback notifications `notificationType`; both are read.
One report may name several recipients; each of ours has one.
"""

from collections.abc import Mapping
from typing import Any

from api.callbacks.reading import (
    json_of,
    mapping_in,
    mapping_of,
    maybe_text,
    some,
    text_in,
    time_in,
)
from api.callbacks.report import Report, ReportKind
from engine.carried_keys import from_plain, key_carried

PROVIDER = "ses"

_PART_AND_KIND: Mapping[str, tuple[str, ReportKind]] = {
    "Delivery": ("delivery", ReportKind.DELIVERED),
    "DeliveryDelay": ("deliveryDelay", ReportKind.DELAYED),
    "Complaint": ("complaint", ReportKind.COMPLAINED),
    "Reject": ("reject", ReportKind.FAILED),
    "Rendering Failure": ("failure", ReportKind.FAILED),
    "Open": ("open", ReportKind.OPENED),
    "Click": ("click", ReportKind.CLICKED),
}


def read(message: Mapping[str, Any]) -> list[Report]:
    """What a (checked) notification of SNS reports; nothing where it is of no interest."""
    found = mapping_of(json_of(text_in(message, "Message").encode()), "`Message`")
    event = maybe_text(found, "eventType") or maybe_text(found, "notificationType") or ""
    if event == "Bounce":
        part, kind = mapping_in(found, "bounce"), _bounce(mapping_in(found, "bounce"))
    elif event == "Subscription":
        part, kind = mapping_in(found, "subscription"), ReportKind.UNSUBSCRIBED
    elif event in _PART_AND_KIND:
        name, kind = _PART_AND_KIND[event]
        part = mapping_in(found, name)
    else:
        return []  # that it was sent, or a test by SES itself
    mail = mapping_in(found, "mail")
    return [
        Report(
            provider=PROVIDER,
            id=text_in(message, "MessageId"),
            kind=kind,
            at=time_in(part if "timestamp" in part else mail, "timestamp"),
            channel="email",
            message_key=_key(mapping_in(mail, "tags")),
            provider_message_id=text_in(mail, "messageId"),
            address=_address(part, mail),
            url=maybe_text(part, "link"),
            details=some(part, "bounceType", "bounceSubType", "smtpResponse", "reason"),
        )
    ]


def _bounce(part: Mapping[str, Any]) -> ReportKind:
    """Undetermined and transient bounces may mend (…/notification-contents#bounce-types)."""
    is_hard = maybe_text(part, "bounceType") == "Permanent"
    return ReportKind.BOUNCED if is_hard else ReportKind.SOFT_BOUNCED


def _key(tags: Mapping[str, Any]) -> str | None:
    """Our key among the tags, each of which comes back as a list."""
    single = {name: value[0] for name, value in tags.items() if isinstance(value, list) and value}
    carried = key_carried(single)
    return None if carried is None else from_plain(carried)


def _address(part: Mapping[str, Any], mail: Mapping[str, Any]) -> str | None:
    for found in (part.get("bouncedRecipients"), part.get("complainedRecipients")):
        if isinstance(found, list) and found and isinstance(found[0], dict):
            return maybe_text(found[0], "emailAddress")
    to = mail.get("destination")
    return to[0] if isinstance(to, list) and to and isinstance(to[0], str) else None

"""What every channel's wording begins with: who it is from, its offer, its links, its words.

Each is made once a message, whichever channel it goes by; the channels' own files only put it
into their form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.case import Case
from activities.desk import Attempt
from activities.wording.links import links_of
from engine.gate import Go
from engine.policy import Sender
from rendering.links import Links
from rendering.messages import MessageContext, MessageSource, spoken_policy, spoken_sender
from rendering.senders import find_sender
from store.tables import Offer


@dataclass(frozen=True)
class Draft:
    """A message about to be worded. `leave` is the link by which to unsubscribe, if there is one.

    `at` is when it goes out, in journey time; `key` the message key. `label` says in a subject
    that the message is none of production's.
    """

    case: Case
    go: Go
    key: str
    at: datetime
    source: MessageSource
    sender: Sender
    leave: str | None
    offer: Offer | None
    context: MessageContext
    links: Links
    label: str | None = None


def begin(
    case: Case,
    go: Go,
    attempt: Attempt,
    links: Links,
    offer: Offer | None,
    label: str | None = None,
) -> Draft:
    """Make what the message needs beside its text. Raises RenderingError."""
    source = case.source(go.message)
    sender = _sender(case)
    theirs = links_of(case, go, links)
    return Draft(
        case=case,
        go=go,
        key=attempt.key,
        at=attempt.at,
        source=source,
        sender=sender,
        leave=theirs["unsubscribe"],
        offer=offer,
        context=_context(case, sender, offer, theirs),
        links=links,
        label=label,
    )


def _context(
    case: Case, sender: Sender, offer: Offer | None, links: Mapping[str, str | None]
) -> MessageContext:
    return MessageContext(
        customer=case.traits,
        event=case.occasion.event,
        start_event=case.enrollment.start_properties,
        journey=case.journey.journey,
        step=case.step.id,
        sender=spoken_sender(sender),
        policy=spoken_policy(case.policy),
        links=links,
        now=case.at,
        offer=None if offer is None else _spoken(offer),
        locale=_locale(case),
        default_locale=case.policy.locale,
        timezone=case.zone,
    )


def _locale(case: Case) -> str:
    said = case.traits.get("locale") or case.customer.context_locale
    return said if isinstance(said, str) else case.policy.locale


def _sender(case: Case) -> Sender:
    """The step's `from` if it names someone with an address, else the policy's sender."""
    return find_sender(case.step.sender, case.traits, case.occasion.event, case.policy.sender)


def _spoken(offer: Offer) -> Mapping[str, Any]:
    return {
        "code": offer.code,
        "percent": None if offer.percent is None else float(offer.percent),
        "amount": None if offer.amount is None else float(offer.amount),
        "free_shipping": offer.free_shipping,
        "expires_at": offer.valid_until_at,
    }

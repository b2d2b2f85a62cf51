"""What every channel's wording begins with: who it is from, its offer, its links, its words.

Each is made once a message, whichever channel it goes by; the channels' own files only put it
into their form.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.case import Case
from activities.desk import Attempt, UnsubscribeUrl
from engine.gate import Go
from engine.localtime import shift, zone
from engine.policy import Sender
from rendering.messages import MessageContext, MessageSource
from rendering.senders import compile_sender
from store.tables import Offer

# 32 letters and digits that no one mistakes for another; 8 of them give 40 bits, so that no
# shop's till lets anyone guess one.
_CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LENGTH = 8


@dataclass(frozen=True)
class Draft:
    """A message about to be worded. `leave` is the link by which to unsubscribe, if there is one.

    `at` is when it goes out, in journey time; `key` the message key.
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


def begin(case: Case, go: Go, attempt: Attempt, unsubscribe_url: UnsubscribeUrl) -> Draft:
    """Make what the message needs beside its text. Raises RenderingError."""
    source = case.source(go.message)
    sender = _sender(case)
    offer = _offer(case, attempt.key)
    leave = unsubscribe_url(case.customer.id, go.topic) if go.topic is not None else None
    return Draft(
        case=case,
        go=go,
        key=attempt.key,
        at=attempt.at,
        source=source,
        sender=sender,
        leave=leave,
        offer=offer,
        context=_context(case, sender, offer, leave),
    )


def _context(case: Case, sender: Sender, offer: Offer | None, leave: str | None) -> MessageContext:
    return MessageContext(
        customer=case.traits,
        event=case.occasion.event,
        start_event=case.enrollment.start_properties,
        journey=case.journey.journey,
        step=case.step.id,
        sender={"name": sender.name, "email": sender.email, "reply_to": sender.reply_to},
        policy={"postal_address": case.policy.postal_address},
        links={"unsubscribe": leave, "preferences": None, "confirm": None},
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
    usual = case.policy.sender
    if case.step.sender is None:
        return usual
    named = compile_sender(case.step.sender).find(case.traits, case.occasion.event)
    if named is None:
        return usual
    return Sender(name=named.name or usual.name, email=named.email)


def _offer(case: Case, key: str) -> Offer | None:
    """A coupon whose days count from when it goes out."""
    terms = case.step.offer
    if terms is None:
        return None
    tz = zone(case.zone)
    assert tz is not None  # `zone_of` gives only zones that exist
    return Offer(
        code="".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH)),
        customer_id=case.customer.id,
        enrollment_id=case.enrollment.id,
        journey=case.journey.journey,
        step=case.step.id,
        percent=terms.percent,
        amount=terms.amount,
        valid_until_at=shift(case.at, terms.valid.terms, tz),
        message_key=key,
    )


def _spoken(offer: Offer) -> Mapping[str, Any]:
    return {
        "code": offer.code,
        "percent": None if offer.percent is None else float(offer.percent),
        "amount": None if offer.amount is None else float(offer.amount),
        "expires_at": offer.valid_until_at,
    }

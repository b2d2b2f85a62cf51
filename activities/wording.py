"""From a verdict to finished bytes: who it is from, what it says, its offer, its links.

Everything random in a message (the coupon's code) is made here, once, before the claim;
whatever is sent later is the claimed bytes.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.facts import Case
from activities.providers.outcome import Mail
from engine.gate import Go
from engine.keys import message_id
from engine.localtime import shift, zone
from engine.policy import Sender
from rendering.mail import build_mail
from rendering.messages import MessageContext, render_email
from rendering.senders import compile_sender
from store.tables import Offer

# 31 letters and digits that no one mistakes for another; 8 of them give 39 bits, so that no
# shop's till lets anyone guess one.
_CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LENGTH = 8

# Makes the link by which this customer leaves this topic.
UnsubscribeUrl = Callable[[str, str], str]


@dataclass(frozen=True)
class Worded:
    """A message ready to be claimed: the mail, the offer in it, the hash of its text."""

    mail: Mail
    offer: Offer | None
    content_hash: str


def word(case: Case, go: Go, key: str, unsubscribe_url: UnsubscribeUrl, now: datetime) -> Worded:
    """Word the e-mail of a step. Raises RenderingError. `now` is journey time."""
    source = case.source(go.message)
    sender = _sender(case)
    offer = _offer(case, key)
    leave = unsubscribe_url(case.customer.id, go.topic) if go.topic is not None else None
    email = render_email(source, _context(case, sender, offer, leave))
    headers = {}
    if leave is not None:  # RFC 8058, section 3.1
        headers["List-Unsubscribe"] = f"<{leave}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    domain = case.policy.sender.email.rpartition("@")[2]
    raw = build_mail(
        email,
        sender_name=sender.name,
        sender_email=sender.email,
        recipient=go.address,
        reply_to=sender.reply_to,
        message_id=message_id(key, domain),
        date=now,
        headers=headers,
    )
    mail = Mail(
        key=key,
        sender=sender.email,
        recipient=go.address,
        subject=email.subject,
        raw=raw,
        customer_id=case.customer.id,
    )
    return Worded(mail=mail, offer=offer, content_hash=source.content_hash)


def _context(case: Case, sender: Sender, offer: Offer | None, leave: str | None) -> MessageContext:
    return MessageContext(
        customer=case.customer.traits,
        event=case.occasion.event,
        start_event=case.enrollment.start_properties,
        journey=case.journey.journey,
        step=case.step.id,
        sender={"name": sender.name, "email": sender.email, "reply_to": sender.reply_to},
        policy={"postal_address": case.policy.postal_address},
        links={"unsubscribe": leave, "preferences": None},
        now=case.occasion.delivery.at,
        offer=None if offer is None else _spoken(offer),
        locale=_locale(case),
        default_locale=case.policy.locale,
        timezone=case.zone,
    )


def _locale(case: Case) -> str:
    said = case.customer.traits.get("locale") or case.customer.context_locale
    return said if isinstance(said, str) else case.policy.locale


def _sender(case: Case) -> Sender:
    """The step's `from` if it names someone with an address, else the policy's sender."""
    usual = case.policy.sender
    if case.step.sender is None:
        return usual
    named = compile_sender(case.step.sender).find(case.customer.traits, case.occasion.event)
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
        step=case.step.id,
        percent=terms.percent,
        amount=terms.amount,
        valid_until_at=shift(case.occasion.delivery.at, terms.valid.terms, tz),
        message_key=key,
    )


def _spoken(offer: Offer) -> Mapping[str, Any]:
    return {
        "code": offer.code,
        "percent": None if offer.percent is None else float(offer.percent),
        "amount": None if offer.amount is None else float(offer.amount),
        "expires_at": offer.valid_until_at,
    }

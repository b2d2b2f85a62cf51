"""From a verdict to finished bytes: who it is from, what it says, its offer, its links.

Everything random in a message (the coupon's code) is made here, once, before the claim;
whatever is sent later is the claimed bytes.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from activities.case import Case
from activities.desk import Attempt, UnsubscribeUrl
from activities.providers.outcome import Mail
from engine.addresses import ascii_email
from engine.gate import Go
from engine.keys import message_id
from engine.localtime import shift, zone
from engine.policy import Sender
from rendering.errors import MailRefused
from rendering.mail import build_mail
from rendering.messages import MessageContext, render_email, spoken_policy, spoken_sender
from rendering.senders import find_sender
from store.tables import Offer

# 32 letters and digits that no one mistakes for another; 8 of them give 40 bits, so that no
# shop's till lets anyone guess one.
_CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LENGTH = 8


@dataclass(frozen=True)
class Worded:
    """A message ready to be claimed: the mail, the offer in it, the hash of its text."""

    mail: Mail
    offer: Offer | None
    content_hash: str


def word(case: Case, go: Go, attempt: Attempt, unsubscribe_url: UnsubscribeUrl) -> Worded:
    """Word the e-mail of a step. Raises RenderingError."""
    source = case.source(go.message)
    sender = _sender(case)
    offer = _offer(case, attempt.key)
    leave = unsubscribe_url(case.customer.id, go.topic) if go.topic is not None else None
    email = render_email(source, _context(case, sender, offer, leave))
    ours = _envelope("sender", case.policy.sender.email).rpartition("@")[2]
    raw = build_mail(
        email,
        sender_name=sender.name,
        sender_email=sender.email,
        recipient=go.address,
        reply_to=sender.reply_to,
        message_id=message_id(attempt.key, ours),
        date=attempt.at,
        headers={} if leave is None else _one_click(leave),
    )
    mail = Mail(
        key=attempt.key,
        sender=_envelope("sender", sender.email),
        recipient=_envelope("recipient", go.address),
        subject=email.subject,
        raw=raw,
        customer_id=case.customer.id,
    )
    return Worded(mail=mail, offer=offer, content_hash=source.content_hash)


def _envelope(role: str, address: str) -> str:
    """The address as SMTP takes it."""
    ascii_address = ascii_email(address)
    if ascii_address is None:  # not quoted: it may be a customer's
        raise MailRefused(f"the {role}'s address is not one that mail can be sent to")
    return ascii_address


def _one_click(leave: str) -> dict[str, str]:
    """RFC 8058, section 3.1."""
    return {
        "List-Unsubscribe": f"<{leave}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _context(case: Case, sender: Sender, offer: Offer | None, leave: str | None) -> MessageContext:
    return MessageContext(
        customer=case.traits,
        event=case.occasion.event,
        start_event=case.enrollment.start_properties,
        journey=case.journey.journey,
        step=case.step.id,
        sender=spoken_sender(sender),
        policy=spoken_policy(case.policy),
        links={"unsubscribe": leave, "preferences": None},
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

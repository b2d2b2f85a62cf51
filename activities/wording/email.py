"""Wording an e-mail: the mail as its bytes, and the envelope it goes in."""

from dataclasses import replace

from activities.providers.outcome import Mail
from activities.wording.draft import Draft
from activities.wording.observing import observed
from engine.addresses import ascii_email
from engine.keys import message_id
from rendering.errors import MailRefused
from rendering.mail import build_mail
from rendering.messages import render_email


def mail_of(draft: Draft) -> Mail:
    """Raises RenderingError."""
    sender, leave = draft.sender, draft.leave
    email = render_email(draft.source, draft.context)
    email = replace(email, html=observed(draft, email.html))
    if draft.label is not None:
        email = replace(email, subject=f"{draft.label} {email.subject}")
    ours = _envelope("sender", draft.case.policy.sender.email).rpartition("@")[2]
    raw = build_mail(
        email,
        sender_name=sender.name,
        sender_email=sender.email,
        recipient=draft.go.address,
        reply_to=sender.reply_to,
        message_id=message_id(draft.key, ours),
        date=draft.at,
        headers={} if leave is None else _one_click(leave),
    )
    return Mail(
        key=draft.key,
        sender=_envelope("sender", sender.email),
        recipient=_envelope("recipient", draft.go.address),
        subject=email.subject,
        raw=raw,
        customer_id=draft.case.customer.id,
    )


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

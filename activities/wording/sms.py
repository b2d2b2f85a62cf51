"""Wording a text message: what it says, and who it is from."""

from activities.providers.outcome import Sms
from activities.wording.draft import Draft
from rendering.sms import render_sms


def sms_of(draft: Draft) -> Sms:
    """Raises RenderingError."""
    policy = draft.case.policy.sms
    stop_text = policy.stop_text if draft.go.topic is not None else {}
    return Sms(
        key=draft.key,
        sender=policy.sender,
        recipient=draft.go.address,
        text=render_sms(draft.source, draft.context, stop_text),
        customer_id=draft.case.customer.id,
    )

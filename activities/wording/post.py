"""Wording a letter or a postcard: its page, whose it is, and where it goes."""

from activities.providers.outcome import Letter
from activities.wording.draft import Draft
from engine.policy import LetterKind
from engine.postal import postal_address
from rendering.errors import TemplateError
from rendering.messages import render_text
from rendering.sources import CARD


def letter_of(draft: Draft) -> Letter:
    """Raises RenderingError."""
    html = render_text(draft.source, CARD, draft.context)
    if not html:
        raise TemplateError("the page is empty", file=draft.source.full_name(CARD))
    recipient = postal_address(draft.case.traits)
    assert recipient is not None  # the gate lets nothing out to an address that can't be read
    policy = draft.case.policy.post
    return Letter(
        key=draft.key,
        kind=LetterKind.LETTER if policy is None else policy.kind,
        sender=None if policy is None else policy.return_address,
        recipient=recipient,
        html=html,
        customer_id=draft.case.customer.id,
    )

"""Wording a letter or a postcard: its page, whose it is, and where it goes."""

from activities.providers.outcome import Letter
from activities.wording.draft import Draft
from engine.postal import postal_address
from rendering.card import render_card
from rendering.errors import TemplateError
from rendering.sources import CARD


def letter_of(draft: Draft) -> Letter:
    """Raises RenderingError."""
    policy = draft.case.policy.post
    if policy is None:
        name = draft.source.full_name(CARD)
        raise TemplateError("policy.yaml has no `post`, which says who the sender is", file=name)
    recipient = postal_address(draft.case.traits)
    assert recipient is not None  # the gate lets nothing out to an address that can't be read
    return Letter(
        key=draft.key,
        kind=policy.kind,
        sender=policy.return_address,
        recipient=recipient,
        html=render_card(draft.source, draft.context),
        transactional=draft.go.topic is None,
        customer_id=draft.case.customer.id,
    )

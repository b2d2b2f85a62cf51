"""Wording a letter or a postcard: its page, whose it is, and where it goes."""

from activities.providers.outcome import Letter
from activities.wording.draft import Draft
from engine.postal import postal_address
from rendering.errors import TemplateError
from rendering.messages import render_text
from rendering.sources import CARD

# What Lob takes of a page that comes with the request (docs.lob.com, "HTML Examples").
_LONGEST_PAGE = 10_000


def letter_of(draft: Draft) -> Letter:
    """Raises RenderingError."""
    name = draft.source.full_name(CARD)
    policy = draft.case.policy.post
    if policy is None:
        raise TemplateError("policy.yaml has no `post`, which says who the sender is", file=name)
    html = render_text(draft.source, CARD, draft.context)
    if not html:
        raise TemplateError("the page is empty", file=name)
    if len(html) > _LONGEST_PAGE:
        raise TemplateError(
            f"the page has {len(html)} characters, more than {_LONGEST_PAGE}", file=name
        )
    recipient = postal_address(draft.case.traits)
    assert recipient is not None  # the gate lets nothing out to an address that can't be read
    return Letter(
        key=draft.key,
        kind=policy.kind,
        sender=policy.return_address,
        recipient=recipient,
        html=html,
        transactional=draft.go.topic is None,
        customer_id=draft.case.customer.id,
    )

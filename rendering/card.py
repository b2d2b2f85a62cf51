"""Wording a printed page, within what a printer takes."""

from rendering.errors import TemplateError
from rendering.messages import MessageContext, render_text
from rendering.sources import CARD, MessageSource

# What Lob takes of a page that comes with the request (docs.lob.com, "HTML Examples").
_LONGEST = 10_000


def render_card(source: MessageSource, context: MessageContext) -> str:
    """The page in the closest language. Raises TemplateError."""
    name = source.full_name(CARD)
    html = render_text(source, CARD, context)
    if not html:
        raise TemplateError("the page is empty", file=name)
    if len(html) > _LONGEST:
        raise TemplateError(f"the page has {len(html)} characters, more than {_LONGEST}", file=name)
    return html

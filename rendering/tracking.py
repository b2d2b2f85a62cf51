"""A worded mail whose links lead by way of us, and which may hold a picture of one pixel.

Decides which links of a mail that is; knows no token. Only the HTML is changed, never the
text part, where people see where they go. The surprising fact: it reads the HTML as
`css_inline` writes it, in which every value stands in double quotes.
"""

import re
from collections.abc import Callable
from html import escape, unescape

_ANCHOR = re.compile(r'<a(?P<attributes>(?:\s+[^\s=>"/]+(?:="[^"]*")?)*)\s*/?>', re.IGNORECASE)
_HREF = re.compile(r'(?P<before>\shref=")(?P<address>[^"]*)(?P<after>")', re.IGNORECASE)
_UNTRACKED = re.compile(r"\sdata-untracked(\s|=|$)", re.IGNORECASE)
_END = re.compile(r"</body\s*>(?!.*</body)", re.IGNORECASE | re.DOTALL)

# Hidden from screen readers; a picture of no size would be taken for spam's own trick.
_PIXEL = '<img src="{address}" width="1" height="1" alt="" role="presentation" style="border:0">'


def with_clicks(html: str, ours: str, by_way_of: Callable[[str], str]) -> str:
    """The HTML with every web link replaced by what `by_way_of` makes of it.

    Left alone are links that begin with `ours` (they act by themselves: unsubscribing),
    those with the attribute `data-untracked`, and all that are no web addresses.
    """

    def rewritten(anchor: re.Match[str]) -> str:
        if _UNTRACKED.search(anchor["attributes"]):
            return anchor[0]
        return _HREF.sub(_led, anchor[0], count=1)

    def _led(href: re.Match[str]) -> str:
        address = unescape(href["address"]).strip()
        if not address.lower().startswith(("http://", "https://")) or address.startswith(ours):
            return href[0]
        return f"{href['before']}{escape(by_way_of(address))}{href['after']}"

    return _ANCHOR.sub(rewritten, html)


def with_pixel(html: str, address: str) -> str:
    """The HTML with the picture at its end."""
    pixel = _PIXEL.format(address=escape(address))
    found = _END.search(html)
    if found is None:
        return html + pixel
    return html[: found.start()] + pixel + html[found.start() :]

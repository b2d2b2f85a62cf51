"""The text part of a mail, made from its HTML.

Decides what of the HTML a reader of plain text gets; knows no message. The surprising
fact: what is hidden by `display:none` (the preheader, usually) is left out, which
html2text alone would print. Nothing is escaped, for it is text and not Markdown.
"""

import re

from html2text import HTML2Text

_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
# Elements without an end tag (HTML standard, 13.1.2): they can't open a hidden region.
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"}
    | {"track", "wbr"}
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_FOLLOWABLE = re.compile(r"(https?|mailto|tel):", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n\s*\n\s*\n+")
# Tags as `css_inline` writes them, which may be read at a glance. In references and in what
# stands between some tags (`style`) there is more to read than meets the eye.
_START_TAG = re.compile(r'<([a-z][a-z0-9]*)((?: [a-z-]+="[^"&]*")*)>')
_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')
_END_TAG = re.compile(r"</([a-z][a-z0-9]*)>")
_RAW = frozenset(
    {"iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style"}
    | {"textarea", "title", "xmp"}
)


def text_of(html: str) -> str:
    """Readable text, links kept, lines unwrapped, ending in one newline."""
    text = _Reader().handle(html)
    lines = (line.rstrip() for line in text.splitlines())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip() + "\n"


class _Reader(HTML2Text):
    """html2text with the settings of a mail: no Markdown, blind to hidden elements."""

    def __init__(self) -> None:
        super().__init__(bodywidth=0)  # quoted-printable folds lines where it must
        self.images_to_alt = True
        self.ignore_tables = True  # tables of a mail are layout
        self.ignore_emphasis = True
        self.unicode_snob = True
        self._hidden = 0  # depth inside a hidden element
        self._link: str | None = None  # where the link leads that is being read
        self._words: list[str] = []  # what it says so far

    def updatepos(self, i: int, j: int) -> int:
        """Nobody asks for line numbers, and counting them took a sixth of the whole."""
        return j

    def parse_starttag(self, i: int) -> int:
        """The parser's own reads all that ever stood in a tag, which took most of the whole."""
        plain = _START_TAG.match(self.rawdata, i)
        if plain is None or plain[1] in _RAW:
            return super().parse_starttag(i)
        self.handle_starttag(plain[1], _ATTRIBUTE.findall(plain[2]))
        return plain.end()

    def parse_endtag(self, i: int) -> int:
        """The same for the end of an element."""
        plain = _END_TAG.match(self.rawdata, i)
        if plain is None or self.cdata_elem is not None:
            return super().parse_endtag(i)
        self.handle_endtag(plain[1])
        return plain.end()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if self._hidden or _HIDDEN.search(given.get("style") or ""):
            self._hidden += tag not in _VOID
        elif tag == "a":
            self._link, self._words = given.get("href"), []
        elif tag in _HEADINGS:
            super().handle_starttag("p", attrs)
        else:
            super().handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            self._hidden -= tag not in _VOID
        elif tag == "a":
            self._end_link()
        elif tag in _HEADINGS:
            super().handle_endtag("p")
        else:
            super().handle_endtag(tag)

    def handle_data(self, data: str, entity_char: bool = False) -> None:
        if not self._hidden:
            self._words.append(data)
            # As if each were a character reference: those are not escaped.
            super().handle_data(data, entity_char=True)

    def _end_link(self) -> None:
        link, self._link = self._link, None
        said = "".join(self._words).strip()
        if link and _FOLLOWABLE.match(link) and said not in (link, link.partition(":")[2]):
            super().handle_data(f" <{link}>", entity_char=True)  # RFC 3986, appendix C

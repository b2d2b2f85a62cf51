"""What is read at a glance reads as html2text and Python's parser read it, only faster."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendering import text_part
from rendering.text_part import text_of

_TAGS = ["a", "b", "br", "code", "del", "div", "em", "h1", "i", "img", "li", "ol", "p", "pre"]
_TAGS += ["q", "s", "script", "span", "strong", "style", "table", "tbody", "td", "textarea"]
_TAGS += ["title", "tr", "ul", "font", "center", "meta", "blockquote", "P", "x-y", "h7"]
_ATTRIBUTES = [
    ' style="display: none"',
    ' style="color: red"',
    ' href="https://acme.example/?a=1"',
    ' href="https://acme.example/?a=1&amp;copy=2&lt"',
    ' href="mailto:a@acme.example" title=""',
    ' alt="An > image" src="x"',
    " href=https://acme.example",
    " href='https://acme.example'",
    ' a="1" a="2"',
    ' a="1"b="2"',
    ' A="1"',
    " checked",
    ' a="never ends',
    "/",
    " /",
    "\n",
]
_WORDS = ["word", " ", "\n", "\xa0", "&nbsp;", "&amp;", "&#8217;", "&copy", "& ", "<", ">", "< b"]
_WORDS += ["<!-- a --->", "<!DOCTYPE html>", "<?x?>", "<![CDATA[x]]>", "</>", "</ p>", "</p x>"]
_WORDS += ["1. ", "*", "https://acme.example"]

_markup = st.lists(
    st.builds(
        lambda tag, attributes: f"<{tag}{attributes}>",
        st.sampled_from(_TAGS),
        st.lists(st.sampled_from(_ATTRIBUTES), max_size=2).map("".join),
    )
    | st.sampled_from(_TAGS).map("</{}>".format)
    | st.sampled_from(_WORDS),
    max_size=14,
).map("".join)


class _Plodder(text_part._Reader):
    """Reads every tag the long way."""

    parse_starttag = HTMLParser.parse_starttag
    parse_endtag = HTMLParser.parse_endtag


def _read_the_long_way(html: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_part, "_Reader", _Plodder)
        return text_of(html)


@given(_markup)
def test_a_tag_read_at_a_glance_says_what_it_says(html: str) -> None:
    assert text_of(html) == _read_the_long_way(html)


def test_reading_it_wrongly_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what stands in a `style` is no text, and must not be read as tags."""
    monkeypatch.setattr(text_part, "_RAW", frozenset())
    html = "<style><script></style><p>one</p>"
    assert text_of(html) != _read_the_long_way(html)

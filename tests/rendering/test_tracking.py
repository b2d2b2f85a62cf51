"""Links of a mail that lead by way of us: all of those, and nothing else."""

from html import escape
from html.parser import HTMLParser

from css_inline import CSSInliner
from hypothesis import given
from hypothesis import strategies as st

from rendering.tracking import with_clicks, with_pixel

OURS = "https://p.example/"


class Hrefs(HTMLParser):
    """The addresses of all links, as a mail program reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value or "" for name, value in attrs if name == "href"]


def hrefs(html: str) -> list[str]:
    reader = Hrefs()
    reader.feed(html)
    return reader.found


def led(html: str) -> str:
    return with_clicks(html, OURS, lambda address: f"{OURS}c/<{address}>")


def test_web_links_lead_by_way_of_us_and_others_do_not() -> None:
    html = CSSInliner().inline(
        "<p><a href=\"https://shop.example/?a=1&amp;b=2#x\">Shop</a> <a href='http://b.example'>B</a>"
        '<a href="https://p.example/u/token">Leave</a> <a href="mailto:a@b.example">Mail</a>'
        '<a href="https://c.example" data-untracked>C</a> <a name="here">Here</a>'
        '<a title="a > b" class=x href="HTTPS://d.example">D</a><abbr href="https://e.example">E</abbr>'
    )
    assert hrefs(led(html)) == [
        f"{OURS}c/<https://shop.example/?a=1&b=2#x>",
        f"{OURS}c/<http://b.example>",
        "https://p.example/u/token",
        "mailto:a@b.example",
        "https://c.example",
        f"{OURS}c/<HTTPS://d.example>",
    ]
    assert "https://e.example" in led(html)


@given(st.text(max_size=60), st.text(max_size=30))
def test_whatever_stands_in_an_address_or_beside_it_nothing_else_changes(
    address: str, title: str
) -> None:
    given_html = (
        f'<p><a title="{escape(title)}" href="https://x.example/{escape(address)}">Go</a></p>'
    )
    html = CSSInliner().inline(given_html)
    before, after = hrefs(html), hrefs(led(html))
    assert len(before) == len(after) == 1
    assert after == [f"{OURS}c/<{before[0].strip()}>"]
    assert after != before


def test_the_pixel_stands_at_the_end_and_takes_no_place() -> None:
    html = with_pixel("<html><body><p>Hi</p></body></html>", "https://p.example/o/x")
    assert html.index("<p>Hi</p>") < html.index("/o/x") < html.index("</body>")
    assert 'alt=""' in html
    assert with_pixel("<p>Hi</p>", "https://p.example/o/x").startswith("<p>Hi</p><img")

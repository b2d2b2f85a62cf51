"""What an event says of products is shown where it can be, and harms no message."""

import re
from decimal import Decimal
from typing import Any

import pytest

from rendering.errors import TemplateError
from rendering.messages import render_email
from rendering.plain import plain
from rendering.products import MAX_PRODUCTS, find_products, find_web_link
from rendering.sources import MessageSource
from tests.lint.checkout import ROOT
from tests.rendering.building import context, words

DESK = {
    "name": "Desk",
    "url": "https://shop.example/desk?a=1&b=2",
    "image_url": "http://shop.example/desk.png",
    "price": 349.5,
    "quantity": 2,
}
HOSTILE = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "cid:1",
    "//shop.example/desk",
    "/desk",
    "https:///desk",
    "https:shop.example",
    "https:\\\\shop.example",
    "https://bank.example@evil.example/",
    "https://[::1/",
    "https://shop.example/\x00",
    "https://shop.example/a b",
    "https://shop.example/\u202egpj",
    "https://shop.example/" + "a" * 3_000,
    "",
    5,
    True,
    {"a": 1},
    [],
]


def shown(*products: Any) -> list[dict[str, Any]]:
    return [dict(each) for each in find_products(plain(list(products), "event.products"))]


def page(products: Any, language: str = "en", **event: Any) -> str:
    """The journeys' own page of products, in a mail."""
    files = {"subject.txt": "x", "email.html": '{% include "products.html" %}'}
    text = (ROOT / "journeys" / "products.html").read_text()
    source = MessageSource("basket", files, {"products.html": text})
    policy = {"postal_address": "Paris", "currency": "EUR"}
    given = {"products": products, **event}
    spoken = context(event=given, policy=policy, locale=language, default_locale=language)
    return render_email(source, spoken).html


def test_a_product_is_taken_as_segment_writes_it() -> None:
    assert shown(DESK) == [{**DESK, "price": Decimal("349.5")}]


@pytest.mark.parametrize("link", HOSTILE)
def test_a_link_that_is_none_is_left_out(link: object) -> None:
    assert shown({**DESK, "url": link, "image_url": link}) == [
        {"name": "Desk", "price": Decimal("349.5"), "quantity": 2}
    ]
    assert words("{{ customer.a | web_link | default('none') }}", {"a": link}) == "none"


@pytest.mark.parametrize("link", ["https://shop.example", "HTTP://shop.example/café?a=ü"])
def test_a_link_to_the_web_is_kept(link: str) -> None:
    assert find_web_link(f" {link}\n") == link


def test_a_link_without_anything_to_stand_in_is_an_error() -> None:
    with pytest.raises(TemplateError, match="`web_link` has no value"):
        words("{{ customer.a | web_link }}", {"a": "javascript:x"})


@pytest.mark.parametrize(
    "price", ["free", "", "1e999", "nan", -1, 1e300, True, [], "9" * 41, float("inf"), None]
)
def test_a_price_that_is_none_is_left_out(price: object) -> None:
    assert "price" not in shown({"name": "Desk", "price": price})[0]


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "many", None])
def test_a_quantity_that_is_none_is_left_out(quantity: object) -> None:
    assert shown({"name": "Desk", "quantity": quantity}) == [{"name": "Desk"}]


def test_what_has_no_name_is_no_product_and_what_is_no_list_has_none() -> None:
    assert shown(*[{"price": 1}, {"name": " "}, {"name": 5}, "Desk", None, 5, [], DESK])[1:] == []
    for value in ("Desk", {"name": "Desk"}, 5, True):
        assert find_products(plain(value)) == []
    assert words("{{ event.products | products | length }}") == "0"


def test_a_long_list_and_a_long_name_are_cut() -> None:
    assert len(shown(*[DESK] * 1_000)) == MAX_PRODUCTS
    (long,) = shown({"name": "x\n" * 500})
    assert len(long["name"]) == 120


def test_the_page_shows_six_of_fifty_and_says_how_many_more() -> None:
    text = page([{**DESK, "name": f"Desk {number}"} for number in range(50)])
    assert re.findall(r'<img src="http://shop.example/desk.png" alt="(Desk \d)"', text) == [
        f"Desk {number}" for number in range(6)
    ]
    assert 'href="https://shop.example/desk?a=1&amp;b=2"' in text
    assert 'width="72" height="72"' in text
    assert "€349.50" in text
    assert "and 44 more" in text


def test_the_page_speaks_french() -> None:
    text = page([DESK] * 50, "fr")
    assert "et 44 de plus" in text
    assert "349,50&nbsp;€" in text


def test_the_page_shows_nothing_hostile_and_speaks_the_events_currency() -> None:
    hostile = [{"name": '<b>"Desk', "url": link, "image_url": link, "price": 5} for link in HOSTILE]
    text = page(hostile[:6], currency="USD")
    assert "<img" not in text
    assert "href" not in text
    assert "&lt;b&gt;" in text
    assert "$5.00" in text


def test_without_products_nothing_is_seen() -> None:
    for products in (None, [], "x", [None]):
        assert "<table" not in page(products)

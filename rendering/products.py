"""Products out of an event, fit to be shown: `{% for product in event.products | products %}`.

Decides what of Segment's e-commerce shape (`products: [{name, url, image_url, price,
quantity}]`) may stand in a message. Knows no page. The surprising fact: whatever is wrong
with a product leaves out that field, or the product if it has no name, and never the
message: a shop's data is not the author's mistake.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from rendering.plain import Fields, Items, Missing

# Beyond this, nobody reads on; a page of the shop says the rest.
MAX_PRODUCTS = 50
# Two lines of a phone; what is longer is a description.
_MAX_NAME = 120
# What browsers and mail programs follow without a doubt.
_MAX_LINK = 2_000
# Longer ones are no prices, and slow to read.
_MAX_DIGITS = 40
# Above this it is no price, and arithmetic on it would not be exact.
_MAX_PRICE = 10**12


def find_products(value: Any) -> Items:
    """The products of a list that can be shown, at most 50; none of what is no list.

    Each has a `name`; `url`, `image_url`, `price` and `quantity` where they can be used.
    """
    found = Items()
    found.path = "products"
    for each in value if isinstance(value, list) else ():
        if len(found) == MAX_PRODUCTS:
            break
        if isinstance(each, Mapping) and (name := _name(each.get("name"))):
            found.append(_product(name, each))
    return found


def find_web_link(value: Any) -> Any:
    """The address of a page or a picture on the web; missing if it is anything else.

    `javascript:`, `data:`, `file:` and the like are not, nor are an address without a host
    and one with a user's name in it, which shows another host than it leads to.
    """
    return value if isinstance(value, Missing) else _link(value) or Missing(name="web_link")


def _product(name: str, said: Mapping[str, Any]) -> Fields:
    given = {
        "name": name,
        "url": _link(said.get("url")),
        "image_url": _link(said.get("image_url")),
        "price": _price(said.get("price")),
        "quantity": _quantity(said.get("quantity")),
    }
    product = Fields({field: value for field, value in given.items() if value is not None})
    product.path = "product"
    return product


def _name(value: Any) -> str:
    name = " ".join(value.split()) if isinstance(value, str) else ""
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1].rstrip()}…"


def _link(value: Any) -> str | None:
    link = value.strip() if isinstance(value, str) else ""
    # Browsers read a backslash as a slash, and drop line breaks within an address.
    if not 0 < len(link) <= _MAX_LINK or "\\" in link or not link.isprintable() or " " in link:
        return None
    try:
        parts = urlsplit(link)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
        return link if is_web and "@" not in parts.netloc else None
    except ValueError:  # brackets that are no IPv6 address
        return None


def _price(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    written = str(value)
    try:
        price = Decimal(written if len(written) <= _MAX_DIGITS else "nan")
    except InvalidOperation:
        return None
    return price if price.is_finite() and 0 <= price <= _MAX_PRICE else None


def _quantity(value: Any) -> int | None:
    price = _price(value)
    return int(price) if price is not None and price >= 1 and price == int(price) else None

"""The filters and tests of templates and conditions: `{{ customer.plan | upper }}`.

Decides what each does with plain data; dates and money are `formats`, products are `products`.
Bounds on work and on missing fields are put around them by `sandbox`. The surprising fact:
`default` also replaces empty text, because "Hi ," is the same blunder as "Hi None,".
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from engine.values import at_path
from rendering.errors import ExpressionFailure
from rendering.formats import MANNERED_FILTERS
from rendering.kinds import Number, as_number, as_text
from rendering.plain import Items, Missing
from rendering.products import find_products, find_web_link

# A computed text longer than this is a mistake or an attack: a whole message is shorter.
MAX_TEXT = 100_000

# A field's name with those around it; longer ones would be split at every item.
_MAX_PATH = 200
# For `having` with a field alone: whatever its value is.
_ANY: Any = object()


def _default(value: Any, instead: Any = "") -> Any:
    return instead if isinstance(value, Missing) or value in ("", []) else value


def _capitalize(value: Any) -> str:
    text = as_text(value)
    return text[:1].upper() + text[1:]  # the rest stays: "McDonald", not "Mcdonald"


def _truncate(value: Any, length: int = 80) -> str:
    whole = as_text(value)
    if len(whole) <= length:
        return whole
    return whole[: max(length - 1, 0)].rsplit(" ", 1)[0].rstrip() + "…"


def _replace(value: Any, old: str, new: str) -> str:
    text, old, new = as_text(value), as_text(old), as_text(new)
    # Known before it is made: 100 KB of `a`, each replaced by 100 KB, is 10 GB.
    if len(text) + text.count(old) * len(new) > MAX_TEXT:
        raise ExpressionFailure("`replace` would make a text that is too long")
    return text.replace(old, new)


def _join(value: Any, between: str = ", ") -> str:
    texts = [as_text(each) for each in value]
    if sum(map(len, texts)) + len(texts) * len(as_text(between)) > MAX_TEXT:
        raise ExpressionFailure("`join` would make a text that is too long")
    return as_text(between).join(texts)


def _first(value: Any) -> Any:
    return next(iter(value), Missing(name="first"))


def _last(value: Any) -> Any:
    return value[-1] if len(value) else Missing(name="last")


def _having(value: Any, field: Any, wanted: Any = _ANY) -> Items:
    """Of a list of mappings, those whose field (`brand.name` too) is so, or is there at all."""
    if not isinstance(field, str) or not 0 < len(field) <= _MAX_PATH:
        raise ExpressionFailure("`having` takes the name of a field: `having('category')`")
    found = Items()
    found.path = "having"
    for each in value if isinstance(value, list) else ():
        said = at_path(each, field) if isinstance(each, Mapping) else None
        if said is not None and not isinstance(said, Missing) and wanted in (_ANY, said):
            found.append(each)
    return found


def _round(value: Any, digits: int = 0) -> Number:
    if not -15 <= digits <= 15:
        raise ExpressionFailure("`round` takes at most 15 digits")
    rounded: Any = round(as_number(value), digits)
    return int(rounded) if digits <= 0 else rounded


def _int(value: Any) -> int:
    try:
        return int(value if isinstance(value, Number) else float(_short(value)))
    except (ValueError, OverflowError):
        raise ExpressionFailure("`int` can't read this as a number") from None


def _float(value: Any) -> float:
    try:
        return float(value if isinstance(value, Number) else _short(value))
    except (ValueError, OverflowError):
        raise ExpressionFailure("`float` can't read this as a number") from None


def _short(value: Any) -> str:
    text = as_text(value)
    if len(text) > 40:  # no number of a message is longer, and reading long ones is slow
        raise ValueError
    return text


PLAIN_FILTERS: Mapping[str, Callable[..., Any]] = {
    "default": _default,
    "d": _default,
    "upper": lambda value: as_text(value).upper(),
    "lower": lambda value: as_text(value).lower(),
    "title": lambda value: as_text(value).title(),
    "capitalize": _capitalize,
    "trim": lambda value: as_text(value).strip(),
    "truncate": _truncate,
    "replace": _replace,
    "join": _join,
    "length": len,
    "count": len,
    "first": _first,
    "last": _last,
    "sort": sorted,
    "having": _having,
    "items": lambda value: list(value.items()) if isinstance(value, Mapping) else list(value),
    "round": _round,
    "abs": lambda value: abs(as_number(value)),
    "int": _int,
    "float": _float,
    "urlencode": lambda value: quote(as_text(value), safe=""),
    "products": find_products,
    "web_link": find_web_link,
}
# What may be given a field without a value, and makes something of it.
BEARS_MISSING = frozenset({"default", "d", "having", "products", "web_link"})
FILTERS = frozenset(PLAIN_FILTERS) | frozenset(MANNERED_FILTERS)


def _in(value: Any, container: Any) -> bool:
    if isinstance(container, str) and not isinstance(value, str):
        return False
    return value in container


TESTS: Mapping[str, Callable[..., bool]] = {
    "defined": lambda value: not isinstance(value, Missing),
    "undefined": lambda value: isinstance(value, Missing),
    "none": lambda value: isinstance(value, Missing),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, Number) and not isinstance(value, bool),
    "mapping": lambda value: isinstance(value, Mapping),
    "iterable": lambda value: isinstance(value, list | tuple),
    "even": lambda value: as_number(value) % 2 == 0,
    "odd": lambda value: as_number(value) % 2 == 1,
    "in": _in,
}

"""The filters and tests of templates and conditions: `{{ customer.plan | upper }}`.

Decides what each does with plain data. Bounds on work and on missing fields are put around
them by `sandbox`. The surprising fact: `default` also replaces empty text, because "Hi ,"
is the same blunder as "Hi None,".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal, is_currency

from engine.values import read_instant
from rendering.errors import ExpressionFailure
from rendering.plain import Missing

# A computed text longer than this is a mistake or an attack: a whole message is shorter.
MAX_TEXT = 100_000

Number = int | float | Decimal


@dataclass(frozen=True)
class Manner:
    """Whose habits dates and numbers follow: a language and a zone."""

    locale: Locale
    zone: ZoneInfo


@lru_cache(maxsize=64)
def find_locale(name: str) -> Locale | None:
    """The locale of a tag such as `fr` or `fr-CA`; its language alone if the rest is unknown."""
    for tag in (name, name.replace("_", "-").split("-")[0]):
        try:
            return Locale.parse(tag.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            continue
    return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Missing):
        value.fail()
    raise ExpressionFailure(f"text is needed here, not {_kind(value)}")


def _number(value: Any) -> Number:
    if isinstance(value, Number):
        return value
    if isinstance(value, Missing):
        value.fail()
    raise ExpressionFailure(f"a number is needed here, not {_kind(value)}: use `| float`")


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, Number):
        return "a number"
    if isinstance(value, Mapping):
        return "a group of fields"
    return "a date" if isinstance(value, date) else "a list"


def _default(value: Any, instead: Any = "") -> Any:
    return instead if isinstance(value, Missing) or value in ("", []) else value


def _capitalize(value: Any) -> str:
    text = _text(value)
    return text[:1].upper() + text[1:]  # the rest stays: "McDonald", not "Mcdonald"


def _truncate(value: Any, length: int = 80) -> str:
    text = _text(value)
    if len(text) <= length:
        return text
    return text[: max(length - 1, 0)].rsplit(" ", 1)[0].rstrip() + "…"


def _replace(value: Any, old: str, new: str) -> str:
    text, old, new = _text(value), _text(old), _text(new)
    # Known before it is made: 100 KB of `a`, each replaced by 100 KB, is 10 GB.
    if len(text) + text.count(old) * len(new) > MAX_TEXT:
        raise ExpressionFailure("`replace` would make a text that is too long")
    return text.replace(old, new)


def _join(value: Any, between: str = ", ") -> str:
    texts = [_text(each) for each in value]
    if sum(map(len, texts)) + len(texts) * len(_text(between)) > MAX_TEXT:
        raise ExpressionFailure("`join` would make a text that is too long")
    return _text(between).join(texts)


def _first(value: Any) -> Any:
    return next(iter(value), Missing(name="first"))


def _last(value: Any) -> Any:
    return value[-1] if len(value) else Missing(name="last")


def _round(value: Any, digits: int = 0) -> Number:
    if not -15 <= digits <= 15:
        raise ExpressionFailure("`round` takes at most 15 digits")
    rounded: Any = round(_number(value), digits)
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
    text = _text(value)
    if len(text) > 40:  # no number of a message is longer, and reading long ones is slow
        raise ValueError
    return text


def _instant(value: Any, manner: Manner) -> datetime:
    instant = read_instant(value, manner.zone)
    if instant is None:
        raise ExpressionFailure("this can't be read as a date: write it like `2026-11-30`")
    return instant.astimezone(manner.zone)


_FORMATS = frozenset({"short", "medium", "long", "full"})


def _format(name: str) -> str:
    if name not in _FORMATS:
        raise ExpressionFailure("a date's format is `short`, `medium`, `long` or `full`")
    return name


def _date(manner: Manner, value: Any, format: str = "long") -> str:
    return format_date(_instant(value, manner), _format(format), manner.locale)


def _weekday(manner: Manner, value: Any) -> str:
    return format_datetime(_instant(value, manner), "EEEE", locale=manner.locale)


def _time(manner: Manner, value: Any, format: str = "short") -> str:
    return format_time(_instant(value, manner), _format(format), manner.zone, manner.locale)


def _number_filter(manner: Manner, value: Any) -> str:
    return format_decimal(_number(value), locale=manner.locale)


def _money(manner: Manner, value: Any, currency: str) -> str:
    if not (isinstance(currency, str) and is_currency(currency, manner.locale)):
        raise ExpressionFailure("`money` needs a currency such as `'EUR'`")
    return format_currency(_number(value), currency, locale=manner.locale)


PLAIN_FILTERS: Mapping[str, Callable[..., Any]] = {
    "default": _default,
    "d": _default,
    "upper": lambda value: _text(value).upper(),
    "lower": lambda value: _text(value).lower(),
    "title": lambda value: _text(value).title(),
    "capitalize": _capitalize,
    "trim": lambda value: _text(value).strip(),
    "truncate": _truncate,
    "replace": _replace,
    "join": _join,
    "length": len,
    "count": len,
    "first": _first,
    "last": _last,
    "sort": sorted,
    "items": lambda value: list(value.items()) if isinstance(value, Mapping) else list(value),
    "round": _round,
    "abs": lambda value: abs(_number(value)),
    "int": _int,
    "float": _float,
    "urlencode": lambda value: quote(_text(value), safe=""),
}
MANNERED_FILTERS: Mapping[str, Callable[..., Any]] = {
    "date": _date,
    "time": _time,
    "weekday": _weekday,
    "number": _number_filter,
    "money": _money,
}
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
    "even": lambda value: _number(value) % 2 == 0,
    "odd": lambda value: _number(value) % 2 == 1,
    "in": _in,
}

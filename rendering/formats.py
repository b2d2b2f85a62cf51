"""Dates, numbers and money as the reader writes them: `{{ offer.expires_at | date }}`.

Decides by a `Manner` (language, zone, currency, and what time it is), which whoever renders
gives. The surprising fact: a percentage is given as people say it, 20 and not 0.2, because
that is how offers and events have it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent
from babel.numbers import is_currency as _is_currency

from engine.values import read_instant
from rendering.errors import ExpressionFailure
from rendering.kinds import as_number

# Up to here people count days: "in 13 days", and then "in 2 weeks".
_DAYS_COUNTED = 13


@dataclass(frozen=True)
class Manner:
    """Whose habits dates and numbers follow, and when it is; a condition has no `now`."""

    locale: Locale
    zone: ZoneInfo
    currency: str | None = None  # what amounts are in that don't say
    now: datetime | None = None


@lru_cache(maxsize=64)
def find_locale(name: str) -> Locale | None:
    """The locale of a tag such as `fr` or `fr-CA`; its language alone if the rest is unknown."""
    for tag in (name, name.replace("_", "-").split("-")[0]):
        try:
            return Locale.parse(tag.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            continue
    return None


def is_currency(code: object) -> bool:
    """Whether it is the code of a currency, such as `EUR` (ISO 4217)."""
    return isinstance(code, str) and _is_currency(code)


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


def _number(manner: Manner, value: Any) -> str:
    return format_decimal(as_number(value), locale=manner.locale)


def _percent(manner: Manner, value: Any) -> str:
    """20 is "20%", 12.5 is "12.5%"; to two decimals, where needed."""
    share = Decimal(str(as_number(value))) / 100
    pattern = re.sub(r"0(?=[^0]*$)", "0.##", manner.locale.percent_formats[None].pattern, count=1)
    return format_percent(share, pattern, locale=manner.locale)


def _money(manner: Manner, value: Any, currency: str | None = None, *, short: bool = False) -> str:
    """`short` leaves out the cents of whole amounts: "€10"."""
    code = currency if currency is not None else manner.currency
    if code is None:
        raise ExpressionFailure(
            "`money` needs a currency: write `money('EUR')`, or `currency: EUR` in `policy.yaml`"
        )
    if not is_currency(code):
        raise ExpressionFailure("`money` needs a currency such as `'EUR'`")
    amount = as_number(value)
    if not short or amount != int(amount):
        return format_currency(amount, code, locale=manner.locale)
    pattern = manner.locale.currency_formats["standard"].pattern.replace("0.00", "0")
    return format_currency(int(amount), code, pattern, locale=manner.locale, currency_digits=False)


def _relative(manner: Manner, value: Any) -> str:
    """How far away: "in 5 days", by the local calendar; "in 3 hours" on the same day."""
    if manner.now is None:
        raise ExpressionFailure("`relative` is for messages: a condition has no date of its own")
    at, now = _instant(value, manner), manner.now.astimezone(manner.zone)
    days = (at.date() - now.date()).days
    if days == 0:
        return format_timedelta(
            at - now, "minute", threshold=1, add_direction=True, locale=manner.locale
        )
    many = abs(days) > _DAYS_COUNTED
    # With a threshold that nothing reaches, the unit is the granularity.
    return format_timedelta(
        at.date() - now.date(), "day", threshold=1.0 if many else 10**6, add_direction=True,
        locale=manner.locale,
    )  # fmt: skip


MANNERED_FILTERS: Mapping[str, Callable[..., Any]] = {
    "date": _date,
    "time": _time,
    "weekday": _weekday,
    "relative": _relative,
    "number": _number,
    "percent": _percent,
    "money": _money,
}

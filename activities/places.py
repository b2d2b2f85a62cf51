"""The atlas: phone numbers, countries and public holidays, from libraries that are kept up.

Decides nothing: who is where is `engine.places`' to say. Phone numbers are libphonenumber's
(`phonenumbers`), holidays those of `holidays`, countries' zones the tz database's own table.
The surprising fact: both libraries are imported at the first question that needs them, since
most installations ask none, and `holidays` takes 40 ms, then 50 ms for a process's first
country.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

# 250 countries in two years, and some regions: a year of holidays takes some 2 KB.
_MOST_YEARS = 1000

# What libphonenumber says where it knows none.
_NO_ZONE = "Etc/Unknown"


def zones_of_phone(number: str, country: str | None) -> tuple[str, ...]:
    """The zones where that number may be, by its area or its country; none if it is not valid."""
    from phonenumbers.timezone import time_zones_for_number

    parsed = _parsed(number, country)
    if parsed is None:
        return ()
    return tuple(name for name in time_zones_for_number(parsed) if name != _NO_ZONE)


def country_of_phone(number: str, country: str | None) -> str | None:
    """The country that the number belongs to; None if it is not valid, or of no country."""
    from phonenumbers import region_code_for_number

    parsed = _parsed(number, country)
    code = None if parsed is None else region_code_for_number(parsed)
    return code if code is not None and code.isalpha() else None  # `001` is a network of no country


def e164(number: str, country: str | None) -> str | None:
    """`+33612345678` for `06 12 34 56 78` in France; None if no such number can exist."""
    from phonenumbers import PhoneNumberFormat, format_number, is_valid_number

    parsed = _parsed(number, country)
    if parsed is None or not is_valid_number(parsed):
        return None
    return format_number(parsed, PhoneNumberFormat.E164)


def zones_of_country(country: str) -> tuple[str, ...]:
    """Every zone of a country, as the tz database has them."""
    return tuple(zone for zone, code in _countries().items() if code == country)


def country_of_zone(zone: str) -> str | None:
    """The country that the tz database gives the zone, also under a former name of it."""
    known = _countries().get(zone)
    return known if known is not None else _countries().get(_links().get(zone, ""))


def is_holiday(day: date, country: str, region: str | None) -> bool:
    """Whether it is a public holiday there; of the region too, if that is one of its codes."""
    return day in _holidays(country, _subdivision(country, region), day.year)


def _parsed(number: str, country: str | None) -> "PhoneNumber | None":
    from phonenumbers import NumberParseException, parse

    try:
        return parse(number, country)
    except NumberParseException:
        return None


@cache
def _countries() -> Mapping[str, str]:
    """The country of each zone. In this table, unlike the newer one, each zone has just one."""
    lines = _tz_file("zone.tab").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return {zone: country for country, _, zone, *_ in rows}


@cache
def _links() -> Mapping[str, str]:
    """Other names of zones, such as the `Asia/Calcutta` that browsers still send."""
    rows = (line.split() for line in _tz_file("tzdata.zi").splitlines() if line.startswith("L "))
    return {other: zone for _, zone, other in rows}


def _tz_file(name: str) -> str:
    return files("tzdata").joinpath("zoneinfo", name).read_text(encoding="utf-8")


@lru_cache(maxsize=_MOST_YEARS)
def _holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    from holidays import country_holidays

    try:
        found = country_holidays(country, subdiv=subdivision, years=year)
    except NotImplementedError:  # a country that the library does not have
        return frozenset()
    return frozenset(found)


def _subdivision(country: str, region: str | None) -> str | None:
    """The region, if it is one that the library knows: `BY` in Germany."""
    code = (region or "").upper()
    return code if code in _subdivisions(country) else None


@cache
def _subdivisions(country: str) -> frozenset[str]:
    from holidays import list_supported_countries

    return frozenset(list_supported_countries().get(country, ()))

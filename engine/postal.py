"""Where a letter goes: a postal address, read from traits, and the one line that stands for it.

Decides what must be there for a letter to be sent at all; whether the house exists, only the
provider can tell. The surprising fact: who lives there is no part of the line, since what
comes back undeliverable does so for everybody at that address.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

# What an envelope has room for; longer lines are data gone wrong.
_LONGEST = 200

_FULL_NAMES = ("name", "fullName", "full_name")
_FIRST_NAMES = ("firstName", "first_name", "firstname")
_LAST_NAMES = ("lastName", "last_name", "lastname")


class PostalAddress(BaseModel):
    """Who lives where. `street` may have several lines; `country` is ISO 3166 alpha-2."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1, max_length=_LONGEST)
    street: str = Field(min_length=1, max_length=2 * _LONGEST)
    city: str = Field(min_length=1, max_length=_LONGEST)
    region: str | None = Field(default=None, max_length=_LONGEST)
    postcode: str | None = Field(default=None, max_length=40)
    country: str = Field(pattern=r"^[A-Z]{2}$", examples=["FR"])

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of the street, without empty ones."""
        return tuple(line for each in self.street.splitlines() if (line := _plain(each)))

    @property
    def line(self) -> str:
        """The address on one line, without the name: the same however it was laid out."""
        town = " ".join(part for part in (self.postcode, self.city) if part)
        parts = (*self.lines, town, self.region, self.country)
        return ", ".join(part for part in parts if part)


def has_address(traits: Mapping[str, Any]) -> bool:
    """Whether anything is said of where the customer lives."""
    said = traits.get("address")
    return bool(said.strip() if isinstance(said, str) else said)


def postal_address(traits: Mapping[str, Any]) -> PostalAddress | None:
    """The customer's, from the traits `address` (as Segment spells it) and `name`.

    None if it is not one that a letter can be sent to: somebody's name, a street, a town and
    a country. An address in one piece of text is none: nobody can tell its town.
    """
    said = traits.get("address")
    if not isinstance(said, Mapping):
        return None
    country = _text(said, "country", "country_code", "countryCode") or _text(traits, "country")
    parts = {
        "name": _name(traits),
        "street": _street(said),
        "city": _text(said, "city"),
        "region": _text(said, "state", "region") or None,
        "postcode": _text(said, "postalCode", "postal_code", "postcode", "zip") or None,
        "country": country.upper(),
    }
    try:
        return PostalAddress.model_validate(parts)
    except ValueError:
        return None


def _name(traits: Mapping[str, Any]) -> str:
    if whole := _text(traits, *_FULL_NAMES):
        return whole
    return " ".join(filter(None, (_text(traits, *_FIRST_NAMES), _text(traits, *_LAST_NAMES))))


def _street(said: Mapping[str, Any]) -> str:
    """Its lines stay lines."""
    whole = said.get("street")
    if not isinstance(whole, str):
        return ""
    return "\n".join(line for each in whole.splitlines() if (line := _plain(each)))


def _text(said: Mapping[str, Any], *names: str) -> str:
    """The first of the names that says something; numbers are text too, as postcodes go."""
    for name in names:
        value = said.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and (plain := _plain(value)):
            return plain
    return ""


def _plain(text: str) -> str:
    """One line without controls."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())

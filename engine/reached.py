"""Where a customer is reached by each channel, written in the one form that all spellings share.

Decides which trait says it and whether anything can be sent there. What a phone number means
takes a library's data, so whoever asks brings a `ReadPhone`. The surprising fact: an address
that nothing can be sent to still has a form, for it may be suppressed as well.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.addresses import ascii_email
from engine.postal import has_address, postal_address

# (number, country it is dialled in or None) → E.164, or None if there is no such number.
ReadPhone = Callable[[str, str | None], str | None]

_TRAITS = {"email": "email", "sms": "phone", "post": "address"}

# ITU-T E.164: a country code, which never begins with 0, and at most 15 digits in all.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_BETWEEN_DIGITS = re.compile(r"[\s().\-\u00a0]+")


@dataclass(frozen=True)
class Reached:
    """An address, and whether anything can be sent to one like it."""

    address: str
    is_valid: bool


def written_e164(number: str, country: str | None) -> str | None:
    """A number that says its country itself, without what is written between digits."""
    plain = _BETWEEN_DIGITS.sub("", number)
    return plain if _E164.fullmatch(plain) else None


def address_of(traits: Mapping[str, Any], channel: str) -> str | None:
    """What the customer's traits say, as they say it; None if that is not one text."""
    raw = traits.get(_TRAITS.get(channel, channel))
    return (raw.strip() or None) if isinstance(raw, str) else None


def reached(traits: Mapping[str, Any], channel: str, read_phone: ReadPhone) -> Reached | None:
    """Where the customer is reached by this channel; None if nothing is said of it."""
    if channel == "post":
        return _by_post(traits)
    said = address_of(traits, channel)
    if said is None:
        return None
    if channel == "email":
        return _as(said, ascii_email(said))
    if channel == "sms":
        return _as(said, read_phone(said, country_of(traits)))
    return Reached(said, is_valid=True)


def country_of(traits: Mapping[str, Any]) -> str | None:
    """The customer's country, ISO 3166 alpha-2: of the trait `country`, or of their address."""
    address = traits.get("address")
    of_address = address.get("country") if isinstance(address, Mapping) else None
    for said in (traits.get("country"), of_address):
        if isinstance(said, str) and re.fullmatch("[A-Za-z]{2}", said.strip()):
            return said.strip().upper()
    return None


def _by_post(traits: Mapping[str, Any]) -> Reached | None:
    if not has_address(traits):
        return None
    address = postal_address(traits)
    if address is None:
        return Reached(address_of(traits, "post") or "", is_valid=False)
    return Reached(address.line, is_valid=True)


def _as(said: str, written: str | None) -> Reached:
    return Reached(said if written is None else written, is_valid=written is not None)

"""Where a customer may be: the zones that are possible, and the days that are holidays there.

Decides in which order what is known of a customer counts; what phone numbers and countries
mean is told by an `Atlas`, since it takes libraries and their data. The surprising fact: a
place is worked out only when somebody asks, so who has a `timezone` and no quiet holidays
costs nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Protocol

from engine.localtime import zone
from engine.routing import zone_of
from engine.values import at_path


class Atlas(Protocol):
    """What is known of the world's places. Countries are ISO 3166 alpha-2, in capitals.

    Takes any text: what it does not know has no zones, no country and no holidays.
    """

    def zones_of_phone(self, number: str, country: str | None) -> tuple[str, ...]:
        """The zones where that number may be; `country` is for one written without its own."""

    def country_of_phone(self, number: str, country: str | None) -> str | None:
        """The country that the number belongs to."""

    def e164(self, number: str, country: str | None) -> str | None:
        """How it is dialled from everywhere; None if no such number can exist."""

    def zones_of_country(self, country: str) -> tuple[str, ...]:
        """Every zone of a country."""

    def country_of_zone(self, zone: str) -> str | None:
        """The country in which the zone's clocks are."""

    def is_holiday(self, day: date, country: str, region: str | None) -> bool:
        """Whether it is a public holiday there; of the region too, if that is one of its codes."""


@dataclass(frozen=True)
class Whereabouts:
    """Where a customer may be, by their traits and the last `context.timezone`.

    `default` is the policy's zone. Without an atlas neither phone nor country says anything.
    """

    traits: Mapping[str, Any]
    context_zone: str | None
    default: str
    atlas: Atlas | None = None

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """The zones that are possible, at least one, each of which exists.

        That of the `timezone` trait, else of the last context; else those of the phone
        number, else those of the country, else the policy's.
        """
        known, _ = zone_of(self.traits, self.context_zone, "")
        return (known,) if known else self._told_by_phone or self._of_country or (self.default,)

    def is_holiday(self, day: date) -> bool:
        """Whether it is a public holiday of the customer's country."""
        if self.atlas is None or self._home is None:
            return False
        return self.atlas.is_holiday(day, self._home, self._region)

    @cached_property
    def _home(self) -> str | None:
        """The country they name, else their phone number's, else that of their only zone."""
        if self.atlas is None or self._country is not None:
            return self._country
        if self._phone and (of_phone := self.atlas.country_of_phone(self._phone, None)):
            return of_phone
        return self.atlas.country_of_zone(self.zones[0]) if len(self.zones) == 1 else None

    @cached_property
    def _told_by_phone(self) -> tuple[str, ...]:
        if self.atlas is None or not self._phone:
            return ()
        return _existing(self.atlas.zones_of_phone(self._phone, self._country))

    @cached_property
    def _of_country(self) -> tuple[str, ...]:
        if self.atlas is None or self._country is None:
            return ()
        return _existing(self.atlas.zones_of_country(self._country))

    @cached_property
    def _country(self) -> str | None:
        for path in ("country", "address.country"):
            code = self._text(path).upper()
            if len(code) == 2 and code.isascii() and code.isalpha():
                return code
        return None

    @property
    def _region(self) -> str | None:
        return self._text("region") or self._text("address.state") or None

    @property
    def _phone(self) -> str:
        return self._text("phone")

    def _text(self, path: str) -> str:
        value = at_path(self.traits, path)
        return value.strip() if isinstance(value, str) else ""


def _existing(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if zone(name) is not None)

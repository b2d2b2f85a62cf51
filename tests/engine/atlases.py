"""An atlas for tests: it knows what it is told, and counts how often it is asked."""

from dataclasses import dataclass, field
from datetime import date

from engine.reached import written_e164


@dataclass
class FakeAtlas:
    """Zones and countries by number, zones by country, and holidays by country."""

    phones: dict[str, tuple[str, ...]] = field(default_factory=dict)
    phone_countries: dict[str, str] = field(default_factory=dict)
    countries: dict[str, tuple[str, ...]] = field(default_factory=dict)
    zone_countries: dict[str, str] = field(default_factory=dict)
    holidays: dict[str, frozenset[date]] = field(default_factory=dict)
    asked: list[object] = field(default_factory=list)

    def zones_of_phone(self, number: str, country: str | None) -> tuple[str, ...]:
        self.asked.append(("zones of phone", number, country))
        return self.phones.get(number, ())

    def country_of_phone(self, number: str, country: str | None) -> str | None:
        self.asked.append(("country of phone", number))
        return self.phone_countries.get(number)

    def e164(self, number: str, country: str | None) -> str | None:
        return written_e164(number, country)

    def zones_of_country(self, country: str) -> tuple[str, ...]:
        self.asked.append(("zones of country", country))
        return self.countries.get(country, ())

    def country_of_zone(self, zone: str) -> str | None:
        self.asked.append(("country of zone", zone))
        return self.zone_countries.get(zone)

    def is_holiday(self, day: date, country: str, region: str | None) -> bool:
        self.asked.append(("holiday", country, region))
        return day in self.holidays.get(country, frozenset())

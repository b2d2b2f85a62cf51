"""The atlas knows numbers, countries and holidays, takes any text, and loads nothing unasked."""

import subprocess
import sys
from datetime import date

import pytest
from holidays import country_holidays, list_supported_countries
from phonenumbers import SUPPORTED_REGIONS, example_number, format_number
from phonenumbers.phonenumberutil import PhoneNumberFormat

from activities import places
from engine.localtime import zone
from engine.places import Atlas, Whereabouts

HOSTILE = ["", " ", "+", "0", "+1" * 200, "a\0b", "\ud800", "tel:+1;ext=1", "+999999"]


def test_it_is_an_atlas() -> None:
    atlas: Atlas = places
    assert Whereabouts({"country": "JP"}, None, "UTC", atlas).zones == ("Asia/Tokyo",)


@pytest.mark.parametrize(
    ("number", "country", "zones"),
    [
        ("+33 6 12 34 56 78", None, {"Europe/Paris"}),
        ("+1 (604) 555-0123", None, {"America/Vancouver"}),
        ("+1 808 555 0123", None, {"Pacific/Honolulu"}),
        ("06 12 34 56 78", "FR", {"Europe/Paris"}),
        ("٠٦١٢٣٤٥٦٧٨", "FR", {"Europe/Paris"}),
        ("06 12 34 56 78", None, set()),
        ("+33 1", None, set()),
        ("+881 612 345 678", None, set()),  # a satellite's
    ],
)
def test_a_number_is_where_its_area_or_country_is(
    number: str, country: str | None, zones: set[str]
) -> None:
    assert set(places.zones_of_phone(number, country)) == zones


def test_a_number_of_no_area_may_be_anywhere_in_its_country() -> None:
    russian = places.zones_of_phone("+7 912 345 67 89", None)
    assert {"Europe/Moscow", "Asia/Vladivostok"} <= set(russian)
    toll_free = places.zones_of_phone("+1 800 555 0123", None)
    assert {"America/New_York", "Pacific/Honolulu"} <= set(toll_free)


def test_numbers_of_every_country_are_in_zones_that_exist() -> None:
    known = 0
    for region in sorted(SUPPORTED_REGIONS):
        number = example_number(region)
        assert number is not None
        text = format_number(number, PhoneNumberFormat.E164)
        zones = places.zones_of_phone(text, None)
        assert all(zone(name) is not None for name in zones), text
        known += bool(zones) and places.country_of_phone(text, None) is not None
    assert known > 240


def test_a_country_has_every_zone_of_its_clocks() -> None:
    assert places.zones_of_country("FR") == ("Europe/Paris",)
    assert set(places.zones_of_country("PT")) == {
        "Europe/Lisbon", "Atlantic/Madeira", "Atlantic/Azores",
    }  # fmt: skip
    assert len(places.zones_of_country("US")) > 25
    assert places.zones_of_country("XX") == ()


@pytest.mark.parametrize(
    ("name", "country"),
    [
        ("Europe/Paris", "FR"),
        ("Europe/Amsterdam", "NL"),  # which the tz database has as a link to another
        ("Asia/Calcutta", "IN"),  # a former name
        ("US/Pacific", "US"),
        ("UTC", None),
        ("", None),
    ],
)
def test_a_zone_is_in_one_country_or_none(name: str, country: str | None) -> None:
    assert places.country_of_zone(name) == country


@pytest.mark.parametrize(
    ("day", "country", "region", "is_holiday"),
    [
        (date(2026, 7, 14), "FR", None, True),
        (date(2026, 7, 15), "FR", None, False),
        (date(2026, 4, 6), "FR", None, True),  # Easter Monday
        (date(2027, 12, 31), "US", None, True),  # New Year's Day 2028, a Saturday, observed
        (date(2026, 1, 6), "DE", None, False),
        (date(2026, 1, 6), "DE", "by", True),  # Epiphany, in Bavaria
        (date(2026, 1, 6), "DE", "Atlantis", False),
        (date(2026, 12, 25), "XX", None, False),
    ],
)
def test_holidays_are_those_of_the_country_and_of_a_region_that_is_known(
    day: date, country: str, region: str | None, is_holiday: bool
) -> None:
    assert places.is_holiday(day, country, region) is is_holiday


def test_every_country_of_the_library_can_be_asked() -> None:
    countries = [code for code in list_supported_countries() if len(code) == 2]
    assert len(countries) > 200
    for country in countries:
        for day in (date(2026, 1, 1), date(2027, 1, 1)):
            wanted = day in country_holidays(country, years=day.year)
            assert places.is_holiday(day, country, None) is wanted, country


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_answered(text: str) -> None:
    assert places.zones_of_phone(text, None) == ()
    assert places.zones_of_phone(text, "FR") == ()
    assert places.country_of_phone(text, "XX") is None
    assert places.zones_of_country(text) == ()
    assert places.country_of_zone(text) is None
    assert not places.is_holiday(date(2026, 7, 15), "FR", text)


_UNASKED = """
import sys
from datetime import date
from activities import deliver, places
from engine.places import Whereabouts
traits = {"timezone": "Asia/Tokyo", "phone": "+33123456789", "country": "FR"}
where = Whereabouts(traits, None, "UTC", places)
assert where.zones == ("Asia/Tokyo",)
loaded = [name for name in ("phonenumbers", "holidays") if name in sys.modules]
assert where.is_holiday(date(2026, 7, 14))
print(loaded, "holidays" in sys.modules, "phonenumbers" in sys.modules)
"""


def test_who_has_a_zone_and_no_quiet_holidays_loads_no_library() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _UNASKED], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[] True False\n"

"""Where a customer may be: what counts first, and what is never asked."""

from datetime import date
from typing import Any

import pytest

from engine.places import Whereabouts
from tests.engine.atlases import FakeAtlas

MAY_DAY = date(2026, 5, 1)


def _atlas() -> FakeAtlas:
    return FakeAtlas(
        phones={"+1800": ("America/New_York", "America/Los_Angeles"), "+33": ("Europe/Paris",)},
        phone_countries={"+33": "FR"},
        countries={"US": ("America/New_York", "Pacific/Honolulu"), "XA": ("Mars/Olympus",)},
        zone_countries={"Europe/Rome": "IT"},
        holidays={"FR": frozenset({MAY_DAY}), "IT": frozenset({MAY_DAY})},
    )


def _where(context: str | None = None, **traits: Any) -> Whereabouts:
    return Whereabouts(traits, context, "Europe/Rome", _atlas())


@pytest.mark.parametrize(
    ("context", "traits", "zones"),
    [
        ("Asia/Tokyo", {"timezone": "Asia/Seoul", "phone": "+33"}, ("Asia/Seoul",)),
        ("Asia/Tokyo", {"timezone": "Asia/Soul", "phone": "+33"}, ("Asia/Tokyo",)),
        ("Tokyo", {"phone": "+33", "country": "US"}, ("Europe/Paris",)),
        (None, {"phone": " +1800 "}, ("America/New_York", "America/Los_Angeles")),
        (None, {"phone": "+0", "country": "us"}, ("America/New_York", "Pacific/Honolulu")),
        (None, {"address": {"country": "US"}}, ("America/New_York", "Pacific/Honolulu")),
        (None, {"country": "ZZ"}, ("Europe/Rome",)),
        (None, {"country": "United States"}, ("Europe/Rome",)),
        (None, {"country": 5, "phone": 33, "address": "1 Road"}, ("Europe/Rome",)),
        (None, {"country": "XA"}, ("Europe/Rome",)),  # a zone that there is not
        (None, {}, ("Europe/Rome",)),
    ],
)
def test_the_trait_comes_first_then_context_phone_country_and_policy(
    context: str | None, traits: dict[str, Any], zones: tuple[str, ...]
) -> None:
    assert _where(context, **traits).zones == zones


def test_a_national_number_is_read_by_the_country_that_the_customer_names() -> None:
    where = _where(phone="0612345678", country="fr")
    assert where.zones == ("Europe/Rome",)
    assert isinstance(where.atlas, FakeAtlas)
    assert ("zones of phone", "0612345678", "FR") in where.atlas.asked


@pytest.mark.parametrize(
    ("traits", "is_holiday"),
    [
        ({"country": "FR"}, True),
        ({"country": "US", "phone": "+33"}, False),  # what they say counts
        ({"phone": "+33"}, True),
        ({"address": {"country": "fr"}}, True),
        ({"timezone": "Europe/Rome"}, True),
        ({"timezone": "Asia/Tokyo"}, False),
        ({}, True),  # by the policy's zone, as all else
    ],
)
def test_holidays_are_those_of_the_customers_country(
    traits: dict[str, Any], is_holiday: bool
) -> None:
    assert _where(**traits).is_holiday(MAY_DAY) is is_holiday


@pytest.mark.parametrize("traits", [{"region": " CA "}, {"address": {"state": "CA"}}])
def test_a_region_goes_with_the_country(traits: dict[str, Any]) -> None:
    where = _where(country="US", **traits)
    where.is_holiday(MAY_DAY)
    assert isinstance(where.atlas, FakeAtlas)
    assert where.atlas.asked == [("holiday", "US", "CA")]


def test_who_has_a_zone_needs_no_atlas() -> None:
    where = _where(timezone="Asia/Tokyo", phone="+33", country="US")
    assert where.zones == ("Asia/Tokyo",)
    assert isinstance(where.atlas, FakeAtlas)
    assert where.atlas.asked == []


def test_without_an_atlas_phone_and_country_say_nothing() -> None:
    where = Whereabouts({"phone": "+33", "country": "FR"}, None, "Europe/Rome")
    assert where.zones == ("Europe/Rome",)
    assert not where.is_holiday(MAY_DAY)

"""What the filters say, in English and in French."""

import pytest

from rendering.errors import TemplateError
from rendering.filters import FILTERS
from tests.rendering.building import words

CUSTOMER = {
    "name": "ann McDonald",
    "tags": ["b", "a"],
    "at": "2026-11-30T23:30:00Z",
    "day": "2026-11-30",
    "unix": 1_796_081_400,
    "local": "2026-11-30T09:05",
    "price": 1234.5,
    "company": {"plan": "pro", "null": None},
}


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("{{ customer.name | upper }}", "ANN MCDONALD"),
        ("{{ customer.name | lower }}", "ann mcdonald"),
        ("{{ customer.name | title }}", "Ann Mcdonald"),
        ("{{ customer.name | capitalize }}", "Ann McDonald"),
        ("{{ '  a ' | trim }}", "a"),
        ("{{ 'one two three' | truncate(9) }}", "one two…"),
        ("{{ customer.name | replace('ann', 'Ann') }}", "Ann McDonald"),
        ("{{ customer.tags | join }}", "b, a"),
        ("{{ customer.tags | sort | join(' and ') }}", "a and b"),
        ("{{ customer.tags | first }}{{ customer.tags | last }}", "ba"),
        ("{{ customer.tags | length }}{{ customer.tags | count }}", "22"),
        ("{{ [] | first | d('nothing') }}", "nothing"),
        ("{% for k, v in customer.company | items %}{{ k }}={{ v }}{% endfor %}", "plan=pro"),
        ("{{ customer.price | round }}", "1234"),
        ("{{ 2.345 | round(1) }}", "2.3"),
        ("{{ -2 | abs }}", "2"),
        ("{{ '12' | int + 1 }}", "13"),
        ("{{ '1.5' | float + 1 }}", "2.5"),
        ("{{ 'a b&c' | urlencode }}", "a%20b%26c"),
        ("{{ customer.price | number }}", "1,234.5"),
        ("{{ customer.price | money('EUR') }}", "€1,234.50"),
        ("{{ 20 | percent }}", "20%"),
        ("{{ 12.5 | percent }}", "12.5%"),
        ("{{ 33.333 | percent }}", "33.33%"),
        ("{{ 1000 | percent }}", "1,000%"),
        ("{{ customer.price | money }}", "£1,234.50"),
        ("{{ 10 | money(short=true) }}", "£10"),
        ("{{ 10.0 | money('EUR', short=true) }}", "€10"),
        ("{{ 10.5 | money('EUR', short=true) }}", "€10.50"),
        ("{{ 10 | money('JPY') }}", "¥10"),
        ("{{ customer.at | relative }}", "in 8 days"),
        ("{{ now | relative }}", "in 0 minutes"),
        ("{{ '2026-11-23T20:00:00Z' | relative }}", "in 11 hours"),
        ("{{ '2026-11-24' | relative }}", "in 1 day"),
        ("{{ '2026-11-22' | relative }}", "1 day ago"),
        ("{{ '2026-12-06' | relative }}", "in 13 days"),
        ("{{ '2026-12-07' | relative }}", "in 2 weeks"),
        ("{{ '2027-02-23' | relative }}", "in 3 months"),
        ("{{ customer.at | date }}", "December 1, 2026"),
        ("{{ customer.at | date('short') }}", "12/1/26"),
        ("{{ customer.at | weekday }}", "Tuesday"),
        ("{{ customer.at | time }}", "12:30\u202fAM"),
        ("{{ customer.day | date }}", "November 30, 2026"),
        (
            "{{ customer.local | date }} {{ customer.local | time }}",
            "November 30, 2026 9:05\u202fAM",
        ),
        ("{{ customer.unix | date }}", "December 1, 2026"),
        ("{{ now | date }} {{ now.year }}", "November 23, 2026 2026"),
    ],
)
def test_in_english_in_the_customer_s_zone(text: str, english: str) -> None:
    policy = {"postal_address": "London", "currency": "GBP"}
    assert words(text, CUSTOMER, timezone="Europe/Paris", policy=policy) == english


@pytest.mark.parametrize(
    ("text", "french"),
    [
        ("{{ customer.at | date }}", "1 décembre 2026"),
        ("{{ customer.at | weekday }}", "mardi"),
        ("{{ customer.at | time }}", "00:30"),
        ("{{ customer.price | number }}", "1\u202f234,5"),
        ("{{ customer.price | money('EUR') }}", "1\u202f234,50\xa0€"),
        ("{{ 10 | money('EUR', short=true) }}", "10\xa0€"),
        ("{{ 20 | percent }}", "20\xa0%"),
        ("{{ 12.5 | percent }}", "12,5\xa0%"),
        ("{{ customer.at | relative }}", "dans 8 jours"),
    ],
)
def test_in_french(text: str, french: str) -> None:
    said = words(text, CUSTOMER, timezone="Europe/Paris", locale="fr", default_locale="fr")
    assert said == french


BASKET = {
    "products": [
        {"name": "T1", "category": "tablet", "brand": {"name": "Arc"}, "price": 300},
        {"name": "C1", "category": "case", "price": 20, "tablet": None},
        {"name": "T2", "category": "tablet", "brand": "Arc"},
        "tablet",
        ["category", "tablet"],
    ],
    "text": "tablet",
    "one": {"category": "tablet"},
}


@pytest.mark.parametrize(
    ("filtered", "names"),
    [
        ("customer.products | having('category', 'tablet')", "T1 T2"),
        ("customer.products | having('category', 'phone')", ""),
        ("customer.products | having('category')", "T1 C1 T2"),
        ("customer.products | having('brand')", "T1 T2"),
        ("customer.products | having('brand.name', 'Arc')", "T1"),
        ("customer.products | having('tablet')", ""),
        ("customer.products | having('tablet', none)", ""),
        ("customer.products | having('category', customer.favourite)", ""),
        ("customer.products | having('price', 20) | having('category', 'case')", "C1"),
        ("customer.nothing | having('category')", ""),
        ("customer.text | having('category')", ""),
        ("customer.one | having('category')", ""),
    ],
)
def test_having_finds_the_items_that_have_a_field(filtered: str, names: str) -> None:
    text = "{% for item in " + filtered + " %}{{ item.name }} {% endfor %}"
    assert words(text, BASKET).strip() == names


@pytest.mark.parametrize("field", ["''", "5", "customer.nothing", f"'{'x' * 300}'", ""])
def test_having_wants_the_name_of_a_field(field: str) -> None:
    with pytest.raises(TemplateError):
        words("{{ customer.products | having(" + field + ") | length }}", BASKET)


def test_a_zone_that_is_none_is_utc() -> None:
    assert words("{{ customer.at | time }}", CUSTOMER, timezone="../etc") == "11:30\u202fPM"


@pytest.mark.parametrize(
    "text",
    [
        "{{ customer.name | date }}",
        "{{ customer.day | date('dd.MM.yyyy') }}",
        "{{ customer.name | money('EUR') }}",
        "{{ 5 | money('EURO') }}",
        "{{ 5 | money }}",
        "{{ customer.name | percent }}",
        "{{ customer.name | relative }}",
        "{{ 5 | round(1000000) }}",
        "{{ 'a' | round }}",
        "{{ customer.company | upper }}",
        "{{ 5 | truncate('a') }}",
        "{{ customer.company }}",
        "{{ customer.tags }}",
        "{{ now }}",
    ],
)
def test_what_makes_no_sense_is_an_error(text: str) -> None:
    with pytest.raises(TemplateError, match=r"thanks/sms\.txt, line 1"):
        words(text, CUSTOMER)


def test_every_filter_bears_a_missing_field_in_its_own_way() -> None:
    for name in sorted(FILTERS - {"default", "d", "having", "products"}):
        with pytest.raises(TemplateError, match=r"`customer\.no` has no value"):
            words(f"{{{{ customer.no | {name} }}}}", CUSTOMER)

"""Where a customer is reached: one form for all spellings, and what nothing can be sent to."""

from typing import Any

import pytest

from engine.postal import postal_address
from engine.reached import Reached, country_of, reached, written_e164

HOME = {"street": "12 Rue Neuve", "city": "Lyon", "postalCode": "69005", "country": "fr"}
ADA = {"name": "Ada Lovelace", "address": HOME}


def at(channel: str, **traits: Any) -> Reached | None:
    return reached(traits, channel, written_e164)


@pytest.mark.parametrize(
    ("channel", "traits", "expected"),
    [
        ("email", {"email": " ada@münchen.example "}, Reached("ada@xn--mnchen-3ya.example", True)),
        ("email", {"email": "ada at example"}, Reached("ada at example", False)),
        ("email", {"email": "  "}, None),
        ("sms", {"phone": "+33 (6) 12-34.56 78"}, Reached("+33612345678", True)),
        ("sms", {"phone": "06 12 34 56 78"}, Reached("06 12 34 56 78", False)),
        ("sms", {"phone": 612345678}, None),
        ("post", ADA, Reached("12 Rue Neuve, 69005 Lyon, FR", True)),
        (
            "post",
            {"name": "Ada", "address": "12 Rue Neuve, Lyon"},
            Reached("12 Rue Neuve, Lyon", False),
        ),
        ("post", {"name": "Ada", "address": {}}, None),
        ("post", {"address": HOME}, Reached("", False)),
        ("post", {"name": "Ada"}, None),
    ],
)
def test_every_channel_has_its_trait_and_its_form(
    channel: str, traits: dict[str, Any], expected: Reached | None
) -> None:
    assert at(channel, **traits) == expected


def test_a_number_is_read_in_the_country_of_its_customer() -> None:
    asked: list[tuple[str, str | None]] = []

    def read(number: str, country: str | None) -> str:
        asked.append((number, country))
        return "+33612345678"

    for traits in ({"country": "FR"}, {"address": {"country": "fr"}}, {"country": "France"}):
        reached({"phone": "06 12", **traits}, "sms", read)
    assert asked == [("06 12", "FR"), ("06 12", "FR"), ("06 12", None)]


def test_a_country_in_words_is_none() -> None:
    assert country_of({"country": "France", "address": "Lyon"}) is None


@pytest.mark.parametrize("missing", ["street", "city", "country"])
def test_a_letter_needs_a_street_a_town_and_a_country(missing: str) -> None:
    assert postal_address(ADA) is not None
    assert postal_address({**ADA, "address": {**HOME, missing: " "}}) is None


def test_a_letter_needs_a_name_in_one_piece_or_in_two() -> None:
    first_and_last = postal_address({"firstName": "Ada", "lastName": "Byron", "address": HOME})
    assert first_and_last is not None
    assert first_and_last.name == "Ada Byron"
    assert postal_address({"name": " ", "address": HOME}) is None


def test_the_lines_of_a_street_stay_lines_and_nothing_else_breaks_one() -> None:
    street = "12 Rue Neuve\r\nBât. C\x00\n\n"
    found = postal_address({**ADA, "address": {**HOME, "street": street, "city": "Ly\non"}})
    assert found is not None
    assert found.lines == ("12 Rue Neuve", "Bât. C")
    assert found.line == "12 Rue Neuve, Bât. C, 69005 Ly on, FR"


def test_a_postcode_may_be_a_number() -> None:
    found = postal_address({**ADA, "address": {**HOME, "postalCode": 69005}})
    assert found is not None
    assert found.postcode == "69005"

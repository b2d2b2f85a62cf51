"""An audience loses the addresses of who was erased, and nothing else: it stays a condition."""

import pytest

from rendering.conditions import Kind, compile_condition
from store.audiences import without

ANN, CALLED = "ann@acme.example", "+33 6 12 34 56 78"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("customer.email == 'ann@acme.example'", "customer.email == 'erased'"),
        (
            'customer.email in ["Ann@Acme.example", "b@c.de"]',
            'customer.email in ["erased", "b@c.de"]',
        ),
        ("customer.phone == '+33 6 12 34 56 78'", "customer.phone == 'erased'"),
        ("'ann@acme.example' in customer.emails", "'erased' in customer.emails"),
        (
            "customer.to == 'Ann <ann@acme.example>, b@c.de'",
            "customer.to == 'Ann <erased>, b@c.de'",
        ),
    ],
)
def test_an_address_goes_wherever_it_stands_in_a_text(text: str, left: str) -> None:
    assert without(text, [ANN, CALLED]) == left
    compile_condition(left, Kind.AUDIENCE)


@pytest.mark.parametrize(
    "text",
    [
        "customer.email == 'joann@acme.example'",
        "customer.email == 'ann@acme.example.org'",
        "customer.email == 'ann@acme.examples'",
        "'@acme.example' in customer.email",
        "customer.phone == '+33 6 12 34 56 789'",
        "customer.plan == 'pro' and customer.visits == 0 and customer.zip == '75001'",
        r"customer.said == 'it\'s' and customer.plan == 'pro'",
    ],
)
def test_what_is_anothers_or_no_address_stays(text: str) -> None:
    compile_condition(text, Kind.AUDIENCE)
    # What traits of those names hold is whatever the app sent.
    odd = ["pro", "0", "75001", "@acme.example", "customer", "it", "'"]
    assert without(text, [ANN, CALLED, *odd]) == text


def test_a_quote_in_an_address_is_seen_through() -> None:
    told = (
        r"""customer.email == 'o\'brien@acme.example' or customer.cc == "o'brien@acme.example" """
    )
    left = without(told, ["o'brien@acme.example"])
    assert left == """customer.email == 'erased' or customer.cc == "erased" """
    compile_condition(left, Kind.AUDIENCE)


def test_what_is_left_is_never_longer() -> None:
    assert without("customer.email in ['a@b', 'ann@acme.example']", ["a@b", ANN]) == (
        "customer.email in ['era', 'erased']"
    )

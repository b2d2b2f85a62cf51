"""Phone numbers by libphonenumber: of the country they say, else of the customer's."""

import pytest

from activities.places import e164


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+33 6 12 34 56 78", None, "+33612345678"),
        ("0033612345678", "FR", "+33612345678"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("06 12 34 56 78", None, None),
        ("06 12", "FR", None),
        ("+999 12345678", "FR", None),
        ("call me", "FR", None),
        ("", None, None),
        ("06 12 34 56 78", "XX", None),
    ],
)
def test_a_number_is_dialled_from_everywhere_or_not_at_all(
    number: str, country: str | None, expected: str | None
) -> None:
    assert e164(number, country) == expected

"""Addresses that mail can be sent to, and none that smuggles it to somebody else."""

import pytest

from engine.addresses import ascii_email, valid_email


@pytest.mark.parametrize(
    "text",
    ["a@b.co", "Ann.Lee+tag@mail.acme.example", "o'hara@x.example", "a@xn--mnchen-3ya.example",
     "a" * 64 + "@x.example", "a@1und1.de", "a@b-c.example"],
)  # fmt: skip
def test_ordinary_addresses_are_valid(text: str) -> None:
    assert valid_email(text)
    assert ascii_email(text) == text


def test_other_letters_in_a_domain_become_punycode_and_space_around_goes() -> None:
    assert ascii_email(" ann@münchen.example\n") == "ann@xn--mnchen-3ya.example"


@pytest.mark.parametrize(
    "text",
    ["", "@", "a@", "@b.co", "a@b", "a b@c.co", "a@b c.co", "a@b.co,c@d.co", "a@b@c.co",
     "a..b@c.co",
     ".a@b.co", "a.@b.co", "a@.b.co", "a@b..co", "a@b.co.", "a@-b.co", "a@b-.co", "a@b.c",
     "a@1.2.3.4",
     "a@[1.2.3.4]", '"a b"@c.co', "<a@b.co>", "a@b.co\r\nBcc: c@d.co", "é@b.co", "a@b\u2028.co",
     "a%b@c.co\0", "a" * 65 + "@b.co", "a@" + "b." * 130 + "co", "a@" + "é" * 100_000 + ".co",
     "a@" + "b" * 64 + ".co", "(x)a@b.co", "a;b@c.co", "a:b@c.co"],
)  # fmt: skip
def test_tricks_and_typos_are_not(text: str) -> None:
    assert not valid_email(text)

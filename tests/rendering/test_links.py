"""Signed links: what they say comes back, whatever else is offered does not."""

import random
import string

import pytest

from rendering.links import (
    BadLinkError,
    Click,
    Confirm,
    Link,
    Links,
    Open,
    Preferences,
    Unsubscribe,
)

OLD, NEW = "o" * 32, "n" * 32
ALL: tuple[Link, ...] = (
    Unsubscribe("cust 42/é", "offers"),
    Unsubscribe("c1", None),
    Preferences("c1"),
    Confirm("c1", "news", "email"),
    Confirm("c1", "news", None),
    Click("trial:c1/coupon/start", "https://shop.example/?a=1&b=é#x"),
    Open("trial:c1/coupon/start"),
)
FORGERIES = 1_000_000


def read(links: Links, link: Link, token: str) -> Link:
    match link:
        case Unsubscribe():
            return links.unsubscribe(token)
        case Preferences():
            return links.preferences(token)
        case Confirm():
            return links.confirm(token)
        case Click():
            return links.click(token)
        case Open():
            return links.open(token)


@pytest.mark.parametrize("link", ALL)
def test_a_link_says_what_it_was_made_with(link: Link) -> None:
    links = Links("https://p.example/", [NEW])
    address = links.url(link)
    assert address.startswith("https://p.example/")
    assert read(links, link, address.rpartition("/")[2]) == link


@pytest.mark.parametrize("link", ALL)
def test_a_link_signed_before_the_key_changed_still_works(link: Link) -> None:
    token = Links("https://p.example", [OLD]).token(link)
    after = Links("https://p.example", [NEW, OLD])
    assert read(after, link, token) == link
    assert after.token(link) == Links("https://p.example", [NEW]).token(link)
    with pytest.raises(BadLinkError):
        read(Links("https://p.example", [NEW]), link, token)


@pytest.mark.parametrize("made", ALL)
@pytest.mark.parametrize("asked", ALL)
def test_a_link_serves_no_other_purpose(made: Link, asked: Link) -> None:
    links = Links("https://p.example", [NEW])
    if type(made) is type(asked):
        assert read(links, asked, links.token(made)) == made
    else:
        with pytest.raises(BadLinkError):
            read(links, asked, links.token(made))


def test_without_a_key_no_links_are_made() -> None:
    with pytest.raises(ValueError, match="without a key"):
        Links("https://p.example", [])


@pytest.mark.parametrize("link", ALL)
def test_no_other_spelling_of_a_signature_is_believed(link: Link) -> None:
    links = Links("https://p.example", [NEW])
    token = links.token(link)
    for letter in set(string.ascii_letters + string.digits + "-_") - {token[-1]}:
        with pytest.raises(BadLinkError):
            read(links, link, token[:-1] + letter)


def forged(chance: random.Random, tokens: list[str]) -> str:
    """A token altered, cut, made longer, put together from two, or made up."""
    token = chance.choice(tokens)
    at = chance.randrange(len(token))
    letters = string.ascii_letters + string.digits + "-_."
    match chance.randrange(5):
        case 0:
            return token[:at] + chance.choice(letters) + token[at + 1 :]
        case 1:
            return token[:at]
        case 2:
            return token + chance.choice(letters)
        case 3:
            said, _, _ = token.rpartition(".")
            return f"{said}.{chance.choice(tokens).rpartition('.')[2]}"
        case _:
            return "".join(chance.choices(letters, k=len(token)))


def accepted(tries: int) -> list[str]:
    """Forgeries that were believed."""
    links, chance = Links("https://p.example", [NEW, OLD]), random.Random(4)
    genuine = {links.token(link): link for link in ALL}
    tokens, believed = list(genuine), []
    for _ in range(tries):
        token = forged(chance, tokens)
        asked = chance.choice(ALL)
        try:
            said = read(links, asked, token)
        except BadLinkError:
            continue
        if genuine.get(token) != said:
            believed.append(token)
    return believed


def test_no_forged_link_is_believed() -> None:
    assert accepted(FORGERIES // 500) == []


@pytest.mark.long
def test_no_forged_link_of_a_million_is_believed() -> None:
    assert accepted(FORGERIES) == []


def test_the_forger_would_be_caught() -> None:
    """The control: one who has the key is believed."""
    links = Links("https://p.example", [NEW])
    assert links.unsubscribe(links.token(Unsubscribe("c2", "offers"))) == Unsubscribe(
        "c2", "offers"
    )

"""What people wrote to say whom a broadcast is for: somebody's address may stand in it.

Decides which words of such a text say who somebody is: their addresses, in a text that the
condition compares with. Not their ids: no condition sees those, and the same letters may be
a plan or a postcode. The surprising fact: a broadcast may be under way meanwhile, so what is
left has to be a condition still, no longer than before, and to hold for nobody for whom it did
not. An address that another customer has as well stays, therefore: it is theirs.
"""

import re
from collections.abc import Collection, Iterable

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store import customers
from store.tables import Broadcast

# A text as Jinja reads it: up to the same quote, of which one after a backslash is none.
_TEXT = re.compile(r"""(["'])((?:\\.|(?!\1).)*)\1""", re.DOTALL)

# What a trait holds that is called `email` or `phone` may be anything: `0` stands in many
# conditions. No telephone number is shorter, and no e-mail address without something before
# its `@`.
_LEAST_DIGITS = 7
_EMAIL = re.compile(r".+@.+")

# Nobody's address. Cut to the length of what it stands for: a condition has at most so many
# letters.
_INSTEAD = "erased"

# Beside what is an address of its own: `ann@acme.example` is not in `joann@acme.example`.
_NOT_AFTER, _NOT_BEFORE = r"(?<![\w.+%-])", r"(?![\w@-]|\.\w)"


async def forget(session: AsyncSession, addresses: Iterable[str], ids: Collection[str]) -> None:
    """Take these addresses of the customer with these ids out of every audience."""
    given = await session.execute(
        select(col(Broadcast.id), col(Broadcast.audience)).where(
            col(Broadcast.audience).is_not(None)
        )
    )
    known, texts = set(addresses), {name: text or "" for name, text in given.all()}
    if all(without(text, known) == text for text in texts.values()):
        return
    known -= await customers.addresses_of_others(session, known, ids)
    for name, audience in texts.items():
        text = without(audience, known)
        if text != audience:
            await session.execute(
                update(Broadcast).where(col(Broadcast.id) == name).values(audience=text)
            )


def without(audience: str, addresses: Iterable[str]) -> str:
    """The condition, with `erased` in place of these addresses in its texts."""
    told = sorted(filter(_is_address, addresses), key=len, reverse=True)
    if not told:
        return audience
    either = "|".join(re.escape(form) for each in told for form in _forms(each))
    named = re.compile(f"{_NOT_AFTER}(?:{either}){_NOT_BEFORE}", re.IGNORECASE)

    def erased(address: re.Match[str]) -> str:
        return _INSTEAD[: len(address[0])]

    return _TEXT.sub(lambda text: f"{text[1]}{named.sub(erased, text[2])}{text[1]}", audience)


def _is_address(text: str) -> bool:
    return bool(_EMAIL.fullmatch(text)) or sum(map(str.isdigit, text)) >= _LEAST_DIGITS


def _forms(address: str) -> tuple[str, ...]:
    """As it is, and as it stands between quotes of the kind that is in it."""
    return (address, *(address.replace(quote, f"\\{quote}") for quote in "'\"" if quote in address))

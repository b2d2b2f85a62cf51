"""What people wrote to say whom a broadcast is for: somebody's address may stand in it.

Decides which words of such a text say who somebody is: their addresses, in a text that the
condition compares with. Not their ids: no condition sees those, and the same letters may be
a plan or a postcode. The surprising fact: a broadcast may be under way meanwhile, so what is
left has to be a condition still, and to hold for nobody for whom it did not.
"""

import re
from collections.abc import Iterable

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.tables import Broadcast

# A text as Jinja reads it: up to the same quote, of which one after a backslash is none.
_TEXT = re.compile(r"""(["'])((?:\\.|(?!\1).)*)\1""", re.DOTALL)

# What a trait holds that is called `email` or `phone` may be anything: `0` stands in many
# conditions. No telephone number is shorter, and no e-mail address without something before
# its `@`.
_LEAST_DIGITS = 7
_EMAIL = re.compile(r".+@.+")

# Beside what is an address of its own: `ann@acme.example` is not in `joann@acme.example`.
_NOT_AFTER, _NOT_BEFORE = r"(?<![\w.+%-])", r"(?![\w@-]|\.\w)"


async def forget(session: AsyncSession, addresses: Iterable[str], instead: str) -> None:
    """Have `instead`, which is nobody's, stand in every audience for each of these addresses."""
    given = await session.execute(
        select(col(Broadcast.id), col(Broadcast.audience)).where(
            col(Broadcast.audience).is_not(None)
        )
    )
    known = list(addresses)
    for name, audience in given.all():
        assert audience is not None  # as it was asked for
        text = without(audience, known, instead)
        if text != audience:
            await session.execute(
                update(Broadcast).where(col(Broadcast.id) == name).values(audience=text)
            )


def without(audience: str, addresses: Iterable[str], instead: str) -> str:
    """The condition, with `instead` in place of these addresses in its texts."""
    told = sorted(filter(_is_address, addresses), key=len, reverse=True)
    if not told:
        return audience
    either = "|".join(re.escape(form) for each in told for form in _forms(each))
    named = re.compile(f"{_NOT_AFTER}(?:{either}){_NOT_BEFORE}", re.IGNORECASE)
    return _TEXT.sub(
        lambda text: f"{text[1]}{named.sub(lambda _: instead, text[2])}{text[1]}", audience
    )


def _is_address(text: str) -> bool:
    return bool(_EMAIL.fullmatch(text)) or sum(map(str.isdigit, text)) >= _LEAST_DIGITS


def _forms(address: str) -> tuple[str, ...]:
    """As it is, and as it stands between quotes of the kind that is in it."""
    return (address, *(address.replace(quote, f"\\{quote}") for quote in "'\"" if quote in address))

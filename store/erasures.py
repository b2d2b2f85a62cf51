"""Who was erased on request: asked of texts that somebody wants to bring in again.

Knows hashes only, and can name nobody: whoever asks gives the texts. The one surprising
fact: before the first erasure there is no salt, and then nobody was erased.
"""

import hashlib
import hmac
import re
from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.suppressions import normal_address
from store.tables import Erasure, ErasureSalt

# Parameters of one statement: SQLite takes 32,766, and a thousand cost no more each.
_AT_ONCE = 1000


async def erased_among(
    session: AsyncSession,
    ids: Collection[str],
    emails: Collection[str],
    phones: Collection[str],
) -> frozenset[str]:
    """Those of the texts, as they were given, that belong to somebody who was erased."""
    salt = await session.scalar(select(col(ErasureSalt.salt)).limit(1))
    if salt is None:
        return frozenset()
    asked: dict[str, set[str]] = {}
    for kind, texts in (("customer", ids), ("email", emails), ("phone", phones)):
        for text in texts:
            asked.setdefault(_hash(salt, kind, text), set()).add(text)
    found: set[str] = set()
    for hashes in _parts(sorted(asked)):
        rows = await session.scalars(select(col(Erasure.hash)).where(col(Erasure.hash).in_(hashes)))
        for each in rows:
            found |= asked[each]
    return frozenset(found)


def _hash(salt: bytes, kind: str, text: str) -> str:
    normal = {"email": normal_address, "phone": _normal_phone}.get(kind, str)(text)
    return hmac.new(salt, f"{kind}\n{normal}".encode(), hashlib.sha256).hexdigest()


def _normal_phone(text: str) -> str:
    """Its digits, and the `+` before them if there is one: all else is how people write it."""
    plus = "+" if text.strip().startswith("+") else ""
    return plus + re.sub(r"[^0-9]", "", text)


def _parts(hashes: list[str]) -> Iterable[list[str]]:
    return (hashes[start : start + _AT_ONCE] for start in range(0, len(hashes), _AT_ONCE))

"""Who was erased, as salted hashes: enough to know them again, not to say who they were.

An id is hashed as it is, an e-mail address as suppressions write it, a phone number as its
digits. The one surprising fact: the salt lies beside the hashes, for an import must be
compared with them; so they are pseudonyms, not anonymous, and hold for that purpose alone.
"""

import hashlib
import hmac
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.among import among
from store.inserting import insert_into, insert_new, sql_table, values_of
from store.suppressions import normal_address
from store.tables import Erasure, ErasureSalt

SALT_BYTES: Final = 32  # as long as the hash: more adds nothing (RFC 2104, section 3)


class Kind(StrEnum):
    """What was hashed."""

    CUSTOMER = "customer"
    EMAIL = "email"
    PHONE = "phone"


async def salted(session: AsyncSession, fresh: bytes) -> bytes:
    """The salt of this store: `fresh`, which is random, if there was none."""
    await insert_new(session, [ErasureSalt(id=1, salt=fresh)], unique="id")
    salt = await _salt(session)
    assert salt is not None  # ours, or that of whoever was faster
    return salt


def hash_of(salt: bytes, kind: Kind, text: str) -> str:
    """HMAC-SHA256 of what a text means, in hexadecimal."""
    told = f"{kind}\n{_normal(kind, text)}".encode("utf-8", "surrogatepass")
    return hmac.new(salt, told, hashlib.sha256).hexdigest()


async def remember(
    session: AsyncSession, salt: bytes, kind: Kind, text: str, at: datetime, ordinals: int = 0
) -> None:
    """Somebody was erased at `at` (wall time) who was called so, or reached there.

    `ordinals` is the highest ordinal of their enrollments; of several erasures the highest.
    """
    row = Erasure(hash=hash_of(salt, kind, text), kind=kind, at=at, ordinals=ordinals)
    known = await session.get(Erasure, row.hash)
    row.ordinals = max(ordinals, known.ordinals if known is not None else 0)
    statement = insert_into(session, Erasure)
    values = {"at": statement.excluded.at, "ordinals": statement.excluded.ordinals}
    statement = statement.on_conflict_do_update(index_elements=["hash"], set_=values)
    await session.execute(statement, values_of(row))


async def erased_among(
    session: AsyncSession,
    ids: Collection[str],
    emails: Collection[str],
    phones: Collection[str],
) -> frozenset[str]:
    """Those of the texts, as they were given, that belong to somebody who was erased."""
    return frozenset(await recognised(session, ids, emails, phones))


async def recognised(
    session: AsyncSession,
    ids: Collection[str],
    emails: Collection[str],
    phones: Collection[str],
) -> dict[str, int]:
    """The same, each with the highest ordinal of the enrollments that are forgotten.

    While nobody was ever erased, this asks for the salt and for nothing else.
    """
    given = {Kind.CUSTOMER: ids, Kind.EMAIL: emails, Kind.PHONE: phones}
    if not any(given.values()) or (salt := await _salt(session)) is None:
        return {}
    hashes: dict[str, list[str]] = {}
    for kind, texts in given.items():
        for text in sorted(set(texts)):
            hashes.setdefault(hash_of(salt, kind, text), []).append(text)
    found: dict[str, int] = {}
    statement = _among(session.get_bind().dialect.name)
    for known, ordinals in await session.execute(statement, {"hashes": sorted(hashes)}):
        for text in hashes[known]:
            found[text] = max(found.get(text, 0), ordinals)
    return found


@cache
def _among(dialect: str) -> Select[str, int]:
    known = among(dialect, sql_table(Erasure).c.hash, "hashes")
    return select(col(Erasure.hash), col(Erasure.ordinals)).where(known)


async def _salt(session: AsyncSession) -> bytes | None:
    return await session.scalar(select(col(ErasureSalt.salt)))


def _normal(kind: Kind, text: str) -> str:
    match kind:
        case Kind.CUSTOMER:
            return text
        case Kind.EMAIL:
            return normal_address(text)
        case Kind.PHONE:
            plus = "+" if text.strip().startswith("+") else ""
            return plus + "".join(c for c in text if c in "0123456789")

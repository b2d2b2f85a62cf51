"""API keys: made once, shown once, recognised by their hash.

A key is 128 random bits, so a plain SHA-256 keeps it: there is nothing to guess at, and no
slow hash is needed at every request.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.tables import ApiKey

_MARK = "pk_"  # so that a key is recognised when it turns up in a log or a repository
_RANDOM_BYTES = 16
_SHOWN = len(_MARK) + 6  # enough for a person to tell keys apart, too little to help guessing

# `last_used_at` is for finding keys that nobody uses; to the minute is exact enough, and
# saves a write at every request.
_USED_EVERY = timedelta(minutes=1)


async def create(
    session: AsyncSession, name: str, scopes: Iterable[str], at: datetime
) -> tuple[ApiKey, str]:
    """Make a key; the text is nowhere else, and can't be had again."""
    key = _MARK + secrets.token_hex(_RANDOM_BYTES)
    row = ApiKey(
        name=name,
        prefix=key[:_SHOWN],
        sha256=_hash(key),
        scopes=sorted(set(scopes)),
        created_at=at,
    )
    session.add(row)
    await session.flush()
    return row, key


async def find_valid(session: AsyncSession, key: str) -> ApiKey | None:
    """The row of a key that was given, unless it is unknown or revoked."""
    return await session.scalar(
        select(ApiKey).where(col(ApiKey.sha256) == _hash(key), col(ApiKey.revoked_at).is_(None))
    )


async def get_valid(session: AsyncSession, key_id: int) -> ApiKey | None:
    """The row of a key that was recognised before, unless it was revoked meanwhile."""
    return await session.scalar(
        select(ApiKey).where(col(ApiKey.id) == key_id, col(ApiKey.revoked_at).is_(None))
    )


def is_used_long_ago(row: ApiKey, at: datetime) -> bool:
    """Whether `touch` would write anything: ask before opening a transaction for it."""
    return row.last_used_at is None or row.last_used_at <= at - _USED_EVERY


async def touch(session: AsyncSession, row: ApiKey, at: datetime) -> None:
    """Note that the key was used, to the minute."""
    used_at = col(ApiKey.last_used_at)
    await session.execute(
        update(ApiKey)
        .where(col(ApiKey.id) == row.id, or_(used_at.is_(None), used_at <= at - _USED_EVERY))
        .values(last_used_at=at)
    )


async def revoke(session: AsyncSession, key_id: int, at: datetime) -> bool:
    """Refuse the key from now on; False if there is none, or it was revoked before."""
    revoked = await session.scalar(
        update(ApiKey)
        .where(col(ApiKey.id) == key_id, col(ApiKey.revoked_at).is_(None))
        .values(revoked_at=at)
        .returning(col(ApiKey.id))
    )
    return revoked is not None


async def every(session: AsyncSession) -> list[ApiKey]:
    """All keys, also revoked ones, oldest first."""
    return list(await session.scalars(select(ApiKey).order_by(col(ApiKey.id))))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

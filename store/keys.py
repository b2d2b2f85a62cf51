"""API keys: made once, shown once, recognised by their hash.

A key is 128 random bits, so a plain SHA-256 keeps it: there is nothing to guess at, and no
slow hash is needed at every request. The one surprising fact: two live keys may have one
name, and not more, so that a key is replaced without an hour in which neither works, and
old ones are not forgotten.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.database import StoreError
from store.tables import ApiKey

_MARK = "pk_"  # so that a key is recognised when it turns up in a log or a repository
_RANDOM_BYTES = 16
_SHOWN = len(_MARK) + 6  # enough for a person to tell keys apart, too little to help guessing
_KEY = re.compile(rf"{_MARK}[0-9a-f]{{{2 * _RANDOM_BYTES}}}")

# The new one, and the old one until every copy of the app has the new.
MOST_LIVE = 2


class TooManyKeysError(StoreError):
    """As many live keys as there may be have this name. `live` are they, oldest first."""

    def __init__(self, name: str, live: Sequence[ApiKey]) -> None:
        super().__init__(f"`{name}` has {len(live)} live keys already")
        self.live = live


async def create(
    session: AsyncSession,
    name: str,
    scopes: Iterable[str],
    at: datetime,
    events_per_second: int | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; the text is nowhere else, and can't be had again.

    `events_per_second` is its own rate limit: 0 is none, None the installation's. Raises
    TooManyKeysError.
    """
    await _lock(session)
    live = await live_of(session, name)
    if len(live) >= MOST_LIVE:
        for each in live:
            session.expunge(each)  # the transaction is undone, and could not be asked for them
        raise TooManyKeysError(name, live)
    key = _MARK + secrets.token_hex(_RANDOM_BYTES)
    row = ApiKey(
        name=name,
        prefix=key[:_SHOWN],
        sha256=hash_of(key),
        scopes=sorted(set(scopes)),
        created_at=at,
        events_per_second=events_per_second,
    )
    session.add(row)
    await session.flush()
    return row, key


def looks_like_one(text: str) -> bool:
    """Whether it could be a key at all: what can't be is not worth a query."""
    return _KEY.fullmatch(text) is not None


def hash_of(key: str) -> str:
    """What is kept of a key: its SHA-256, in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


async def find_valid(session: AsyncSession, key: str) -> ApiKey | None:
    """The row of a key that was given, unless it is unknown or revoked."""
    return await session.scalar(
        select(ApiKey).where(col(ApiKey.sha256) == hash_of(key), col(ApiKey.revoked_at).is_(None))
    )


async def get_valid(session: AsyncSession, key_id: int) -> ApiKey | None:
    """The row of a key that was recognised before, unless it was revoked meanwhile."""
    return await session.scalar(
        select(ApiKey).where(col(ApiKey.id) == key_id, col(ApiKey.revoked_at).is_(None))
    )


async def live_of(session: AsyncSession, name: str) -> list[ApiKey]:
    """The keys of this name that are not revoked, oldest first."""
    return list(
        await session.scalars(
            select(ApiKey)
            .where(col(ApiKey.name) == name, col(ApiKey.revoked_at).is_(None))
            .order_by(col(ApiKey.id))
        )
    )


async def note_used(session: AsyncSession, used: Mapping[int, datetime]) -> None:
    """Note when keys were last used, by their numbers; never an earlier time than is known."""
    used_at = col(ApiKey.last_used_at)
    for key_id, at in sorted(used.items()):  # in one order, so that no two APIs wait in a circle
        await session.execute(
            update(ApiKey)
            .where(col(ApiKey.id) == key_id, or_(used_at.is_(None), used_at < at))
            .values(last_used_at=at)
        )


async def revoke(session: AsyncSession, key_id: int, at: datetime) -> bool:
    """Refuse the key from now on; False if there is none, or it was revoked before.

    An API that knew the key goes on taking it for `api.keyring.KNOWN_FOR`.
    """
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


async def _lock(session: AsyncSession) -> None:
    """Keep others from making keys meanwhile; on SQLite, every writer is alone anyway."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("LOCK TABLE api_keys IN SHARE ROW EXCLUSIVE MODE"))

"""Journeys that enroll nobody any more, though they may still be published."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.built_once import run
from store.inserting import sql_table
from store.tables import Archive, ArchivedInside

# Of every page of a broadcast; events have it with the enrollments (`store.enrolled`).
_NAMES = select(sql_table(Archive).c.journey)


async def names(session: AsyncSession) -> frozenset[str]:
    """The archived journeys."""
    return frozenset((await run(session, _NAMES)).scalars())


async def every(session: AsyncSession) -> list[Archive]:
    """All of them, by name."""
    return list(await session.scalars(select(Archive).order_by(col(Archive.journey))))


async def put(
    session: AsyncSession, journey: str, inside: ArchivedInside, at: datetime, actor: str
) -> Archive:
    """Archive it; of one that is archived, change what becomes of those inside."""
    row = await session.get(Archive, journey)
    if row is None:
        row = Archive(journey=journey, inside=inside, at=at, actor=actor)
        session.add(row)
    row.inside = inside
    await session.flush()
    return row


async def remove(session: AsyncSession, journey: str) -> bool:
    """Let it enroll again; False if it was not archived."""
    gone = await session.scalar(
        delete(Archive).where(col(Archive.journey) == journey).returning(col(Archive.journey))
    )
    return gone is not None

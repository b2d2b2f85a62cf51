"""Stop buttons: pressed, lifted, and those in force, which `deliver` asks for.

Few are ever in force, and mostly none: `IN_FORCE` tells that within another query, and only
then are they read. The surprising fact: on PostgreSQL the commit of a button is not enough.
A claim that had looked before it may commit after it; see `store.overlap`.
"""

from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.stops import Target
from store.tables import Stop

_IS_IN_FORCE = col(Stop.lifted_at).is_(None)

# Whether any is: for a query that asks for other things as well.
IN_FORCE = exists().where(_IS_IN_FORCE)


async def in_force(session: AsyncSession) -> list[Stop]:
    """Those that hold now, in the order in which they were pressed."""
    found = await session.scalars(select(Stop).where(_IS_IN_FORCE).order_by(col(Stop.id)))
    return list(found)


async def targets(session: AsyncSession) -> tuple[Target, ...]:
    """What is stopped now."""
    return tuple(row.target for row in await in_force(session))


async def press(
    session: AsyncSession, target: Target, at: datetime, actor: str, why: str | None
) -> tuple[Stop, bool]:
    """Stop it; False if it is stopped already, and then the row is the one that does."""
    for row in await in_force(session):
        if row.target == target:
            return row, False
    row = Stop(
        scope=target.scope,
        journey=target.journey,
        step=target.step,
        channel=target.channel,
        at=at,
        actor=actor,
        why=why,
    )
    session.add(row)
    await session.flush()
    return row, True


async def lift(session: AsyncSession, target: Target, at: datetime, actor: str) -> list[Stop]:
    """Let it go on; the rows that stopped it, more than one if two pressed at once."""
    rows = [row for row in await in_force(session) if row.target == target]
    await session.execute(
        update(Stop)
        .where(col(Stop.id).in_([row.id for row in rows]), _IS_IN_FORCE)
        .values(lifted_at=at, lifted_by=actor)
    )
    for row in rows:
        await session.refresh(row)
    return rows


async def get(session: AsyncSession, stop_id: int) -> Stop | None:
    """One button, in force or not."""
    return await session.get(Stop, stop_id, populate_existing=True)


async def newest(session: AsyncSession, limit: int = 100) -> list[Stop]:
    """Those in force, and then those that were lifted; the newest first."""
    newest_first = col(Stop.lifted_at).is_not(None), col(Stop.id).desc()
    found = await session.scalars(select(Stop).order_by(*newest_first).limit(limit))
    return list(found)

"""What people and keys did, kept for good."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.tables import AuditEntry


async def record(session: AsyncSession, entry: AuditEntry) -> None:
    """Write an entry, in the transaction of what it tells of."""
    session.add(entry)
    await session.flush()


async def record_once(session: AsyncSession, entry: AuditEntry) -> bool:
    """Write an entry that may be told twice; False if it is there already."""
    there = await session.scalar(
        select(col(AuditEntry.id))
        .where(
            col(AuditEntry.enrollment_id) == entry.enrollment_id,
            col(AuditEntry.actor) == entry.actor,
            col(AuditEntry.action) == entry.action,
            col(AuditEntry.at) == entry.at,
        )
        .limit(1)
    )
    if there is not None:
        return False
    await record(session, entry)
    return True


async def newest(
    session: AsyncSession,
    *,
    enrollment_id: str | None = None,
    customer_id: str | None = None,
    limit: int = 100,
) -> list[AuditEntry]:
    """The entries, newest first; of one enrollment or one customer if given."""
    statement = select(AuditEntry)
    if enrollment_id is not None:
        statement = statement.where(col(AuditEntry.enrollment_id) == enrollment_id)
    if customer_id is not None:
        statement = statement.where(col(AuditEntry.customer_id) == customer_id)
    found = await session.scalars(statement.order_by(col(AuditEntry.id).desc()).limit(limit))
    return list(found)

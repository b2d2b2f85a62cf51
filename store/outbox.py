"""What Temporal still has to hear, in order for each customer.

Decides which rows a dispatcher may take; knows nothing of Temporal. The order holds because
a row is appended under its customer's lock, and because only the first pending row of a
customer can be taken. A row that must wait holds up its customer's later rows; a parked one
is put aside for a person and holds up nothing. All times are wall time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from store.tables import OutboxKind, OutboxRow

# How long a taken row belongs to its dispatcher. Longer than a call to Temporal may last
# with its time-out and a slow commit, short enough that a killed dispatcher's rows move on.
LEASE = timedelta(seconds=60)


@dataclass(frozen=True)
class Backlog:
    """How much waits, how long the oldest has, and how much was put aside."""

    pending: int
    oldest_at: datetime | None
    parked: int


async def append(
    session: AsyncSession,
    *,
    customer_id: str,
    kind: OutboxKind,
    payload: dict[str, Any],
    at: datetime,
    enrollment_id: str | None = None,
) -> OutboxRow:
    """Add a row for a customer whom this transaction has locked; its `id` is its sequence."""
    row = OutboxRow(
        customer_id=customer_id,
        enrollment_id=enrollment_id,
        kind=kind,
        payload=payload,
        created_at=at,
        not_before_at=at,
    )
    session.add(row)
    await session.flush()
    return row


async def heads(
    session: AsyncSession, limit: int, now: datetime, lease: timedelta = LEASE
) -> list[OutboxRow]:
    """Take the first pending row of up to `limit` customers, oldest first.

    They are this dispatcher's until `now + lease` once the transaction commits; then follow
    `mark_done`, `retry_later` or `park`, or another dispatcher takes them again.
    """
    earlier = aliased(OutboxRow)
    is_first = ~(
        select(col(earlier.id))
        .where(
            col(earlier.customer_id) == col(OutboxRow.customer_id),
            col(earlier.id) < col(OutboxRow.id),
            col(earlier.done_at).is_(None),
            col(earlier.parked_at).is_(None),
        )
        .exists()
    )
    leased_until = col(OutboxRow.leased_until_at)
    statement = (
        select(OutboxRow)
        .where(*_pending(), is_first)
        .where(col(OutboxRow.not_before_at) <= now)
        .where(or_(leased_until.is_(None), leased_until <= now))
        .order_by(col(OutboxRow.id))
        .limit(limit)
        # Two that look at once: the second passes over what the first is taking.
        .with_for_update(skip_locked=True, of=OutboxRow)
    )
    rows = list(await session.scalars(statement))
    for row in rows:
        row.leased_until_at = now + lease
    await session.flush()
    return rows


async def mark_done(session: AsyncSession, row_ids: Collection[int], at: datetime) -> None:
    """Temporal has heard them."""
    await session.execute(
        update(OutboxRow)
        .where(col(OutboxRow.id).in_(set(row_ids)))
        .values(done_at=at, leased_until_at=None, attempts=OutboxRow.attempts + 1)
    )


async def retry_later(
    session: AsyncSession, row_id: int, not_before_at: datetime, error: str
) -> None:
    """It did not work this time; nothing later of this customer goes before it."""
    await session.execute(
        update(OutboxRow)
        .where(col(OutboxRow.id) == row_id)
        .values(
            not_before_at=not_before_at,
            leased_until_at=None,
            attempts=OutboxRow.attempts + 1,
            last_error=error,
        )
    )


async def park(session: AsyncSession, row_id: int, at: datetime, reason: str) -> None:
    """It can never work as it is: put it aside for a person, with the reason."""
    await session.execute(
        update(OutboxRow)
        .where(col(OutboxRow.id) == row_id)
        .values(
            parked_at=at,
            parked_reason=reason,
            leased_until_at=None,
            attempts=OutboxRow.attempts + 1,
        )
    )


async def unpark(session: AsyncSession, row_id: int, at: datetime) -> bool:
    """Try a parked row again; False if it is not parked."""
    found = await session.scalar(
        update(OutboxRow)
        .where(col(OutboxRow.id) == row_id, col(OutboxRow.parked_at).is_not(None))
        .values(parked_at=None, parked_reason=None, not_before_at=at)
        .returning(col(OutboxRow.id))
    )
    return found is not None


async def parked(session: AsyncSession, limit: int = 100) -> list[OutboxRow]:
    """What was put aside, oldest first."""
    found = await session.scalars(
        select(OutboxRow)
        .where(col(OutboxRow.parked_at).is_not(None))
        .order_by(col(OutboxRow.id))
        .limit(limit)
    )
    return list(found)


async def backlog(session: AsyncSession) -> Backlog:
    """How far behind the dispatchers are."""
    pending, oldest_at = (
        await session.execute(
            select(func.count(), func.min(OutboxRow.created_at))
            .select_from(OutboxRow)
            .where(*_pending())
        )
    ).one()
    put_aside = await session.scalar(
        select(func.count()).select_from(OutboxRow).where(col(OutboxRow.parked_at).is_not(None))
    )
    return Backlog(pending=pending, oldest_at=oldest_at, parked=put_aside or 0)


def _pending() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(OutboxRow.done_at).is_(None), col(OutboxRow.parked_at).is_(None)

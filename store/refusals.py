"""Calls that could not be accepted, kept a while for whoever wires the app.

They are told apart by their number alone: the same call refused twice is kept twice, since
each time somebody sent it. All times here are journey time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.among import numbers_among
from store.inserting import sql_table, values_of
from store.tables import RefusedCall

# At 2.5 KB a row some 250 MB, whoever sends what. Those who look, look at the newest.
MOST_KEPT = 100_000


@dataclass(frozen=True)
class RefusedFilter:
    """Which refused calls to list; None does not filter. `customers` are ids as given."""

    customers: Collection[str] | None = None
    kind: str | None = None
    name: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class RefusedPlace:
    """A place in the list, newest first: what comes after it is older."""

    received_at: datetime
    id: int


async def append(session: AsyncSession, rows: Sequence[RefusedCall]) -> None:
    """Keep them, in this order."""
    if rows:
        await session.execute(insert(RefusedCall), [values_of(row) for row in rows])


async def newest(
    session: AsyncSession,
    which: RefusedFilter | None = None,
    *,
    limit: int = 100,
    after: RefusedPlace | None = None,
) -> list[RefusedCall]:
    """The refused calls that pass the filter, newest first; those `after` a place if given."""
    which = which or RefusedFilter()
    received_at, number = col(RefusedCall.received_at), col(RefusedCall.id)
    statement = select(RefusedCall)
    if which.customers is not None:
        statement = statement.where(col(RefusedCall.customer_id).in_(set(which.customers)))
    if which.kind is not None:
        statement = statement.where(col(RefusedCall.kind) == which.kind)
    if which.name is not None:
        statement = statement.where(col(RefusedCall.name) == which.name)
    if which.since is not None:
        statement = statement.where(received_at >= which.since)
    if after is not None:
        statement = statement.where(
            received_at <= after.received_at,
            or_(
                received_at < after.received_at,
                and_(received_at == after.received_at, number < after.id),
            ),
        )
    found = await session.scalars(
        statement.order_by(received_at.desc(), number.desc()).limit(limit)
    )
    return list(found)


async def prune(session: AsyncSession, before: datetime, limit: int) -> int:
    """Forget up to `limit` of those that are older, or more than MOST_KEPT; how many it were."""
    number = col(RefusedCall.id)
    newest_id = await session.scalar(select(func.max(number)))
    if newest_id is None:
        return 0
    oldest = (
        select(number)
        .where(or_(col(RefusedCall.received_at) < before, number <= newest_id - MOST_KEPT))
        .order_by(number)
        .limit(limit)
        # Another process that forgets the same rows is not waited for.
        .with_for_update(skip_locked=True)
    )
    gone = list(await session.scalars(oldest))
    if gone:
        rows = sql_table(RefusedCall)
        these = numbers_among(session.get_bind().dialect.name, rows.c.id, "ids")
        await session.execute(delete(rows).where(these), {"ids": gone})
    return len(gone)

"""A channel's rate, held over all workers: one row a channel, and whoever asks locks it.

Decides nothing (`engine.rates` does). The surprising fact: time is the database's. A rate is
one of real time, machines' clocks differ, and this is the one that all who share it have.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from engine.rates import Ask, Lines, Turn, moment, take
from store.inserting import insert_new, sql_table
from store.tables import SendSlots

_TABLE = sql_table(SendSlots)
_LOCK = (
    select(_TABLE.c.free_at, _TABLE.c.transactional_at, _TABLE.c.marketing_at, _TABLE.c.handed_at)
    .where(_TABLE.c.channel == bindparam("of"))
    .with_for_update()
)
_WRITE = update(_TABLE).where(_TABLE.c.channel == bindparam("of"))

# Its own statement, after the lock: what is asked together with a lock may be from before it.
# And not `now()`, which on PostgreSQL is when the transaction began.
_POSTGRES_NOW = text("SELECT clock_timestamp()")
_SQLITE_NOW = text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")


async def take_turn(session: AsyncSession, channel: str, every: timedelta, ask: Ask) -> Turn | None:
    """The turn of whoever asks now, given out when the transaction commits; None: too late."""
    row, now = await _locked(session, channel)
    lines = Lines(row.free_at, row.transactional_at, row.marketing_at)
    after, turn = take(lines, now, every, ask)
    if after != lines:
        await session.execute(
            _WRITE,
            {
                "of": channel,
                "free_at": after.free_at,
                "transactional_at": after.transactional_at,
                "marketing_at": after.marketing_at,
            },
        )
    return turn


async def take_moment(session: AsyncSession, channel: str, every: timedelta) -> timedelta:
    """How long from now a message is handed over whose turn it was; it may have been held up."""
    row, now = await _locked(session, channel)
    at = moment(row.handed_at, now, every)
    await session.execute(_WRITE, {"of": channel, "handed_at": at})
    return at - now


async def _locked(session: AsyncSession, channel: str) -> tuple[Any, datetime]:
    """The channel's row, made if there is none, and the time at which it was locked."""
    found = (await session.execute(_LOCK, {"of": channel})).one_or_none()
    now = await _now(session)
    if found is None:
        row = SendSlots(
            channel=channel,
            free_at=now,
            transactional_at=now,
            marketing_at=now,
            handed_at=now - timedelta(days=1),  # nobody yet
        )
        await insert_new(session, [row], unique="channel")
        found = (await session.execute(_LOCK, {"of": channel})).one()
    return found, now


async def _now(session: AsyncSession) -> datetime:
    """What the database's clock says."""
    if session.get_bind().dialect.name == "sqlite":
        said: str = (await session.execute(_SQLITE_NOW)).scalar_one()
        return datetime.fromisoformat(said).replace(tzinfo=UTC)
    now: datetime = (await session.execute(_POSTGRES_NOW)).scalar_one()
    return now

"""When customers are there: everybody's clicks by the hour of their own day, and one's own events.

Decides nothing: how hours rank is `engine.best_hour`'s. The surprising fact: a customer's own
hours are kept nowhere. They are read off the newest events when a journey asks for them, so
that no event costs anything.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.best_hour import HOURS, NEWEST, ranked, weighed
from engine.events import BuiltInEvent
from store.events import ACTIVITY
from store.inserting import insert_into
from store.tables import Event, HourOfClicks


async def best_hours(session: AsyncSession, customer_id: str, zone: ZoneInfo) -> tuple[int, ...]:
    """The hours of the customer's day, best first; empty where nobody's are known."""
    return ranked(weighed(await _own(session, customer_id), zone), await everybody(session))


async def count_click(session: AsyncSession, hour: int) -> None:
    """One more click in that hour of somebody's day.

    Best the last thing that a transaction does, for all of them write the same 24 rows.
    """
    assert hour in HOURS
    statement = insert_into(session, HourOfClicks).values(hour=hour, clicks=1)
    more = {"clicks": col(HourOfClicks.clicks) + 1}
    await session.execute(statement.on_conflict_do_update(index_elements=["hour"], set_=more))


async def forget(session: AsyncSession) -> None:
    """No hour has had any clicks."""
    await session.execute(delete(HourOfClicks))


async def everybody(session: AsyncSession) -> dict[int, int]:
    """How many clicks each hour has had; hours without any are left out."""
    rows = await session.execute(select(col(HourOfClicks.hour), col(HourOfClicks.clicks)))
    return {row.hour: row.clicks for row in rows}


async def _own(session: AsyncSession, customer_id: str) -> list[tuple[str, datetime]]:
    counts = or_(
        col(Event.kind).in_(ACTIVITY), col(Event.name) == BuiltInEvent.MESSAGE_CLICKED.value
    )
    rows = await session.execute(
        select(col(Event.name), col(Event.occurred_at))
        .where(col(Event.customer_id) == customer_id, counts)
        .order_by(col(Event.occurred_at).desc(), col(Event.message_id).desc())
        .limit(NEWEST)
    )
    return [(row.name or "", row.occurred_at) for row in rows]

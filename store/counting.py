"""How often customers did something: what `count(…)` of a condition asks, of many at once.

Decides nothing about windows: `engine.spans` does, for everybody who counts. The surprising
fact: most of what counts is never read. Only of the few days in which a window begins, in one
zone or another, are the times handed out.
"""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.expressions import Duration
from engine.spans import Span, instant, microseconds
from store.tables import Event, EventStats


async def how_often(
    session: AsyncSession,
    name: str,
    within: Duration | None,
    zones: Mapping[str, ZoneInfo],
    at: datetime,
) -> dict[str, int]:
    """How often customers did it, ever or as of `at`, in one statement; who never did is left out.

    `zones` has the customers, each with the zone by whose calendar it counts.
    """
    if within is None:
        return await _ever(session, name, zones)
    return await _within(session, name, Span(within), zones, at)


async def _ever(session: AsyncSession, name: str, zones: Mapping[str, ZoneInfo]) -> dict[str, int]:
    found = await session.execute(
        select(col(EventStats.customer_id), col(EventStats.count)).where(
            col(EventStats.name) == name, col(EventStats.customer_id).in_(zones)
        )
    )
    return {row[0]: row[1] for row in found}


async def _within(
    session: AsyncSession, name: str, span: Span, zones: Mapping[str, ZoneInfo], at: datetime
) -> dict[str, int]:
    now, happened = microseconds(at), col(Event.occurred_at)
    each = (
        select(
            col(Event.customer_id).label("who"),
            # None: it counts whatever the zone.
            case((happened <= instant(now - span.at_least), happened)).label("doubtful_at"),
        )
        .where(
            col(Event.name) == name,
            col(Event.customer_id).in_(zones),
            happened > instant(now - span.at_most),
        )
        .subquery()
    )
    counted = select(each.c.who, each.c.doubtful_at, func.count())
    found: dict[str, int] = {}
    for who, doubtful_at, number in await session.execute(
        counted.group_by(each.c.who, each.c.doubtful_at)
    ):
        if doubtful_at is None or span.counts(doubtful_at, at, zones[who]):
            found[who] = found.get(who, 0) + number
    return found

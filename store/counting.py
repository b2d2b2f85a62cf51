"""How often customers did something: what `count(…)` of a condition asks, of many at once.

Decides nothing about windows: `engine.spans` does, for everybody who counts. The surprising
fact: most of what counts is never read. Only of the few days in which a window begins, in one
zone or another, are the times handed out.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from sqlalchemy import Executable, bindparam, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from engine.expressions import Duration
from engine.spans import Span, instant, microseconds
from store.among import among
from store.built_once import run
from store.inserting import sql_table
from store.tables import Event, EventStats

_EVENTS, _STATS = sql_table(Event).c, sql_table(EventStats).c


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
    given = {"name": name, "ids": sorted(zones)}
    found = await run(session, _counts(session.get_bind().dialect.name), given)
    return {row[0]: row[1] for row in found}


async def _within(
    session: AsyncSession, name: str, span: Span, zones: Mapping[str, ZoneInfo], at: datetime
) -> dict[str, int]:
    now = microseconds(at)
    given = {
        "name": name,
        "ids": sorted(zones),
        "doubtful_until": instant(now - span.at_least),
        "after": instant(now - span.at_most),
    }
    found: dict[str, int] = {}
    for who, doubtful_at, number in await run(
        session, _counts_within(session.get_bind().dialect.name), given
    ):
        if doubtful_at is None or span.counts(doubtful_at, at, zones[who]):
            found[who] = found.get(who, 0) + number
    return found


@cache
def _counts(dialect: str) -> Executable:
    return select(_STATS.customer_id, _STATS.count).where(
        _STATS.name == bindparam("name"), among(dialect, _STATS.customer_id, "ids")
    )


@cache
def _counts_within(dialect: str) -> Executable:
    happened = _EVENTS.occurred_at
    each = (
        select(
            _EVENTS.customer_id.label("who"),
            # None: it counts whatever the zone.
            case((happened <= bindparam("doubtful_until"), happened)).label("doubtful_at"),
        )
        .where(
            _EVENTS.name == bindparam("name"),
            among(dialect, _EVENTS.customer_id, "ids"),
            happened > bindparam("after"),
        )
        .subquery()
    )
    columns = each.c.who, each.c.doubtful_at
    return select(*columns, func.count()).group_by(*columns)

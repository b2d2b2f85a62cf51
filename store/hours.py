"""When customers are there: everybody's clicks by the hour of their own day, and one's own events.

Decides nothing: how hours rank is `engine.best_hour`'s. The surprising fact: a customer's own
hours are kept nowhere. They are read off the newest events when a journey asks for them, so
that no event costs anything.
"""

from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, cast, delete, null, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.best_hour import HOURS, NEWEST, ranked, weighed
from engine.events import BuiltInEvent
from store.built_once import run
from store.events import ACTIVITY
from store.inserting import insert_into, sql_table
from store.tables import Event, HourOfClicks
from store.tables.columns import UTC_TIME


async def best_hours(session: AsyncSession, customer_id: str, zone: ZoneInfo) -> tuple[int, ...]:
    """The hours of the customer's day, best first; empty where nobody's are known."""
    own, everybodys = [], {}
    for name, at, hour, clicks in await run(session, _ASKED, {"who": customer_id}):
        if hour is None:
            own.append((name or "", at))
        else:
            everybodys[hour] = clicks
    return ranked(weighed(own, zone), everybodys)


async def count_click(session: AsyncSession, hour: int) -> None:
    """One more click in that hour of somebody's day.

    Best the last thing that a transaction does, for all of them write the same 24 rows.
    """
    assert hour in HOURS
    statement = insert_into(session, HourOfClicks).values(hour=hour, clicks=1)
    more = {"clicks": col(HourOfClicks.clicks) + 1}
    await session.execute(statement.on_conflict_do_update(index_elements=["hour"], set_=more))


async def forget(session: AsyncSession) -> None:
    """Nobody has ever clicked: for rehearsals, whose customers know nothing of each other."""
    await session.execute(delete(HourOfClicks))


# Asked whenever somebody enters such a journey: built once, past the session, and in one.
_CLICKS, _EVENTS = sql_table(HourOfClicks), sql_table(Event)
_OWN = (
    select(_EVENTS.c.name, _EVENTS.c.occurred_at)
    .where(
        _EVENTS.c.customer_id == bindparam("who"),
        or_(
            *(_EVENTS.c.kind == kind for kind in sorted(ACTIVITY)),
            _EVENTS.c.name == BuiltInEvent.MESSAGE_CLICKED.value,
        ),
    )
    .order_by(_EVENTS.c.occurred_at.desc(), _EVENTS.c.message_id.desc())
    .limit(NEWEST)
    .subquery()
)
_NUMBER = _CLICKS.c.hour.type
_ASKED = union_all(
    select(
        _OWN.c.name,
        _OWN.c.occurred_at,
        cast(null(), _NUMBER).label("hour"),
        cast(null(), _NUMBER).label("clicks"),
    ),
    select(
        cast(null(), _EVENTS.c.name.type), cast(null(), UTC_TIME), _CLICKS.c.hour, _CLICKS.c.clicks
    ),
)

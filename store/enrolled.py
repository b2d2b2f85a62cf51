"""Enrollments as routing sees them, each with the definition that it is pinned to.

Read past the session, which would make an object with every column of each. Of every request
whose customers may be inside of something.
"""

from collections.abc import Collection
from functools import cache

from sqlalchemy import Executable, select
from sqlalchemy.ext.asyncio import AsyncSession

from engine.effects import Enrolled
from engine.reasons import Ending
from store import journeys
from store.among import among
from store.built_once import run
from store.inserting import sql_table
from store.tables import Enrollment, EnrollmentState

_TABLE = sql_table(Enrollment)
_COLUMNS = (
    "customer_id",
    "id",
    "journey",
    "version",
    "key",
    "start_at",
    "start_event_id",
    "ordinal",
    "state",
    "ended_at",
    "ended_by",
    "broadcast_id",
)


async def of_customers(
    session: AsyncSession, customer_ids: Collection[str]
) -> dict[str, list[Enrolled]]:
    """All enrollments of these customers, ended ones too, in the order they began."""
    if not customer_ids:
        return {}
    statement = _of_customers(session.get_bind().dialect.name)
    found: dict[str, list[Enrolled]] = {}
    for row in await run(session, statement, {"ids": sorted(customer_ids)}):
        enrolled = Enrolled(
            id=row.id,
            journey=await journeys.version(session, row.journey, row.version),
            key=row.key,
            start_at=row.start_at,
            start_event_id=row.start_event_id,
            ordinal=row.ordinal,
            ending=None if row.state is EnrollmentState.OPEN else Ending(row.state.value),
            ended_at=row.ended_at,
            ended_by=row.ended_by,
            has_workflow=row.broadcast_id is None,
        )
        found.setdefault(row.customer_id, []).append(enrolled)
    return found


@cache
def _of_customers(dialect: str) -> Executable:
    return (
        select(*(_TABLE.c[name] for name in _COLUMNS))
        .where(among(dialect, _TABLE.c.customer_id, "ids"))
        .order_by(_TABLE.c.start_at, _TABLE.c.id)
    )

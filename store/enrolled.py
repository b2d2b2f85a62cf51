"""What routing has to know of customers: what they are or were in, and what is archived.

Each enrollment comes with the definition that it is pinned to. Read in one, and past the
session, which would make an object with every column of each: it is so of every request by
which somebody may enter or leave something.
"""

from collections.abc import Collection, Mapping
from functools import cache
from typing import NamedTuple

from sqlalchemy import Executable, cast, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from engine.effects import Enrolled
from engine.reasons import Ending
from store import journeys
from store.among import among
from store.built_once import run
from store.inserting import sql_table
from store.tables import Archive, Enrollment, EnrollmentState

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


class Standing(NamedTuple):
    """`enrolled` has all enrollments by customer, ended ones too, in the order they began.

    `archived` are the journeys that enroll nobody any more.
    """

    enrolled: Mapping[str, list[Enrolled]]
    archived: frozenset[str]


async def of_customers(session: AsyncSession, customer_ids: Collection[str]) -> Standing:
    """How these customers stand now; it holds for those whom the transaction has locked before."""
    found: dict[str, list[Enrolled]] = {}
    archived: set[str] = set()
    statement = _of_customers(session.get_bind().dialect.name)
    for row in await run(session, statement, {"ids": sorted(customer_ids)}):
        if row.id is None:
            archived.add(row.journey)
            continue
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
    return Standing(found, frozenset(archived))


@cache
def _of_customers(dialect: str) -> Executable:
    theirs = select(*(_TABLE.c[name] for name in _COLUMNS)).where(
        among(dialect, _TABLE.c.customer_id, "ids")
    )
    archived = select(
        *(
            sql_table(Archive).c.journey
            if name == "journey"
            else cast(null(), _TABLE.c[name].type).label(name)
            for name in _COLUMNS
        )
    )
    return union_all(theirs, archived).order_by("start_at", "id")

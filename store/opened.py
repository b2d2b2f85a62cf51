"""Enrollments that begin, as they are inserted: many at once, and none that exists already.

Not objects of the row's own class: making one of those takes longer than all else that an
enrollment costs here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypedDict

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncSession

from store.built_once import run
from store.inserting import insert_for, parameters, sql_table
from store.tables import Enrollment, EnrollmentState


class Opened(TypedDict):
    """The columns that are known when it begins, as `store.tables.Enrollment` describes them."""

    id: str
    customer_id: str
    journey: str
    version: str
    key: str | None
    ordinal: int
    start_event_id: str
    start_at: datetime
    entered_at: datetime
    start_properties: Mapping[str, Any]
    next_step: str | None
    next_at: datetime | None
    holdout: bool
    broadcast_id: str | None
    input: Mapping[str, Any]


_AT_FIRST: Mapping[str, Any] = {"state": EnrollmentState.OPEN, "skipped_steps": []}


async def insert_all(session: AsyncSession, rows: Sequence[Opened]) -> frozenset[str]:
    """Begin several at once; the ids of those that are new."""
    if not rows:
        return frozenset()
    values: list[Mapping[str, Any]] = [{**row, **_AT_FIRST} for row in rows]
    statement = _insert(session.get_bind().dialect.name)
    return frozenset((await run(session, statement, parameters(values))).scalars())


@cache  # putting it together takes longer than running it
def _insert(dialect: str) -> Executable:
    ignoring = insert_for(dialect, Enrollment).on_conflict_do_nothing(index_elements=["id"])
    return ignoring.returning(sql_table(Enrollment).c.id)

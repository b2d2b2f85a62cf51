"""Enrollments that begin, as they are inserted: many at once, and none that exists already.

Not objects of the row's own class: making one of those takes longer than all else that an
enrollment costs here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy.ext.asyncio import AsyncSession

from store.inserting import insert_values
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
    values = [{**row, **_AT_FIRST} for row in rows]
    return frozenset(await insert_values(session, Enrollment, values, unique="id"))

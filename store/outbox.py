"""What Temporal still has to hear, in order for each customer.

Decides which rows a dispatcher may take; knows nothing of Temporal. The order holds because
a row is appended under its customer's lock, and because only the first pending row of a
customer can be taken. A row that must wait holds up its customer's later rows, but for one
that is `paced`; a parked one is put aside for a person and holds up nothing. What a stop
button holds up is parked too, but by that person's own will: `store.held`. All times are
wall time.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    bindparam,
    case,
    delete,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.keys import erased_customer
from store import journeys, waking
from store.among import among, numbers_among
from store.built_once import run
from store.free_rows import IS_IN_ORDER, free_firsts, free_rows, leased
from store.inserting import parameters, sql_table
from store.tables import Enrollment, OutboxKind, OutboxRow

# How long a taken row belongs to its dispatcher. Longer than a call to Temporal may last
# with its time-out and a slow commit, short enough that a killed dispatcher's rows move on.
LEASE = timedelta(seconds=60)

_OUTBOX, _ENROLLMENTS = sql_table(OutboxRow), sql_table(Enrollment)

# Built once, past what a session does for objects: the most frequent ones.
_INSERT = insert(_OUTBOX)
_MARK_DONE = update(_OUTBOX).values(
    done_at=bindparam("at"),
    leased_until_at=null(),
    attempts=_OUTBOX.c.attempts + 1,
    enrollment_id=case(
        (_OUTBOX.c.customer_id.startswith(erased_customer("")), null()),
        else_=_OUTBOX.c.enrollment_id,
    ),
)
_INPUTS = select(*(_ENROLLMENTS.c[name] for name in ("id", "journey", "version", "input")))

# Why a row is parked that a stop button holds up.
HELD = "stopped"


@dataclass(frozen=True)
class Backlog:
    """How much waits, how long the oldest has, and how much was put aside."""

    pending: int
    oldest_at: datetime | None
    parked: int


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row to be added, as `store.tables.OutboxRow` describes it; it may be taken from `at` on.

    Not the row's own class: making one of those takes ten times as long.
    """

    customer_id: str
    kind: OutboxKind
    at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)
    enrollment_id: str | None = None
    event_id: str | None = None

    def values(self) -> dict[str, Any]:
        """The columns that are known when it is added."""
        return {
            "customer_id": self.customer_id,
            "enrollment_id": self.enrollment_id,
            "event_id": self.event_id,
            "kind": self.kind,
            "payload": self.payload,
            "created_at": self.at,
            "attempts": 0,
            "not_before_at": self.at,
        }


async def append(
    session: AsyncSession,
    *,
    customer_id: str,
    kind: OutboxKind,
    payload: dict[str, Any],
    at: datetime,
    enrollment_id: str | None = None,
) -> OutboxRow:
    """Add a row for a customer whom this transaction has locked; its `id` is its sequence."""
    row = OutboxRow(
        customer_id=customer_id,
        enrollment_id=enrollment_id,
        kind=kind,
        payload=payload,
        created_at=at,
        not_before_at=at,
    )
    session.add(row)
    await session.flush()
    await waking.tell(session)
    return row


async def append_all(session: AsyncSession, rows: Sequence[NewRow]) -> None:
    """Add rows of locked customers; their sequence is their order here."""
    if rows:
        # Without RETURNING: so both drivers send them one after the other, in this order.
        await run(session, _INSERT, parameters([row.values() for row in rows]))
        await waking.tell(session)


async def of_enrollment(session: AsyncSession, enrollment_id: str) -> list[OutboxRow]:
    """Everything that Temporal hears of an enrollment, in order."""
    found = await session.scalars(
        select(OutboxRow)
        .where(col(OutboxRow.enrollment_id) == enrollment_id)
        .order_by(col(OutboxRow.id))
    )
    return list(found)


async def heads(
    session: AsyncSession, limit: int, now: datetime, lease: timedelta = LEASE
) -> list[OutboxRow]:
    """Take the first pending row of up to `limit` customers, oldest first.

    They are this dispatcher's until `now + lease` once the transaction commits; then follow
    `mark_done`, `retry_later` or `park`, or another dispatcher takes them again.
    """
    rows: list[OutboxRow] = []
    after, most = 0, 2 * limit  # some are not the first of their customer
    while len(rows) < limit:
        looked_at = await free_rows(session, after, most, now)
        firsts = await free_firsts(session, {row.customer_id for row in looked_at}, now)
        free = [row.id for row in looked_at if row.id in firsts]
        # Another dispatcher may be taking some of these: then look further.
        while free and len(rows) < limit:
            taking = free[: limit - len(rows)]
            rows += await leased(session, taking, now, now + lease)
            free = free[len(taking) :]
        if len(looked_at) < most:
            break
        after, most = looked_at[-1].id, 2 * most
    return rows


async def inputs(session: AsyncSession, rows: Sequence[OutboxRow]) -> dict[str, dict[str, Any]]:
    """What the starts among these rows are started with, by enrollment; who is gone is left out.

    A row has it without the journey's definition, some kilobytes that its version names.
    """
    ids = [row.enrollment_id for row in rows if row.kind is OutboxKind.START]
    statement = _inputs(session.get_bind().dialect.name)
    given: dict[str, dict[str, Any]] = {}
    for row in await run(session, statement, {"ids": ids}) if ids else ():
        journey = await journeys.version(session, row.journey, row.version)
        given[row.id] = {**row.input, "definition": json.loads(journey.pinned)}
    return given


async def mark_done(session: AsyncSession, row_ids: Collection[int], at: datetime) -> None:
    """Temporal has heard them. Of somebody erased, the workflow's id goes with that.

    A row that the session has read already does not hear of it.
    """
    statement = _mark_done(session.get_bind().dialect.name)
    await run(session, statement, {"ids": sorted(set(row_ids)), "at": at})


async def count_pending(session: AsyncSession, customer_id: str) -> int:
    """How much Temporal still has to hear about a customer."""
    counted = select(func.count()).select_from(OutboxRow).where(*_pending())
    return await session.scalar(counted.where(col(OutboxRow.customer_id) == customer_id)) or 0


async def owner(session: AsyncSession, row_id: int) -> str | None:
    """Whose a row is now; None if it is gone."""
    return await session.scalar(
        select(col(OutboxRow.customer_id)).where(col(OutboxRow.id) == row_id)
    )


async def retry_later(
    session: AsyncSession, row_id: int, not_before_at: datetime, error: str
) -> None:
    """It did not work this time; nothing later of this customer goes before it."""
    await session.execute(
        update(OutboxRow)
        .where(col(OutboxRow.id) == row_id)
        .values(
            not_before_at=not_before_at,
            leased_until_at=None,
            attempts=OutboxRow.attempts + 1,
            last_error=error,
        )
    )


async def park(session: AsyncSession, row_id: int, at: datetime, reason: str) -> None:
    """It can never work as it is: put it aside for a person, with the reason."""
    await session.execute(
        update(OutboxRow)
        .where(col(OutboxRow.id) == row_id)
        .values(
            parked_at=at,
            parked_reason=reason,
            leased_until_at=None,
            attempts=OutboxRow.attempts + 1,
        )
    )


async def unpark(session: AsyncSession, row_id: int, at: datetime) -> bool:
    """Try a parked row again; False if it is not parked."""
    found = await session.scalar(
        update(OutboxRow)
        .where(col(OutboxRow.id) == row_id, *_put_aside())
        .values(parked_at=None, parked_reason=None, not_before_at=at)
        .returning(col(OutboxRow.id))
    )
    return found is not None


async def get(session: AsyncSession, row_id: int) -> OutboxRow | None:
    """One row, as it is now."""
    return await session.get(OutboxRow, row_id, populate_existing=True)


async def of_events(session: AsyncSession, event_ids: Collection[str]) -> list[OutboxRow]:
    """What these events had to tell Temporal, in its order; what was pruned is left out."""
    if not event_ids:
        return []
    found = await session.scalars(
        select(OutboxRow)
        .where(col(OutboxRow.event_id).in_(set(event_ids)))
        .order_by(col(OutboxRow.id))
    )
    return list(found)


async def waiting(session: AsyncSession, limit: int = 100) -> list[OutboxRow]:
    """What Temporal has yet to hear, oldest first."""
    found = await session.scalars(
        select(OutboxRow).where(*_pending()).order_by(col(OutboxRow.id)).limit(limit)
    )
    return list(found)


async def parked(session: AsyncSession, limit: int = 100) -> list[OutboxRow]:
    """What was put aside, oldest first."""
    found = await session.scalars(
        select(OutboxRow).where(*_put_aside()).order_by(col(OutboxRow.id)).limit(limit)
    )
    return list(found)


async def backlog(session: AsyncSession) -> Backlog:
    """How far behind the dispatchers are. What has yet to have its turn is not behind."""
    is_behind = or_(col(OutboxRow.kind) != OutboxKind.PACED, col(OutboxRow.attempts) > 0)
    pending, oldest_at = (
        await session.execute(
            select(func.count(), func.min(OutboxRow.created_at))
            .select_from(OutboxRow)
            .where(*_pending(), is_behind)
        )
    ).one()
    put_aside = await session.scalar(
        select(func.count()).select_from(OutboxRow).where(*_put_aside())
    )
    return Backlog(pending=pending, oldest_at=oldest_at, parked=put_aside or 0)


async def is_behind(session: AsyncSession, by: int) -> bool:
    """Whether so many rows wait to be carried in their order; looks at no more than these."""
    some = select(_OUTBOX.c.id).where(*_pending(), IS_IN_ORDER).limit(by).subquery()
    return await session.scalar(select(func.count()).select_from(some)) == by


async def prune(
    session: AsyncSession, before: datetime, after: int, limit: int
) -> tuple[int, int | None]:
    """Forget rows that Temporal heard before then, among the `limit` that follow row `after`.

    How many were forgotten, and after which row to go on; None at the end of what is so old.
    Rows are looked at in their order, since no index knows when they were done.
    """
    page = (
        await session.execute(
            select(col(OutboxRow.id), col(OutboxRow.created_at), col(OutboxRow.done_at))
            .where(col(OutboxRow.id) > after)
            .order_by(col(OutboxRow.id))
            .limit(limit)
        )
    ).all()
    gone = [row.id for row in page if row.done_at is not None and row.done_at < before]
    if gone:
        await run(session, _forget(session.get_bind().dialect.name), {"ids": gone})
    is_over = len(page) < limit or page[-1].created_at >= before
    return len(gone), None if is_over else page[-1].id


@cache
def _mark_done(dialect: str) -> Executable:
    return _MARK_DONE.where(numbers_among(dialect, _OUTBOX.c.id, "ids"))


@cache
def _inputs(dialect: str) -> Executable:
    return _INPUTS.where(among(dialect, _ENROLLMENTS.c.id, "ids"))


@cache
def _forget(dialect: str) -> Executable:
    return delete(_OUTBOX).where(numbers_among(dialect, _OUTBOX.c.id, "ids"))


def _pending() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(OutboxRow.done_at).is_(None), col(OutboxRow.parked_at).is_(None)


def _put_aside() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """For a person to look at: not what a person has stopped."""
    reason = col(OutboxRow.parked_reason)
    return col(OutboxRow.parked_at).is_not(None), or_(reason.is_(None), reason != HELD)

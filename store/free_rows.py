"""Which rows of the outbox a dispatcher may take, and taking them: the statements behind
`store.outbox.heads`.

Decides nothing about order but that older rows come first. The surprising fact: what it costs
must not hang on how much is pending, and on an outbox of a hundred thousand it does not. So
rows are looked at in their order, some at a time, and only then what else is pending of their
customers; each by an index that the planners can't mistake, whatever they believe of a table
that was empty a minute ago.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    bindparam,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningUpdate

from store.among import among, numbers_among
from store.built_once import run
from store.inserting import sql_table
from store.tables import OutboxKind, OutboxRow
from store.tables.columns import ROW_NUMBER, UTC_TIME

_OUTBOX = sql_table(OutboxRow).c

_NOW = bindparam("now", type_=UTC_TIME)
_AFTER, _MOST = bindparam("after", type_=ROW_NUMBER), bindparam("most", type_=Integer())

_IS_PENDING = _OUTBOX.done_at.is_(None), _OUTBOX.parked_at.is_(None)

# The same, so that no index of these serves: PostgreSQL would rather go through that of all that
# is pending, which it takes for nearly empty, than look up each row.
_IS_PENDING_BY_ID = func.coalesce(_OUTBOX.done_at, _OUTBOX.parked_at).is_(None)

# Written out, or no index of these alone would be known to serve.
_IS_PACED: ColumnElement[bool] = _OUTBOX.kind == literal(OutboxKind.PACED, literal_execute=True)
IS_IN_ORDER: ColumnElement[bool] = _OUTBOX.kind != literal(OutboxKind.PACED, literal_execute=True)


def _half(which: ColumnElement[bool], number: ColumnElement[Any]) -> Select[Any]:
    is_unleased = or_(_OUTBOX.leased_until_at.is_(None), _OUTBOX.leased_until_at <= _NOW)
    half = (
        select(_OUTBOX.id, _OUTBOX.customer_id)
        .where(*_IS_PENDING, which, _OUTBOX.not_before_at <= _NOW, is_unleased, number > _AFTER)
        .order_by(number)
        .limit(_MOST)
        .subquery()
    )
    return select(half.c.id, half.c.customer_id)


# Of those that are paced most have to wait, so they are found by their time. Not by `id` itself:
# both planners would rather go through the whole table in its order.
_HALVES = union_all(_half(IS_IN_ORDER, _OUTBOX.id), _half(_IS_PACED, _OUTBOX.id + 0))
_FREE = _HALVES.order_by("id").limit(_MOST)

_FIRST = func.min(_OUTBOX.id)
_LEASED_UNTIL = func.max(_OUTBOX.leased_until_at)


@cache
def _firsts(dialect: str) -> Select[Any]:
    return (
        select(_FIRST)
        .where(*_IS_PENDING, or_(IS_IN_ORDER, _OUTBOX.not_before_at <= _NOW))
        .where(among(dialect, _OUTBOX.customer_id, "customers"))
        .group_by(_OUTBOX.customer_id)
        .having(func.max(_OUTBOX.not_before_at) <= _NOW)
        .having(or_(_LEASED_UNTIL.is_(None), _LEASED_UNTIL <= _NOW))
    )


async def free_rows(
    session: AsyncSession, after: int, limit: int, now: datetime
) -> Sequence[Row[Any]]:
    """The next pending rows after that one which are not leased and need not wait.

    `id` and `customer_id`. That a row is free says nothing yet of its customer's others.
    """
    return (await run(session, _FREE, {"after": after, "most": limit, "now": now})).all()


async def free_firsts(
    session: AsyncSession, customers: Collection[str], now: datetime
) -> Collection[int]:
    """The first pending row of each of these customers of whom none is leased or has to wait.

    A statement of its own: joined with the other, PostgreSQL takes both for nearly empty, and
    goes through the outbox row by row.
    """
    if not customers:
        return ()
    given = {"customers": sorted(customers), "now": now}
    statement = _firsts(session.get_bind().dialect.name)
    return set((await run(session, statement, given)).scalars())


async def leased(
    session: AsyncSession, row_ids: list[int], now: datetime, until: datetime
) -> list[OutboxRow]:
    """Those of the rows that are still free, leased until then."""
    statement = _lease(session.get_bind().dialect.name)
    found = await session.scalars(statement, {"ids": row_ids, "now": now, "until": until})
    return sorted(found, key=lambda row: row.id or 0)  # they were read, and have one


def _still_free(dialect: str) -> Select[Any]:
    is_unleased = or_(_OUTBOX.leased_until_at.is_(None), _OUTBOX.leased_until_at <= _NOW)
    return (
        select(_OUTBOX.id)
        .where(numbers_among(dialect, _OUTBOX.id, "ids"), _IS_PENDING_BY_ID, is_unleased)
        # Two that look at once: the second passes over what the first is taking.
        .with_for_update(skip_locked=True)
    )


@cache
def _lease(dialect: str) -> ReturningUpdate[OutboxRow]:
    return (
        update(OutboxRow)
        .where(numbers_among(dialect, _OUTBOX.id, "ids"), _OUTBOX.id.in_(_still_free(dialect)))
        .values(leased_until_at=bindparam("until", type_=UTC_TIME))
        .returning(OutboxRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    )

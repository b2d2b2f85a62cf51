"""Which rows a dispatcher may take: the same as one pass over the whole outbox would say, found
without one.
"""

import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Executable, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store import free_rows, outbox
from store.database import Database
from store.inserting import insert_new
from store.outbox import NewRow
from store.tables import Customer, OutboxKind, OutboxRow
from tests.store.given import NOON, a_customer

MINUTE = timedelta(minutes=1)
CUSTOMERS = [f"c{n}" for n in range(9)]
LEASE = 3 * MINUTE

# Most are as the app makes them: in order, and free to go.
KINDS = [OutboxKind.SIGNAL, OutboxKind.SIGNAL, OutboxKind.START, OutboxKind.PACED]


@pytest.mark.parametrize("seed", range(3))
async def test_the_rows_taken_are_those_that_one_pass_over_everything_pending_finds(
    db: Database, seed: int
) -> None:
    chance = random.Random(seed)
    async with db.transaction() as session:
        for customer in CUSTOMERS:
            await a_customer(session, customer)
    taken, now = 0, NOON
    for _ in range(60):
        now += chance.randrange(3) * MINUTE
        async with db.transaction() as session:
            await outbox.append_all(session, [_row(chance) for _ in range(chance.randrange(12))])
            limit = chance.choice([1, 2, 3, 9, 30])
            expected = (await _in_one_pass(session, now))[:limit]
            rows = await outbox.heads(session, limit, now, LEASE)
            assert [row.id for row in rows] == expected
        async with db.transaction() as session:
            for row_id in expected:
                await _something_becomes_of(session, row_id, chance)
        taken += len(expected)
    assert taken > 100


async def test_a_row_that_comes_back_goes_out_before_its_customers_later_ones(
    db: Database,
) -> None:
    async with db.transaction() as session:
        await a_customer(session, "c1")
        await outbox.append_all(session, [_signal("c1"), _signal("c1")])
        (first,) = await outbox.heads(session, 9, NOON, LEASE)
        assert first.id is not None
        await outbox.retry_later(session, first.id, NOON + MINUTE, "away")
        assert await outbox.heads(session, 9, NOON, LEASE) == []
        (again,) = await outbox.heads(session, 9, NOON + MINUTE, LEASE)
    assert again.id == first.id


async def test_nothing_is_gone_through_that_is_pending_behind(db: Database) -> None:
    many = [f"m{n}" for n in range(1_000)]
    async with db.transaction() as session:
        await insert_new(session, [_customer(each) for each in many], unique="id")
        await outbox.append_all(session, [_signal(each) for each in many])
        await outbox.append_all(session, [_later(each) for each in many])
        if not db.is_sqlite:
            await session.execute(text("ANALYZE outbox"))
        given = {"after": 0, "most": 4, "now": NOON}
        free = await _plan(session, free_rows._FREE.params(given))
        statement = free_rows._firsts(session.get_bind().dialect.name)
        firsts = await _plan(session, statement.params({"now": NOON, "customers": many[:4]}))
    assert "ix_outbox_in_order" in free
    assert "ix_outbox_paced" in free
    assert "pk_outbox" not in free
    assert "PRIMARY KEY" not in free
    assert "ix_outbox_pending" in firsts
    for plan in (free, firsts):
        assert "Seq Scan" not in plan
        assert "SCAN outbox" not in plan


async def test_to_take_a_row_nothing_else_that_is_pending_is_gone_through(db: Database) -> None:
    async with db.transaction() as session:
        for name in (many := [f"m{n}" for n in range(1_000)]):
            session.add(_customer(name))
        await session.flush()
        await outbox.append_all(session, [_signal(each) for each in many])
        # Not analysed: what the planner believes of a table that was empty a minute ago.
        statement = free_rows._still_free(session.get_bind().dialect.name)
        plan = await _plan(session, statement.params({"now": NOON, "ids": [1, 2, 3, 4]}))
    assert "ix_outbox" not in plan
    assert "Seq Scan" not in plan
    assert "SCAN outbox" not in plan


async def _plan(session: AsyncSession, statement: Executable) -> str:
    dialect = session.get_bind().dialect
    is_sqlite = dialect.name == "sqlite"
    # SQLite plans without knowing any parameter; PostgreSQL is shown them.
    written = statement.compile(  # type: ignore[attr-defined]
        dialect=dialect,
        compile_kwargs={"render_postcompile": True} if is_sqlite else {"literal_binds": True},
    )
    if not is_sqlite:
        return "\n".join(map(str, await session.execute(text(f"EXPLAIN {written}"))))
    connection = await session.connection()
    unknown = tuple(None for _ in written.positiontup)
    return "\n".join(
        map(str, await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {written}", unknown))
    )


def _customer(name: str) -> Customer:
    return Customer(id=name, pseudonym=name, first_seen_at=NOON, created_at=NOON, updated_at=NOON)


def _signal(customer: str) -> NewRow:
    return NewRow(customer_id=customer, kind=OutboxKind.SIGNAL, at=NOON)


def _later(customer: str) -> NewRow:
    return NewRow(customer_id=customer, kind=OutboxKind.PACED, at=NOON + timedelta(days=1))


def _row(chance: random.Random) -> NewRow:
    kind = chance.choice(KINDS)
    wait = chance.randrange(40 if kind is OutboxKind.PACED else 4) if chance.random() < 0.4 else 0
    return NewRow(customer_id=chance.choice(CUSTOMERS), kind=kind, at=NOON + wait * MINUTE)


async def _something_becomes_of(
    session: AsyncSession, row_id: int | None, chance: random.Random
) -> None:
    """It lands, comes back later, is put aside, or its dispatcher dies."""
    assert row_id is not None
    fate = chance.random()
    if fate < 0.5:
        await outbox.mark_done(session, [row_id], NOON)
    elif fate < 0.7:
        await outbox.retry_later(session, row_id, NOON + chance.randrange(60) * MINUTE, "away")
    elif fate < 0.8:
        await outbox.park(session, row_id, NOON, "never")
        if chance.random() < 0.5:
            await outbox.unpark(session, row_id, NOON)


async def _in_one_pass(session: AsyncSession, now: datetime) -> list[int | None]:
    first = func.min(col(OutboxRow.id))
    leased_until = func.max(col(OutboxRow.leased_until_at))
    found = await session.scalars(
        select(first)
        .where(col(OutboxRow.done_at).is_(None), col(OutboxRow.parked_at).is_(None))
        .where(or_(col(OutboxRow.kind) != OutboxKind.PACED, col(OutboxRow.not_before_at) <= now))
        .group_by(col(OutboxRow.customer_id))
        .having(func.max(col(OutboxRow.not_before_at)) <= now)
        .having(or_(leased_until.is_(None), leased_until <= now))
        .order_by(first)
    )
    return list(found)

"""SQLite in one hop a statement answers as SQLite does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from store import one_hop
from store.database import Database


@pytest.fixture
async def sqlite(tmp_path: Path) -> Database:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)"))
    return database


async def test_rows_come_as_they_were_written(sqlite: Database) -> None:
    insert = text("INSERT INTO things (name) VALUES (:name)")
    async with sqlite.transaction() as session:
        await session.execute(insert, [{"name": "one"}, {"name": "two"}])
        given = await session.execute(text("INSERT INTO things (name) VALUES ('x') RETURNING id"))
        assert given.scalars().all() == [3]
        changed = await session.execute(text("UPDATE things SET name = 'all'"))
        assert changed.rowcount == 3  # type: ignore[attr-defined]
    async with sqlite.reading() as session:
        rows = await session.execute(text("SELECT id, name FROM things ORDER BY id"))
        assert [tuple(row) for row in rows] == [(n, "all") for n in (1, 2, 3)]
    await sqlite.dispose()


async def test_a_statement_that_fails_raises_and_undoes_its_transaction(sqlite: Database) -> None:
    async def twice() -> None:
        async with sqlite.transaction() as session:
            await session.execute(text("INSERT INTO things VALUES (1, 'one')"))
            await session.execute(text("INSERT INTO things VALUES (1, 'again')"))

    with pytest.raises(IntegrityError):
        await twice()
    async with sqlite.reading() as session:
        assert (await session.execute(text("SELECT * FROM things"))).all() == []
    await sqlite.dispose()


async def test_a_statement_is_one_hop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection: Any = await one_hop.connect(tmp_path / "a.db")
    hops: list[object] = []
    hop = connection._execute

    async def counted(function: object, *args: object) -> object:
        hops.append(function)
        return await hop(function, *args)

    monkeypatch.setattr(connection, "_execute", counted)
    cursor = connection.cursor()
    await cursor.__aenter__()
    await cursor.execute("SELECT 1 UNION SELECT 2")
    assert await cursor.fetchall() == [(1,), (2,)]
    await cursor.close()
    assert len(hops) == 1
    await connection.close()


async def test_a_transaction_begins_with_its_first_statement(sqlite: Database) -> None:
    hops: list[object] = []
    async with sqlite.transaction() as session:
        raw = await (await session.connection()).get_raw_connection()
        driver: Any = raw.driver_connection
        hop = driver._execute

        async def counted(function: object, *args: object) -> object:
            hops.append(function)
            return await hop(function, *args)

        driver._execute = counted
        assert not driver.in_transaction
        await session.execute(text("SELECT 1"))
        assert driver.in_transaction
    assert not driver.in_transaction
    assert len(hops) == 2  # the statement, and the end
    await sqlite.dispose()


async def test_a_transaction_without_statements_leaves_nothing_behind(sqlite: Database) -> None:
    async with sqlite.transaction() as session:
        raw = await (await session.connection()).get_raw_connection()
        driver: Any = raw.driver_connection
    assert driver.take_begin() is None
    assert not driver.in_transaction
    await sqlite.dispose()


async def test_a_statement_cancelled_before_it_runs_leaves_no_transaction(
    sqlite: Database,
) -> None:
    async def write() -> None:
        async with sqlite.transaction() as session:
            await session.execute(text("INSERT INTO things VALUES (1, 'one')"))

    for turns in range(12):  # cut off at ever later points
        writing = asyncio.create_task(write())
        for _ in range(turns):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        async with sqlite.transaction() as session:
            await session.execute(text("DELETE FROM things"))
    await sqlite.dispose()


async def test_only_one_transaction_writes_at_a_time(sqlite: Database) -> None:
    """The lock is taken with the first statement, even if that only reads."""
    other = Database(str(sqlite.url))
    async with sqlite.transaction() as session:
        await session.execute(text("SELECT 1"))
        async with other._writer.connect() as waiting:
            raw = await waiting.get_raw_connection()
            driver: Any = raw.driver_connection
            await driver.execute("PRAGMA busy_timeout = 0")
            with pytest.raises(OperationalError, match="locked"):
                await waiting.execute(text("SELECT 1"))
    await other.dispose()
    await sqlite.dispose()

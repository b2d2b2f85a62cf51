"""The migrations make exactly the schema that the tables describe."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from store import keys, migrating
from store.database import Database
from store.tables import Table


def _differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, Table.metadata))


async def _differences_at(url: str, *statements: str) -> list[object]:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(sa.text(statement))
        found = await connection.run_sync(_differences)
    await engine.dispose()
    return found


async def test_the_migrated_schema_is_that_of_the_tables(own_url: str) -> None:
    assert await _differences_at(own_url) == []


async def test_a_schema_that_differs_would_be_noticed(own_url: str) -> None:
    """The control of the test above: it must see columns, indexes and unique constraints."""
    found = await _differences_at(
        own_url,
        "ALTER TABLE outbox ADD COLUMN surplus TEXT",
        "ALTER TABLE offers DROP COLUMN redeemed_at",
        "DROP INDEX ix_messages_enrollment_id",
    )
    assert len(found) == 3


async def test_partial_indexes_are_partial_on_both(db: Database) -> None:
    """Alembic does not compare what an index leaves out."""
    from_sqlite = "SELECT sql FROM sqlite_master WHERE name = 'ix_outbox_pending'"
    from_postgres = "SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_outbox_pending'"
    async with db.reading() as session:
        made = await session.scalar(sa.text(from_sqlite if db.is_sqlite else from_postgres))
    assert made is not None
    assert "WHERE" in made
    assert "parked_at IS NULL" in made


async def test_upgrading_works_inside_a_running_loop_and_twice(empty_url: str) -> None:
    database = Database(empty_url)
    assert not await database.schema_is_current()
    database.upgrade()
    assert await database.schema_is_current()
    database.upgrade()
    assert await database.schema_is_current()
    await database.dispose()


def test_upgrading_works_without_a_loop(empty_url: str) -> None:
    database = Database(empty_url)
    database.upgrade()

    async def check() -> bool:
        try:
            return await database.schema_is_current()
        finally:
            await database.dispose()

    assert asyncio.run(check())


# On SQLite it is `BEGIN IMMEDIATE` that makes them, as it does all writers.
@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
async def test_processes_that_upgrade_at_once_take_turns(empty_url: str) -> None:
    code = "import sys; from store.database import Database; Database(sys.argv[1]).upgrade()"
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", code, empty_url)
        for _ in range(2)
    ]
    assert [await process.wait() for process in processes] == [0, 0]
    database = Database(empty_url)
    assert await database.schema_is_current()
    await database.dispose()


async def test_threads_that_upgrade_at_once_take_turns(tmp_path: Path) -> None:
    """Of two databases, which know nothing of each other: it is Alembic that they share."""
    databases = [Database(f"sqlite+aiosqlite:///{tmp_path / name}.db") for name in "abc"]
    await asyncio.gather(*(asyncio.to_thread(database.upgrade) for database in databases))
    assert all([await database.schema_is_current() for database in databases])
    for database in databases:
        await database.dispose()


async def test_a_schema_of_another_version_is_not_current(own_url: str) -> None:
    db = Database(own_url)
    async with db.transaction() as session:
        await session.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    assert not await db.schema_is_current()
    await db.dispose()


async def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    database = Database(empty_url)
    async with database.transaction() as session:
        await session.execute(sa.text("CREATE TABLE outbox (id INTEGER)"))  # in the way
    with pytest.raises(DBAPIError, match="outbox"):
        database.upgrade()
    async with database.reading() as session:
        connection = await session.connection()
        tables = await connection.run_sync(lambda c: sa.inspect(c).get_table_names())
    await database.dispose()
    assert tables == ["outbox"]


async def test_going_down_again_leaves_no_table(own_url: str) -> None:
    engine = create_async_engine(own_url)

    def down(connection: sa.Connection) -> list[str]:
        config = migrating.alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        return sa.inspect(connection).get_table_names()

    async with engine.begin() as connection:
        left = await connection.run_sync(down)
    await engine.dispose()
    assert left == ["alembic_version"]


async def _at(url: str, version: str, *statements: str) -> list[tuple[object, ...]]:
    """Take the schema up or down to a version, then run statements; the last one's rows."""
    engine = create_async_engine(url)

    def move(connection: sa.Connection) -> None:
        config = migrating.alembic_config()
        config.attributes["connection"] = connection
        now = MigrationContext.configure(connection).get_current_revision() or ""
        (command.downgrade if now > version else command.upgrade)(config, version)

    async with engine.begin() as connection:
        await connection.run_sync(move)
        rows: list[tuple[object, ...]] = []
        for statement in statements:
            result = await connection.execute(sa.text(statement))
            rows = [tuple(row) for row in result] if result.returns_rows else []
    await engine.dispose()
    return rows


_SCOPES = "SELECT CAST(scopes AS TEXT) FROM api_keys ORDER BY id"


def _read(rows: list[tuple[object, ...]]) -> list[object]:
    return [json.loads(str(scopes)) for (scopes,) in rows]


async def test_keys_made_before_there_were_more_scopes_may_what_they_might(empty_url: str) -> None:
    old = [["ingest"], ["manage"], ["ingest", "manage"], [], ["another"]]
    rows = ", ".join(
        f"({number}, 'k', 'pk_', '{number}', '{json.dumps(scopes)}', '2026-11-23 09:00:00+00')"
        for number, scopes in enumerate(old, start=1)
    )
    insert = f"INSERT INTO api_keys (id, name, prefix, sha256, scopes, created_at) VALUES {rows}"
    assert _read(await _at(empty_url, "0001", insert, _SCOPES)) == old
    migrated = [
        ["events:write"],
        ["admin", "support"],
        ["admin", "events:write", "support"],
        [],
        ["another"],
    ]
    assert _read(await _at(empty_url, "0002", _SCOPES)) == migrated
    Database(empty_url).upgrade()
    assert await _differences_at(empty_url) == []
    database = Database(empty_url)
    async with database.reading() as session:
        kept = await keys.every(session)
    await database.dispose()
    assert [row.scopes for row in kept] == migrated
    assert {row.events_per_second for row in kept} == {None}
    assert _read(await _at(empty_url, "0001", _SCOPES)) == old


def test_there_is_one_newest_version() -> None:
    """Two would mean that two branches each added a migration to the same one."""
    assert len(ScriptDirectory.from_config(migrating.alembic_config()).get_heads()) == 1


def test_the_folder_of_a_new_database_is_made(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "store.db"
    Database(f"sqlite+aiosqlite:///{path}").upgrade()
    assert path.exists()

"""Ways in and out of the store, on both databases."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import (
    AsyncAdapt_asyncpg_connection,
    AsyncAdapt_asyncpg_dbapi,
)
from sqlalchemy.exc import DBAPIError, StatementError

from store import customers, enrollments
from store import database as database_module
from store.database import Database, DatabaseUrlError
from store.tables import Customer, Enrollment
from store.traits import merge_traits
from tests.store.given import NOON, a_customer, an_enrollment


async def test_a_transaction_is_kept_when_its_block_ends(db: Database) -> None:
    async with db.transaction() as session:
        await a_customer(session)
    async with db.reading() as session:
        assert await customers.get(session, "c1") is not None


async def test_a_transaction_is_undone_when_its_block_raises(db: Database) -> None:
    async def write() -> None:
        async with db.transaction() as session:
            await a_customer(session)
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        await write()
    async with db.reading() as session:
        assert await customers.get(session, "c1") is None


async def test_a_session_to_read_with_refuses_to_write(db: Database) -> None:
    async with db.reading() as session:
        with pytest.raises(DBAPIError, match=r"read.?only"):
            await a_customer(session)


async def test_a_cancelled_transaction_is_undone_and_blocks_nobody(db: Database) -> None:
    inside = asyncio.Event()

    async def write() -> None:
        async with db.transaction() as session:
            await a_customer(session)
            inside.set()
            await asyncio.Event().wait()  # for ever

    writing = asyncio.create_task(write())
    await inside.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    async with db.transaction() as session:
        await a_customer(session, "c2")
    async with db.reading() as session:
        assert await customers.get(session, "c1") is None
        assert await customers.get(session, "c2") is not None


async def test_a_statement_cancelled_midway_blocks_nobody(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.transaction() as session:
            await a_customer(session, f"c{number}")

    writing = [asyncio.create_task(write(number)) for number in range(30)]
    for turn, task in enumerate(writing):
        await asyncio.wait([task], timeout=turn / 10_000)  # cut off at ever later points
        task.cancel()
    await asyncio.wait(writing)
    done = {f"c{n}" for n, task in enumerate(writing) if not task.cancelled()}
    async with db.transaction() as session:
        await a_customer(session, "after")
        kept = {customer.id for customer in await customers.recent(session)}
    assert kept >= done | {"after"}


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_connection_that_the_server_cut_is_replaced(db: Database) -> None:
    """As after its restart: whoever comes next notices nothing."""
    async with asyncio.TaskGroup() as group:  # several, none of which may be handed out
        for _ in range(3):
            group.create_task(_backend(db))
    async with db.transaction() as session:
        cut = await session.scalar(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert cut == 2
    await asyncio.sleep(0.1)  # until the driver has heard of it
    async with asyncio.TaskGroup() as group:
        after = [group.create_task(_backend(db)) for _ in range(3)]
    assert len({each.result() for each in after}) == 3  # all of them were served


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_connection_that_lay_idle_is_asked_before_it_is_used(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def silent(connection: AsyncAdapt_asyncpg_connection) -> None:
        asked.append(connection.driver_connection.get_server_pid())
        raise AsyncAdapt_asyncpg_dbapi.InterfaceError("no answer")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(AsyncAdapt_asyncpg_connection, "ping", silent)
    first = await _backend(db)
    assert await _backend(db) == first
    assert asked == []
    monkeypatch.setattr(database_module, "_TRUSTED_FOR", timedelta(0))
    assert await _backend(db) != first
    assert asked == [first]


async def _backend(db: Database) -> int:
    """Which process of the server has served us, for so long that others need another."""
    async with db.transaction() as session:
        pid: int = await session.scalar(text("SELECT pg_backend_pid() FROM pg_sleep(0.1)"))
    return pid


async def test_rows_stay_readable_after_the_transaction(db: Database) -> None:
    async with db.transaction() as session:
        customer = await customers.lock(session, "c1", NOON)
        merge_traits(customer, {"plan": "trial"}, NOON)
    assert (customer.id, customer.traits) == ("c1", {"plan": "trial"})


async def test_a_look_begun_before_a_write_does_not_see_half_of_it(db: Database) -> None:
    async with db.transaction() as writing:
        await a_customer(writing)
        async with db.reading() as looking:
            assert await customers.get(looking, "c1") is None


async def test_times_come_back_as_aware_utc(db: Database) -> None:
    paris = timezone(timedelta(hours=1))
    async with db.transaction() as session:
        await customers.lock(session, "c1", datetime(2026, 11, 23, 13, 0, 0, 5, tzinfo=paris))
    async with db.reading() as session:
        customer = await customers.get(session, "c1")
    assert customer is not None
    assert customer.created_at == datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)
    assert customer.created_at.tzinfo is UTC


async def test_a_time_without_a_zone_is_refused(db: Database) -> None:
    with pytest.raises(StatementError, match="has no zone"):
        async with db.transaction() as session:
            await customers.lock(session, "c1", NOON.replace(tzinfo=None))


async def test_money_comes_back_to_the_cent(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        await enrollments.record_conversion(session, "trial:c1", NOON, Decimal("1234567890.10"))
    async with db.reading() as session:
        kept = await session.get_one(Enrollment, "trial:c1")
    assert kept.conversion_value == Decimal("1234567890.1")


async def test_what_points_at_nothing_is_refused(db: Database) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)foreign key"):
        async with db.transaction() as session:
            session.add(Enrollment(
                id="x", customer_id="nobody", journey="none", version="none",
                start_event_id="e", start_at=NOON, entered_at=NOON,
            ))  # fmt: skip


async def test_hostile_json_is_kept_the_same_way_by_both(db: Database) -> None:
    hostile = {"nul": "a\0b", "half": "\ud83d", "nan": float("nan"), "fine": "🎉 ü"}
    async with db.transaction() as session:
        customer = await customers.lock(session, "c1", NOON)
        merge_traits(customer, hostile, NOON)
    async with db.reading() as session:
        kept = await session.get_one(Customer, "c1")
    assert kept.traits == {"nul": "ab", "half": "�", "nan": None, "fine": "🎉 ü"}


async def test_four_writers_at_once_lose_nothing_and_meet_no_lock_error(url: str) -> None:
    """Four stores as four processes would have them: each with connections of its own."""
    stores = [Database(url) for _ in range(4)]

    async def write(number: int) -> None:
        for turn in range(15):
            async with stores[number].transaction() as session:
                shared = await customers.lock(session, "shared", NOON)
                seen = shared.traits.get("count", 0)
                merge_traits(shared, {"count": seen + 1}, NOON)
                await customers.lock(session, f"{number}-{turn}", NOON)

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(write(number))
    async with stores[0].reading() as session:
        shared = await session.get_one(Customer, "shared")
        count = await session.scalar(text("SELECT count(*) FROM customers"))
    for store in stores:
        await store.dispose()
    assert shared.traits == {"count": 60}
    assert count == 61


async def test_sqlite_runs_with_the_settings_that_were_measured(migrated_file: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{migrated_file}")
    names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
    async with database.reading() as session:
        read = [await session.scalar(text(f"PRAGMA {name}")) for name in names]
    async with database.transaction() as session:
        written = [await session.scalar(text(f"PRAGMA {name}")) for name in names]
    await database.dispose()
    assert read == written == ["wal", 1, 10_000, 1]


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("nonsense", "can't be read: write `sqlite\\+aiosqlite:///"),
        ("mysql://localhost/x", "says `mysql`: write `sqlite\\+aiosqlite` or `postgresql"),
        ("sqlite+aiosqlite://", "in memory.*name a file"),
        ("sqlite:///:memory:", "in memory.*name a file"),
    ],
)
def test_a_url_that_can_not_work_says_what_to_write(url: str, advice: str) -> None:
    with pytest.raises(DatabaseUrlError, match=advice):
        Database(url)


@pytest.mark.parametrize(
    ("url", "driver"),
    [("sqlite:///x.db", "sqlite+aiosqlite"), ("postgres://u@h/d", "postgresql+asyncpg")],
)
def test_a_url_without_a_driver_gets_ours(url: str, driver: str) -> None:
    assert Database(url).url.drivername == driver

"""Where the store is, and the two ways in: a write transaction, or a look.

Decides how connections behave; knows no table. The one surprising fact: on SQLite all
writers of one process share a single connection and queue for it in turn, because SQLite
lets one write at a time anyway and wakes those who wait for its lock in no order. `BEGIN
IMMEDIATE` and the busy timeout are for the other processes. So a transaction must never
be opened inside another one by the same task: it would wait for itself.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import URL, Connection, Dialect, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from store import migrating, one_hop
from store.json_text import json_text, json_value

# Writers of other processes finish in milliseconds; 10 s outlasts a checkpoint or a stall,
# and four writers at once met no lock error with it.
BUSY_TIMEOUT = timedelta(seconds=10)

# Connections that read at the same time, and on PostgreSQL write too: more than the two to
# four cores of a small machine gain nothing, and three processes stay far below
# PostgreSQL's default of 100 connections.
_POOL_SIZE = 10

# The driver hears when the server closes a connection. It hears nothing when something between
# them (a firewall, a proxy) forgets one that lies idle, which takes minutes at the least, so
# only then the server is asked: asking each time would be a third of all round trips.
_TRUSTED_FOR = timedelta(seconds=30)

# PostgreSQL answers before the disk has it. SQLite's `synchronous = NORMAL` is like that anyway.
_NOT_DURABLE = text("SET LOCAL synchronous_commit = off")

# The drivers this room is written for and tested with.
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


class StoreError(Exception):
    """The root of what this room raises."""


class DatabaseUrlError(StoreError):
    """The database URL can't be used; the message says what to write instead."""


class StoreAwayError(StoreError, ConnectionError):
    """The database can't be reached now, or takes nobody in."""


class Database:
    """One database, for the life of a process. Opening it touches nothing yet."""

    def __init__(self, url: str) -> None:
        self.url = _checked(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._writer = _sqlite_engine(self.url, pool_size=1, read_only=False)
            self._reader = _sqlite_engine(self.url, pool_size=_POOL_SIZE, read_only=True)
        else:
            self._writer = _postgres_engine(self.url)
            self._reader = self._writer.execution_options(postgresql_readonly=True)

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[AsyncSession]:
        """A write transaction: committed at the end of the block, undone if it raises.

        One that is not `durable` may be lost if the database server crashes within the next
        moment, and is several times as fast for it: for what may be done again without harm.
        """
        async with _session(self._writer) as session:  # which undoes what is not committed
            if not durable and not self.is_sqlite:
                await session.execute(_NOT_DURABLE)
            yield session
            await session.commit()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session to read with; the database refuses any write in it."""
        async with _session(self._reader) as session:
            yield session

    def upgrade(self) -> None:
        """Bring the schema to the newest version, all of it or nothing. Blocks until done.

        May be called with or without a running event loop, and by several processes at once.
        """
        if self.is_sqlite:
            assert self.url.database is not None  # `_checked` saw to it
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        migrating.upgrade(self._new_engine)

    async def schema_is_current(self) -> bool:
        """Whether the schema is the one this code was written for."""
        async with self._reader.connect() as connection:
            return await connection.run_sync(migrating.is_current)

    @asynccontextmanager
    async def own_connection(self) -> AsyncIterator[Any]:
        """The driver's own connection, outside of the pool: for what holds one for long."""
        engine = self._new_engine()
        try:
            async with engine.connect() as connection:
                yield (await connection.get_raw_connection()).driver_connection
        finally:
            await engine.dispose()

    async def dispose(self) -> None:
        """Close every connection."""
        await self._reader.dispose()
        await self._writer.dispose()

    def _new_engine(self) -> AsyncEngine:
        """An engine of its own, for another event loop: connections belong to one loop."""
        if self.is_sqlite:
            return _sqlite_engine(self.url, pool_size=1, read_only=False)
        return _postgres_engine(self.url)


def _checked(given: str) -> URL:
    try:
        url = make_url(given)
    except ArgumentError:
        raise DatabaseUrlError(
            "the database URL can't be read: write `sqlite+aiosqlite:///path/to/file.db` or "
            "`postgresql+asyncpg://user:password@host/database`"
        ) from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise DatabaseUrlError(
            f"the database URL says `{url.drivername}`: write `sqlite+aiosqlite` or "
            "`postgresql+asyncpg`"
        )
    if driver.startswith("sqlite") and url.database in (None, "", ":memory:"):
        raise DatabaseUrlError(
            "a SQLite database in memory is another one for every connection: name a file, "
            "`sqlite+aiosqlite:///path/to/file.db`"
        )
    return url.set(drivername=driver)


class _Session(AsyncSession):
    """SQLAlchemy's, which closes in a task of its own, lest it be cancelled half-way.

    After a commit the connection is back in the pool, and nothing is left to wait for.
    """

    async def __aexit__(self, *raised: Any) -> None:
        if self.in_transaction():
            await super().__aexit__(*raised)
        else:
            self.sync_session.close()


def _session(engine: AsyncEngine) -> AsyncSession:
    # Rows stay readable after commit: there is no lazy loading to make up for it.
    return _Session(engine, expire_on_commit=False)


def _postgres_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        json_serializer=json_text,
        json_deserializer=json_value,
        pool_size=_POOL_SIZE,
        # One beyond these would be made for a single transaction, which would wait 9 ms for it.
        max_overflow=0,
        hide_parameters=True,
    )
    _replace_cut_connections(engine)
    _translate_refused_connections(engine)
    return engine


def _replace_cut_connections(engine: AsyncEngine) -> None:
    """Hand out none that was cut, by a restart of the server for instance."""

    @event.listens_for(engine.sync_engine, "checkin")
    def _checkin(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def _checkout(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError("the server closed the connection")
        now = time.monotonic()
        if now - record.info.get("idle_since", now) > _TRUSTED_FOR.total_seconds():
            try:
                connection.ping()
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError("the connection does not answer") from error


def _translate_refused_connections(engine: AsyncEngine) -> None:
    """Have what the driver raises where nobody answers be one error of ours."""
    from asyncpg import PostgresError  # not where the store is SQLite

    @event.listens_for(engine.sync_engine, "do_connect")
    def _connect(dialect: Dialect, _: ConnectionPoolEntry, args: Any, options: Any) -> Any:
        # That is many things: two refused addresses of one host are a bare OSError, and what a
        # server says that is starting up is the driver's own or SQLAlchemy's, by its version.
        try:
            return dialect.connect(*args, **options)
        except (OSError, PostgresError, dialect.loaded_dbapi.Error) as error:
            raise StoreAwayError(str(error) or type(error).__name__) from error


def _sqlite_engine(url: URL, *, pool_size: int, read_only: bool) -> AsyncEngine:
    assert url.database is not None  # `_checked` saw to it
    engine = create_async_engine(
        url,
        async_creator=partial(one_hop.connect, url.database),
        json_serializer=json_text,
        json_deserializer=json_value,
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,  # an outage is logged, and must not take customers' data along
    )
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _: ConnectionPoolEntry) -> None:
        # The driver would begin transactions itself, deferred and only before a write: two
        # that read first and write later then fail on each other's locks.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT // timedelta(milliseconds=1)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        # With WAL, `normal` loses nothing when a process dies; only a power cut may take the
        # last transactions, never the file's consistency.
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, one_hop.Connection)
        driver.begin(begin)

    return engine

"""SQLite through aiosqlite, one hop to its thread for a statement instead of four.

Knows no SQL. Opening a cursor, executing, fetching and closing it are four messages between
threads in aiosqlite, each dearer than most statements; SQLAlchemy always asks for all four
in a row, and always fetches everything. So here they are one, and the BEGIN of a transaction
goes along with its first statement.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiosqlite

# How aiosqlite would read rows one by one; nothing here does.
_CHUNK = 64


async def connect(path: str | Path) -> aiosqlite.Connection:
    """Open the file. What SQLAlchemy calls as its `async_creator`."""
    # SQLAlchemy sets the isolation level from its own thread, hence the second argument.
    connection = Connection(partial(sqlite3.connect, path, check_same_thread=False), _CHUNK)
    # A process that ends without closing its connections must not wait for their threads.
    connection._thread.daemon = True
    return await connection


class _Cursor:
    """What SQLAlchemy uses of a cursor. Everything is known once `execute` has returned."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        """Execute a statement, and fetch what it gives."""
        return await self._run(sqlite3.Cursor.execute, sql, parameters)

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        """Execute a statement for each of the parameters."""
        return await self._run(sqlite3.Cursor.executemany, sql, parameters)

    async def fetchall(self) -> list[Any]:
        """All rows, which are here already."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Nothing is open any more."""

    async def _run(self, method: Any, sql: str, parameters: Any) -> Self:
        begin = self._connection.take_begin()

        def whole() -> None:
            cursor = self._connection._conn.cursor()
            try:
                if begin is not None:
                    cursor.execute(begin)
                method(cursor, sql, parameters)
                self.description = cursor.description
                self._rows = cursor.fetchall() if cursor.description else []
                self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
            finally:
                cursor.close()

        await self._connection._execute(whole)  # type: ignore[no-untyped-call]
        return self


class Connection(aiosqlite.Connection):
    """A connection whose cursors cost nothing to open, nor its transactions to begin."""

    _to_begin: str | None = None
    _has_begun = False

    def begin(self, sql: str) -> None:
        """Begin a transaction with the next statement."""
        self._to_begin = sql

    def take_begin(self) -> str | None:
        """How the transaction is still to be begun, for the one who is about to."""
        begin, self._to_begin = self._to_begin, None
        self._has_begun = self._has_begun or begin is not None
        return begin

    async def commit(self) -> None:
        """Keep what was written, if anything was begun."""
        await self._end(super().commit)

    async def rollback(self) -> None:
        """Undo what was written; SQLAlchemy asks for it after each commit, too."""
        await self._end(super().rollback)

    def cursor(self) -> Any:
        return _Cursor(self)

    async def _end(self, end: Callable[[], Awaitable[None]]) -> None:
        self._to_begin = None
        # What was begun here may still be under way in the thread, so both are asked.
        if self._has_begun or self.in_transaction:
            await end()
            self._has_begun = False

"""An import from its first row to its last: in small transactions, for real or to try it.

Decides how much is done at once; knows no kind of row. The one surprising fact: a trial does
everything and takes it back, transaction by transaction, so what it says is what the same
code would do. What a trial has seen it keeps in a file of its own, not in the store.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from time import perf_counter
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from api.importing.rows import Refusal, Row, Taken
from api.services import Services

# A transaction of so many rows takes a tenth of a second, in which nobody else writes to a
# SQLite store and these customers' live events wait. More at once is hardly faster.
ROWS_A_TRANSACTION = 200

# Looked up together: finding customers by their address reads all of them each time.
_TRANSACTIONS_A_BLOCK = 10

# Of the time a transaction took, so much is left to others before the next. SQLite wakes
# nobody who waits for its lock: they look every 0.1 s, for 10 s, and must find it free once.
_LEFT_TO_OTHERS = 0.25

Entry = Row | Refusal


class Importer(Protocol):
    """What one kind of row does."""

    async def look_ahead(self, session: AsyncSession, rows: Sequence[Row]) -> None:
        """Look up what the next rows need; in a session that only reads."""
        ...

    async def take(self, session: AsyncSession, rows: Sequence[Row]) -> Taken:
        """Take rows in this transaction."""
        ...


async def run_import(
    services: Services,
    importer: Importer,
    entries: Iterable[Entry],
    *,
    dry_run: bool,
    is_stopped: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Taken]:
    """What became of the entries, a transaction at a time; stops between two when told to.

    With `dry_run` nothing is written. Each refusal is in the answer once, in order of lines.
    """
    with closing(_Seen()) as seen:
        for block in parts(entries, ROWS_A_TRANSACTION * _TRANSACTIONS_A_BLOCK):
            rows = [each for each in block if isinstance(each, Row)]
            async with services.database.reading() as session:
                await importer.look_ahead(session, rows)
            for part in parts(block, ROWS_A_TRANSACTION):
                if is_stopped():
                    return
                began = perf_counter()
                taken = await _take(services, importer, part, dry_run)
                yield seen.counted(taken) if dry_run else taken
                await let_others_in(services, perf_counter() - began)


async def let_others_in(services: Services, took_s: float) -> None:
    """After a transaction of so many seconds, time for whoever waits to write."""
    if services.database.is_sqlite:
        await asyncio.sleep(_LEFT_TO_OTHERS * took_s)


class RolledBack(Exception):  # noqa: N818 - no error: what a trial does is taken back by it
    """Raised at the end of a trial's transaction, and caught around it."""


async def _take(
    services: Services, importer: Importer, part: Sequence[Entry], dry_run: bool
) -> Taken:
    unread = [each for each in part if isinstance(each, Refusal)]
    rows = [each for each in part if isinstance(each, Row)]
    taken = Taken()
    try:
        async with services.database.transaction() as session:
            taken = await importer.take(session, rows)
            if dry_run:
                raise RolledBack
    except RolledBack:
        pass
    else:
        services.woken.set()
    refused = sorted([*unread, *taken.refused], key=lambda each: each.line)
    return replace(taken, refused=tuple(refused))


def parts(entries: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    """The entries, so many at a time."""
    left = iter(entries)
    while part := list(islice(left, size)):
        yield part


class _Seen:
    """What a trial would have written before: SQLite's own temporary file, gone when closed."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("")
        self._connection.execute("CREATE TABLE seen (name TEXT PRIMARY KEY) WITHOUT ROWID")

    def counted(self, taken: Taken) -> Taken:
        """The same, where what an earlier transaction would have written is known."""
        with self._connection:
            new = tuple(name for name in taken.new if self._is_first(name))
        return replace(taken, new=new, known=taken.known + len(taken.new) - len(new))

    def close(self) -> None:
        """Forget it all."""
        self._connection.close()

    def _is_first(self, name: str) -> bool:
        statement = "INSERT OR IGNORE INTO seen VALUES (?)"
        return self._connection.execute(statement, (name,)).rowcount == 1

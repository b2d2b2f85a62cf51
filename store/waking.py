"""Telling dispatchers of other processes that there is something to carry.

PostgreSQL tells them with the commit (`NOTIFY`); on SQLite nobody does, and they look every
second. The one surprising fact: nothing hangs on being told. A notification that is missed
while a connection is made anew costs the second that a look would have taken anyway.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from store.built_once import run
from store.database import Database

_CHANNEL = "parcours_outbox"

# Between attempts to listen again: a restart of the server takes some seconds, and who looks
# every second meanwhile misses nothing.
_PAUSE_S = 1.0

_TELL = text(f"SELECT pg_notify('{_CHANNEL}', '')")


async def tell(session: AsyncSession) -> None:
    """Once this transaction commits, wake whoever listens."""
    if session.get_bind().dialect.name == "postgresql":
        await run(session, _TELL)


@asynccontextmanager
async def listening(database: Database, wake: Callable[[], None]) -> AsyncIterator[None]:
    """Have `wake` called whenever some process has written what is to be carried, meanwhile."""
    if database.is_sqlite:
        yield
        return
    task = asyncio.create_task(_listen_for_ever(database, wake), name="listening")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _listen_for_ever(database: Database, wake: Callable[[], None]) -> None:
    from asyncpg import InterfaceError, PostgresError  # not where the store is SQLite

    while True:
        # Whatever the reason, others look anyway, and the store's users tell that it is away.
        # The driver's own errors: it is asked directly, so nobody translates them.
        with suppress(SQLAlchemyError, OSError, InterfaceError, PostgresError):
            await _listen(database, wake)
        await asyncio.sleep(_PAUSE_S)


async def _listen(database: Database, wake: Callable[[], None]) -> None:
    """Listen until the connection is lost."""
    lost = asyncio.Event()
    async with database.own_connection() as driver:
        driver.add_termination_listener(lambda _: lost.set())
        await driver.add_listener(_CHANNEL, lambda *_: wake())
        wake()  # what was written since the last look
        await lost.wait()

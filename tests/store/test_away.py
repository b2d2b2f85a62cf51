"""A store that is away is told from a statement that is wrong, by what the driver really raises."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from store.away import is_away
from store.database import Database, StoreAwayError


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("code", "away"),
    [
        ("57P01", True),  # it is told to stop
        ("57P02", True),  # another of its processes crashed
        ("57P03", True),  # it is starting up
        ("53300", True),  # too many connections
        ("53100", True),  # its disk is full
        ("08006", True),  # the connection failed
        ("57014", False),  # the statement took too long
        ("42703", False),  # there is no such column
        ("23505", False),  # not unique
        ("40P01", False),  # a deadlock
    ],
)
async def test_what_postgresql_says_of_itself_is_an_outage_and_of_a_statement_is_not(
    db: Database, code: str, away: bool
) -> None:
    with pytest.raises(DBAPIError) as raised:
        async with db.transaction() as session:
            await session.execute(
                text(f"DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{code}'; END $$")
            )
    assert is_away(raised.value) is away


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (StoreAwayError("refused"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (NoConnectionFreeError(), True),
        (ValueError(), False),
        (asyncio.CancelledError(), False),
    ],
)
def test_what_no_database_said(error: BaseException, away: bool) -> None:
    assert is_away(error) is away


async def test_a_server_that_is_starting_up_is_away() -> None:
    async with _starting_up() as port:
        database = Database(f"postgresql+asyncpg://parcours@127.0.0.1:{port}/parcours")
        with pytest.raises(StoreAwayError, match="starting up"):
            async with database.reading() as session:
                await session.execute(text("SELECT 1"))
        await database.dispose()


async def test_an_error_repeats_nothing_of_what_was_written(db: Database) -> None:
    async with db.reading() as session:
        with pytest.raises(DBAPIError) as raised:
            await session.execute(
                text("SELECT * FROM nowhere WHERE it = :it"), {"it": "ann@acme.example"}
            )
    assert "nowhere" in str(raised.value)
    assert "ann@acme.example" not in str(raised.value)


@asynccontextmanager
async def _starting_up() -> AsyncIterator[int]:
    """A PostgreSQL that takes nobody in yet; its port."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # PostgreSQL's manual, "Message Formats": the client asks for TLS, and hears `N`; then
        # it says who it is, and hears an error.
        length = int.from_bytes(await reader.readexactly(4))
        if length == 8:
            await reader.readexactly(4)
            writer.write(b"N")
            length = int.from_bytes(await reader.readexactly(4))
        await reader.readexactly(length - 4)
        fields = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"
        writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]

"""What is written to be carried wakes the dispatchers of other processes."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from store import outbox, waking
from store.database import Database
from store.tables import OutboxKind
from tests.store.given import NOON, a_customer

# Far beyond what it takes, and far below a test's patience.
_SOON_S = 5.0


async def _append(db: Database) -> None:
    async with db.transaction() as session:
        await a_customer(session)
        await outbox.append(session, customer_id="c1", kind=OutboxKind.START, payload={}, at=NOON)


async def _woken(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), _SOON_S)
    event.clear()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_whoever_listens_is_told_with_the_commit(db: Database) -> None:
    woken = asyncio.Event()
    other = Database(db.url.render_as_string(hide_password=False))
    async with waking.listening(other, woken.set):
        await _woken(woken)  # it listens now
        async with db.transaction() as session:
            await a_customer(session)
            row = {"customer_id": "c1", "kind": OutboxKind.START, "payload": {}, "at": NOON}
            await outbox.append(session, **row)  # type: ignore[arg-type]
            assert not woken.is_set()
        await _woken(woken)
    await other.dispose()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_listener_that_lost_its_connection_listens_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "_PAUSE_S", 0.01)
    woken = asyncio.Event()
    async with waking.listening(db, woken.set):
        await _woken(woken)
        async with db.transaction() as session:
            await session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE query LIKE 'LISTEN%' AND datname = current_database()"
                )
            )
        await _woken(woken)  # once it listens again it says so
        await _append(db)
        await _woken(woken)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_connection_that_is_lost_while_it_is_made_does_not_end_the_listening(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asyncpg import Connection, ConnectionDoesNotExistError, InterfaceError

    monkeypatch.setattr(waking, "_PAUSE_S", 0.01)
    really = Connection.add_listener
    losses = [ConnectionDoesNotExistError("lost"), InterfaceError("connection is closed")]

    async def lost_at_first(self: Connection, *arguments: Any) -> None:
        if losses:
            raise losses.pop()
        await really(self, *arguments)

    monkeypatch.setattr(Connection, "add_listener", lost_at_first)
    woken = asyncio.Event()
    async with waking.listening(db, woken.set):
        await _woken(woken)
    assert losses == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_on_sqlite_listening_costs_nothing(db: Database) -> None:
    before = len(asyncio.all_tasks())
    async with waking.listening(db, lambda: None):
        assert len(asyncio.all_tasks()) == before

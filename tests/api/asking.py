"""Requests with a key, and what they ask of the store."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import sqlalchemy as sa

from store import keys
from store.database import Database
from tests.api.given import A_DAY

EVENT = {"userId": "c1", "event": "app_opened"}
UNKNOWN = "pk_" + "0" * 32


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def sent(client: httpx.AsyncClient, key: str, events: int = 1) -> httpx.Response:
    """The answer to events, in a batch where there are several."""
    if events == 1:
        return await client.post("/v1/track", json=EVENT, headers=bearer(key))
    batch = {"batch": [{"type": "track", **EVENT} for _ in range(events)]}
    return await client.post("/v1/batch", json=batch, headers=bearer(key))


async def looked(client: httpx.AsyncClient, key: str) -> httpx.Response:
    return await client.get("/v1/enrollments", headers=bearer(key))


async def revoke_all(database: Database) -> None:
    async with database.transaction() as session:
        for row in await keys.every(session):
            assert row.id is not None
            await keys.revoke(session, row.id, A_DAY)


def key_queries(database: Database) -> AbstractContextManager[list[str]]:
    """The statements about keys that are executed meanwhile."""
    return statements(database, about="api_keys")


@contextmanager
def statements(database: Database, about: str = "") -> Iterator[list[str]]:
    """Those that are executed meanwhile and have that in them."""
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if about in statement:
            seen.append(statement)

    engines = [database._writer.sync_engine]  # PostgreSQL's reader shares its events
    if database.is_sqlite:
        engines.append(database._reader.sync_engine)
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    for engine in engines:
        sa.event.remove(engine, "before_cursor_execute", note)

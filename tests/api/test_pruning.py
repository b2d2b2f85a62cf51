"""What nobody needs any more is forgotten; what happened stays."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from api import pruning
from api.dispatcher import Dispatcher
from api.services import Services
from store import outbox, refusals
from tests.api.given import DAY, Wall, kept_events, publish
from tests.api.given import outbox as every_row


async def fill(client: httpx.AsyncClient, customer: str) -> None:
    for event in ("trial_started", "with.dot"):
        await client.post("/v1/track", json={"userId": customer, "event": event})


async def test_old_rows_that_temporal_heard_and_old_refusals_go_and_events_stay(
    client: httpx.AsyncClient, services: Services, dispatcher: Dispatcher, wall: Wall
) -> None:
    await publish(services.database)
    for number in range(5):
        await fill(client, f"old{number}")
    await dispatcher.drain()
    await fill(client, "waits")
    wall.pass_(31 * DAY)
    await fill(client, "new")
    events = len(await kept_events(services.database))
    assert await pruning.prune(services, at_once=2) == (5, 6)
    assert await pruning.prune(services, at_once=2) == (0, 0)
    assert {row.customer_id for row in await every_row(services.database)} == {"waits", "new"}
    async with services.database.reading() as session:
        (left,) = await refusals.newest(session)
        assert (await outbox.backlog(session)).pending == 2
    assert left.customer_id == "new"
    assert len(await kept_events(services.database)) == events


async def test_it_is_done_now_and_then_while_the_application_runs_whatever_happens(
    client: httpx.AsyncClient, services: Services, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(client, "old")
    wall.pass_(31 * DAY)
    tried, done = 0, asyncio.Event()
    once = pruning.prune

    async def noted(given: Services) -> tuple[int, int]:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise OperationalError("BEGIN", {}, Exception("the store is away"))
        gone = await once(given)
        done.set()
        return gone

    monkeypatch.setattr(pruning, "_EVERY", timedelta(milliseconds=5))
    monkeypatch.setattr(pruning, "prune", noted)
    async with asyncio.timeout(20), pruning.pruning(services):
        await done.wait()
    async with services.database.reading() as session:
        assert await refusals.newest(session) == []

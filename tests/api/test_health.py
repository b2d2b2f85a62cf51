"""Whether the process lives and can work: without a key, and saying what is down."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from api.app import create_app
from api.dispatcher import Dispatcher
from api.services import Services
from tests.api.fake_temporal import FakeTemporal
from tests.api.given import Wall, publish, take, track


async def test_it_lives_without_a_key(anyone: httpx.AsyncClient) -> None:
    answer = await anyone.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_without_temporal_it_is_ready_and_says_so(
    anyone: httpx.AsyncClient, services: Services, wall: Wall
) -> None:
    await publish(services.database)
    await take(services, track("trial_started"))
    wall.pass_(timedelta(seconds=90))
    answer = await anyone.get("/readyz")
    told = answer.json()
    assert (answer.status_code, told["ready"], told["store"]) == (200, True, "ok")
    assert told["temporal"] == "not connected"
    assert (told["waiting"], told["oldest_s"], told["parked"]) == (1, 90.0, 0)


async def test_without_the_store_it_is_not_ready_and_names_no_host(
    anyone: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse() -> bool:
        raise ConnectionRefusedError("db.internal:5432")

    monkeypatch.setattr(services.database, "schema_is_current", refuse)
    answer = await anyone.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["store"] == "down: ConnectionRefusedError"
    assert answer.json()["waiting"] is None
    assert "internal" not in answer.text


async def test_with_an_old_schema_it_is_not_ready_and_says_what_to_do(
    anyone: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def old() -> bool:
        return False

    monkeypatch.setattr(services.database, "schema_is_current", old)
    answer = await anyone.get("/readyz")
    assert answer.status_code == 503
    assert "parcours db upgrade" in answer.json()["store"]


async def test_a_dispatcher_that_died_is_told_while_events_are_accepted(
    services: Services, temporal: FakeTemporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(_: Dispatcher) -> bool:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Dispatcher, "_turn", die)
    app = create_app(replace(services, temporal=temporal.client()))
    transport = httpx.ASGITransport(app=app)
    async with asyncio.timeout(20), app.router.lifespan_context(app):
        (task,) = [each for each in asyncio.all_tasks() if each.get_name() == "dispatcher"]
        await asyncio.wait([task])
        async with httpx.AsyncClient(transport=transport, base_url="http://x.test") as client:
            answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["dispatcher"]) == (200, "died: ZeroDivisionError")


async def test_the_application_runs_a_dispatcher_for_as_long_as_it_runs(
    services: Services, temporal: FakeTemporal
) -> None:
    await publish(services.database)
    app = create_app(replace(services, temporal=temporal.client()))
    async with asyncio.timeout(20), app.router.lifespan_context(app):
        assert app.state.dispatcher_state() == "ok"
        await take(services, track("trial_started"))
        await temporal.hearing.wait()
    assert app.state.dispatcher_state() == "stopped"
    assert [asked.what for asked in temporal.heard] == ["start"]
    assert isinstance(temporal.heard[0].options["rpc_timeout"], timedelta)

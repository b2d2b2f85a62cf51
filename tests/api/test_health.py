"""Whether the process lives and can work: without a key, and saying what is down."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from api.app import create_app
from api.services import Services
from tests.api.fake_temporal import FakeTemporal
from tests.api.given import publish, take, track


async def test_it_lives_without_a_key(anyone: httpx.AsyncClient) -> None:
    answer = await anyone.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_without_temporal_it_is_ready_and_says_so(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    await publish(services.database)
    await take(services, track("trial_started"))
    answer = await anyone.get("/readyz")
    told = answer.json()
    assert (answer.status_code, told["ready"], told["store"]) == (200, True, "ok")
    assert told["temporal"] == "not connected"
    assert told["waiting"] == 1


async def test_without_the_store_it_is_not_ready_and_names_no_host(
    anyone: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse() -> bool:
        raise ConnectionRefusedError("db.internal:5432")

    monkeypatch.setattr(services.database, "schema_is_current", refuse)
    answer = await anyone.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["store"] == "down: ConnectionRefusedError"
    assert "internal" not in answer.text


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

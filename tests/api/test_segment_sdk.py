"""An ordinary Segment SDK from PyPI, pointed at us over real HTTP, with its own defaults."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from segment.analytics.client import Client
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import create_app
from api.scopes import Scope as KeyScope
from api.services import Services
from store import customers
from store.database import Database
from tests.api.given import enrollment, kept_events, load_settings, make_key, publish
from tests.temporal import free_port


@dataclass
class Counted:
    """The application, and how many requests it saw."""

    app: ASGIApp
    paths: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.paths.append(scope["path"])
        await self.app(scope, receive, send)


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[tuple[Services, Counted, str]]:
    """The API on a port of its own, by the real clock."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    services = Services(database=Database(url), settings=load_settings(url))
    services.database.upgrade()
    counted = Counted(create_app(services))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(counted, port=port, log_level="error"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not await _answers(port):
            assert not serving.done()
    yield services, counted, f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving
    await services.database.dispose()


async def _answers(port: int) -> bool:
    with suppress(ConnectionError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        return True
    return False


@pytest.mark.parametrize("gzipped", [False, True])
async def test_the_python_sdk_enrolls_a_customer_in_one_request_a_batch(
    real: tuple[Services, Counted, str], gzipped: bool
) -> None:
    services, counted, host = real
    await publish(services.database)
    key = await make_key(services.database, KeyScope.EVENTS_WRITE)
    errors: list[object] = []

    def send() -> None:
        sdk = Client(key, host=host, gzip=gzipped, on_error=lambda error, _: errors.append(error))
        sdk.identify("c1", {"email": "ann@acme.example", "trial_ends_at": "2099-01-01"})
        sdk.track("c1", "trial_started", {"plan": "pro"}, context={"timezone": "Europe/Paris"})
        sdk.page("c1", "docs", "Getting started v1.2", {"url": "/docs"})
        sdk.shutdown()

    await asyncio.to_thread(send)
    assert errors == []
    assert 1 <= len(counted.paths) <= 3  # as the SDK happened to group three calls
    async with services.database.reading() as session:
        customer = await customers.get(session, "c1")
    assert customer is not None
    assert customer.traits["trial_ends_at"] == "2099-01-01"
    assert customer.context_timezone == "Europe/Paris"
    assert (await enrollment(services.database)).start_properties == {"plan": "pro"}


async def test_the_sdk_does_not_insist_on_what_was_refused(
    real: tuple[Services, Counted, str],
) -> None:
    services, counted, host = real
    key = await make_key(services.database, KeyScope.EVENTS_WRITE)
    errors: list[object] = []

    def send(write_key: str, event: str) -> None:
        sdk = Client(write_key, host=host, on_error=lambda error, _: errors.append(error))
        sdk.track("c1", event)
        sdk.shutdown()

    await asyncio.to_thread(send, key, "with.dot")
    await asyncio.to_thread(send, "wrong", "fine")
    assert len(counted.paths) == 2
    assert len(errors) == 2


async def test_the_sdk_waits_as_long_as_it_is_told_and_loses_nothing(
    real: tuple[Services, Counted, str],
) -> None:
    services, counted, host = real
    text = await make_key(services.database, KeyScope.EVENTS_WRITE, rate=1)
    key = await services.keyring.find(text, services.wall())
    assert key is not None
    services.limits.take(key, 12, services.wall())  # 2 in debt: 3 seconds until the next
    errors: list[object] = []

    def send() -> None:
        sdk = Client(text, host=host, on_error=lambda error, _: errors.append(error))
        sdk.track("c1", "app_opened")
        sdk.flush()
        sdk.shutdown()

    await asyncio.to_thread(send)
    assert errors == []
    assert len(counted.paths) == 2
    assert "app_opened" in {each.name for each in await kept_events(services.database)}

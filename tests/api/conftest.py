"""Every test of this room that needs a store runs on SQLite and on PostgreSQL.

Temporal is replaced at the client's border, by a fake that records what it is asked.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.dispatcher import Dispatcher
from api.scopes import ALL_SCOPES
from api.services import Services
from settings import Settings
from store.database import Database
from tests.api.fake_temporal import FakeTemporal
from tests.api.given import A_DAY, Wall, load_settings, make_key, publish
from tests.api.lives import JOURNEYS
from tests.postgres import postgres_server  # noqa: F401 — a fixture
from tests.store.conftest import (  # noqa: F401 — fixtures
    db,
    migrated_file,
    migrated_template,
    shared_postgres,
    url,
)


@pytest.fixture(scope="session")
def published_file(
    migrated_file: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A SQLite file in which the journeys of `tests.api.lives` are published, to be copied."""
    path = tmp_path_factory.mktemp("orders") / "published.db"
    shutil.copy(migrated_file, path)

    async def prepare() -> None:
        database = Database(f"sqlite+aiosqlite:///{path}")
        await publish(database, *JOURNEYS)
        await database.dispose()

    asyncio.run(prepare())
    return path


@pytest.fixture
def wall() -> Wall:
    """The real time, which tests move by hand."""
    return Wall(A_DAY)


@pytest.fixture
def configured(url: str) -> Settings:  # noqa: F811 — the fixture above
    return load_settings(url)


@pytest.fixture
def services(db: Database, configured: Settings, wall: Wall) -> Services:  # noqa: F811
    return Services(database=db, settings=configured, wall=wall)


@pytest.fixture
def temporal() -> FakeTemporal:
    return FakeTemporal()


@pytest.fixture
def dispatcher(services: Services, temporal: FakeTemporal) -> Dispatcher:
    return Dispatcher(services, temporal.client())


@pytest.fixture
async def key(services: Services) -> str:
    """A key that may do everything."""
    return await make_key(services.database, *ALL_SCOPES)


@pytest.fixture
async def anyone(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application that shows no key."""
    transport = httpx.ASGITransport(app=create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://parcours.test") as client:
        yield client


@pytest.fixture
async def client(anyone: httpx.AsyncClient, key: str) -> httpx.AsyncClient:
    """A client that shows the key with every request."""
    anyone.headers["Authorization"] = f"Bearer {key}"
    return anyone

"""Every test of this room runs twice, on SQLite and on PostgreSQL, from a database without rows.

The schema is migrated once for each kind, and copied.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from store.database import Database
from store.tables import Table
from tests.postgres import PostgresServer, postgres_server  # noqa: F401 — a fixture


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    Database(f"sqlite+aiosqlite:///{path}").upgrade()
    return path


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:  # noqa: F811 — the same fixture
    """A PostgreSQL database with the newest schema, to be used as a template."""
    name = postgres_server.create_database()
    Database(postgres_server.url(name)).upgrade()
    return name


@pytest.fixture(scope="session")
def shared_postgres(postgres_server: PostgresServer, migrated_template: str) -> str:  # noqa: F811
    """The database that most tests use one after the other: emptying is faster than making."""
    return postgres_server.url(postgres_server.create_database(migrated_template))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database in which there is nothing yet."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.url(server.create_database())


@pytest.fixture(params=["sqlite", "postgresql"])
def own_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated database that the test may spoil."""
    if request.param == "sqlite":
        return _copy(request, tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.url(server.create_database(request.getfixturevalue("migrated_template")))


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated database without rows."""
    if request.param == "sqlite":
        return _copy(request, tmp_path)
    shared: str = request.getfixturevalue("shared_postgres")
    database = Database(shared)
    async with database.transaction() as session:
        # In one statement and without CASCADE: these are all the tables there are.
        tables = ", ".join(table.name for table in Table.metadata.sorted_tables)
        await session.execute(text(f"TRUNCATE {tables}"))
    await database.dispose()
    return shared


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    """A migrated store without rows."""
    database = Database(url)
    yield database
    await database.dispose()


def _copy(request: pytest.FixtureRequest, folder: Path) -> str:
    path = folder / "store.db"
    shutil.copy(request.getfixturevalue("migrated_file"), path)
    return f"sqlite+aiosqlite:///{path}"

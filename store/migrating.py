"""Bringing a database's schema to the newest version, and telling whether it is there.

Knows Alembic and nothing of the tables. The one surprising fact: Alembic is synchronous and
the drivers are not, so an upgrade runs on an event loop of its own in a thread of its own,
whether the caller has a loop or not.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

# Any number, so long as nothing else in the database locks it; these are "parcours" in ASCII.
_LOCK = int.from_bytes(b"parcours", "big")

# Alembic keeps what it is doing in module globals: two upgrades in one process, even of two
# databases, would run on each other's connections.
_ONE_AT_A_TIME = Lock()


def upgrade(new_engine: Callable[[], AsyncEngine]) -> None:
    """Run every migration that is missing, in one transaction."""
    with _ONE_AT_A_TIME, ThreadPoolExecutor(max_workers=1, thread_name_prefix="migrate") as thread:
        thread.submit(asyncio.run, _upgrade(new_engine)).result()


def is_current(connection: Connection) -> bool:
    """Whether the newest migration has been run."""
    return MigrationContext.configure(connection).get_current_revision() == _newest()


async def _upgrade(new_engine: Callable[[], AsyncEngine]) -> None:
    engine = new_engine()
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


def _run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # A second process that starts meanwhile waits, then finds nothing to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def alembic_config() -> Config:
    """Alembic's configuration; there is no `alembic.ini`."""
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))  # configparser's escape
    config.set_main_option("path_separator", "os")
    return config


@cache
def _newest() -> str | None:
    return ScriptDirectory.from_config(alembic_config()).get_current_head()

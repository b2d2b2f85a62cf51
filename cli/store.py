"""The store as a command opens it: its schema checked before anything else, closed at the end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cli.errors import TroubleError

if TYPE_CHECKING:
    from api.services import Services
    from settings import Settings
    from store.database import Database

_T = TypeVar("_T")

# Whom the audit log names.
ACTOR = "cli"


def settings_without_links() -> Settings:
    """The settings, for commands that make no link and so need no key to sign one with.

    They get a key that nobody knows, so that a link made by mistake would not work.
    """
    from settings import load

    return load(secret_key=secrets.token_hex())


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The store of these settings. Raises TroubleError where `db upgrade` was not run."""
    from store.database import Database

    database = Database(settings.database_url)
    try:
        if not _exists(database) or not await database.schema_is_current():
            raise TroubleError(
                f"the store ({database.url.render_as_string(hide_password=True)}) is not ready "
                "for this version: run `parcours db upgrade`"
            )
        yield database
    finally:
        await database.dispose()


def with_store(work: Callable[[Services], Awaitable[_T]]) -> _T:
    """What the work answers, done with what the API works with, but without Temporal."""
    from activities.places import e164
    from api.services import Services

    async def run() -> _T:
        settings = settings_without_links()
        async with opened(settings) as database:
            return await work(Services(database=database, settings=settings, read_phone=e164))

    return asyncio.run(run())


def _exists(database: Database) -> bool:
    """Opening a SQLite file that is not there would make it."""
    return not database.is_sqlite or Path(database.url.database or "").exists()

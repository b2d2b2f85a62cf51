"""A store for what lies between `deliver` and the provider, where one kind of database will do."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store.database import Database


@pytest.fixture
async def store(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated SQLite file without rows."""
    shutil.copy(migrated_file, tmp_path / "store.db")
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}")
    yield database
    await database.dispose()

"""A real API for real clients, with a SQLite store; what the stores do alike is tested there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clients.serving import Serving, serving
from tests.store.conftest import migrated_file  # noqa: F401 — a fixture


@pytest.fixture
async def api(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Serving]:  # noqa: F811
    """The API, by the real clock."""
    async with serving(migrated_file, tmp_path) as running:
        yield running

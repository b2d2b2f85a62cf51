"""The fuzzers' stages: one on SQLite, one on PostgreSQL, for they refuse different texts."""

from collections.abc import Iterator

import pytest
import structlog

from tests.fuzz.stage import Stage, staged
from tests.postgres import postgres_server  # noqa: F401 — a fixture
from tests.store.conftest import (  # noqa: F401 — fixtures
    migrated_file,
    migrated_template,
    own_url,
)


@pytest.fixture(autouse=True)
def logged() -> Iterator[None]:
    """Thousands of refusals are no news."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def stage(own_url: str) -> Iterator[Stage]:  # noqa: F811 — the fixture above
    with staged(own_url) as stage:
        yield stage

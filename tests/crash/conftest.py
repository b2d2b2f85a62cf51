"""What every crash test begins with: a seed that is printed, and a PostgreSQL or none."""

import os
import random

import pytest

from tests.postgres import NoPostgresError, binaries


@pytest.fixture
def seed() -> int:
    """By chance, or that of a run to be had again."""
    given = os.environ.get("CRASH_SEED")
    chosen = int(given) if given else random.randrange(1_000_000)
    print(f"CRASH_SEED={chosen}")
    return chosen


@pytest.fixture
def postgres_there() -> None:
    """Skips where there is no PostgreSQL, but fails in CI, which must have one."""
    try:
        binaries()
    except NoPostgresError as trouble:
        if os.environ.get("CI") == "true":
            pytest.fail(str(trouble))
        pytest.skip(str(trouble))

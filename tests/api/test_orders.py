"""The order in which calls arrive decides nothing; the order in which things happened does.

Whatever is drawn, the calls are accepted once as they happened, and once in another order,
cut into other requests, some of them twice. Both stores must hold the same.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.accept import accept
from api.services import Services
from engine.calls import SegmentCall, Track
from store.database import Database
from tests.api.given import Wall, load_settings, publish
from tests.api.lives import JOURNEYS, MINUTE, RECEIVED, arrivals, lives, outcome

_COMMON: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@pytest.fixture(scope="session")
def published_file(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file in which the journeys are published, to be copied."""
    path = tmp_path_factory.mktemp("orders") / "published.db"
    shutil.copy(migrated_file, path)

    async def prepare() -> None:
        database = Database(f"sqlite+aiosqlite:///{path}")
        await publish(database, *JOURNEYS)
        await database.dispose()

    asyncio.run(prepare())
    return path


def _after(published: Path, requests: Sequence[Sequence[SegmentCall]]) -> dict[str, Any]:
    """What the store holds after these requests."""

    async def played() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            path = shutil.copy(published, Path(folder) / "store.db")
            url = f"sqlite+aiosqlite:///{path}"
            database = Database(url)
            services = Services(database=database, settings=load_settings(url), wall=Wall(RECEIVED))
            try:
                for request in requests:
                    await accept(services, request, RECEIVED)
                return await outcome(database, [call for request in requests for call in request])
            finally:
                await database.dispose()

    return asyncio.run(played())


def _check(published: Path, data: st.DataObject, calls: list[SegmentCall]) -> None:
    requests = data.draw(arrivals(calls))
    assert _after(published, requests) == _after(published, [[call] for call in calls])


@settings(max_examples=60, **_COMMON)
@given(data=st.data(), calls=lives())
def test_the_order_of_arrival_decides_nothing(
    published_file: Path, data: st.DataObject, calls: list[SegmentCall]
) -> None:
    _check(published_file, data, calls)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(0, marks=pytest.mark.long),
        *(pytest.param(part, marks=pytest.mark.wide) for part in range(1, 5)),
    ],
)
@settings(max_examples=500, **_COMMON)
@given(data=st.data(), calls=lives())
def test_the_order_of_arrival_decides_nothing_at_length(
    published_file: Path, part: int, data: st.DataObject, calls: list[SegmentCall]
) -> None:
    """Five times five hundred lives, each part with a seed of its own."""
    _check(published_file, data, calls)


def test_a_store_that_forgot_a_call_would_be_noticed(published_file: Path) -> None:
    """The control: one call less is another outcome."""
    calls = [
        Track(customer_id="ada", at=RECEIVED - 2 * MINUTE, message_id="m1", event="began"),
        Track(customer_id="ada", at=RECEIVED - MINUTE, message_id="m2", event="left"),
    ]
    assert _after(published_file, [calls]) != _after(published_file, [calls[:-1]])

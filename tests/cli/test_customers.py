"""`parcours customers erase` erases as the API does, asks before, and says what was done."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.accept import accept
from api.services import Services
from authoring.folder import load_journeys
from cli.publish import publish_loaded
from engine.calls import Identify, Track
from settings import load
from store import audit, customers
from store.database import Database
from tests.cli.running import Ran, parcours
from tests.lint.checkout import ROOT

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A store in which Ada's trial has begun."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'parcours.db'}"
    database = Database(url)
    database.upgrade()
    await publish_loaded(database, load_journeys(ROOT / "journeys"), "test")
    services = Services(database=database, settings=load(database_url=url, secret_key="k" * 64))
    calls = (
        Identify(customer_id="ada", at=NOON, message_id="1", traits={"email": "ada@example.com"}),
        Track(customer_id="ada", at=NOON, message_id="2", event="trial_started"),
    )
    await accept(services, calls, NOON)
    await database.dispose()
    return url


def erase(url: str, *arguments: str) -> Ran:
    return parcours("customers", "erase", *arguments, PARCOURS_DATABASE_URL=url)


async def is_known(url: str) -> bool:
    database = Database(url)
    async with database.reading() as session:
        known = await customers.get(session, "ada")
    await database.dispose()
    return known is not None


async def test_it_says_what_was_done_and_does_it_once(url: str) -> None:
    done = erase(url, "ada", "--yes")
    assert (done.code, done.err) == (0, "")
    told = [" ".join(line.split()) for line in done.out.splitlines()]
    assert {"enrollments exited 1", "events removed 3", "temporal will be told"} <= set(told)
    assert not await is_known(url)
    again = erase(url, "ada", "--yes")
    assert (again.code, again.out) == (2, "")
    assert "there is no customer `ada`" in again.err
    database = Database(url)
    async with database.reading() as session:
        (noted,) = await audit.newest(session)
    await database.dispose()
    assert (noted.actor, noted.action) == ("cli", "erase")


async def test_without_a_yes_nothing_happens(url: str) -> None:
    asked = erase(url, "ada")  # nobody answers
    assert asked.code == 1
    assert "Erase `ada` for good?" in asked.err
    assert await is_known(url)

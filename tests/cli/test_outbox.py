"""`parcours outbox` shows what was put aside, and has it tried again."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from store import audit, customers, outbox
from store.database import Database
from store.tables import OutboxKind
from tests.cli.running import Ran, parcours

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A store in which the first row was put aside, and the second waits."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'parcours.db'}"
    database = Database(url)
    database.upgrade()
    async with database.transaction() as session:
        for name in ("ada", "bea"):
            await customers.lock(session, name, NOON)
            await outbox.append(
                session,
                customer_id=name,
                kind=OutboxKind.START,
                payload={},
                at=NOON,
                enrollment_id=f"trial:{name}",
            )
        await outbox.park(session, 1, NOON, "INVALID_ARGUMENT: blob too large")
    await database.dispose()
    return url


def rows(url: str, *arguments: str) -> Ran:
    return parcours("outbox", *arguments, PARCOURS_DATABASE_URL=url)


async def test_what_was_put_aside_is_tried_again_and_who_wanted_it_is_noted(url: str) -> None:
    listed = rows(url, "list")
    assert (listed.code, "trial:ada" in listed.out, "trial:bea" in listed.out) == (0, True, False)
    assert "INVALID_ARGUMENT: blob too large" in listed.out
    assert "trial:bea" in rows(url, "list", "--waiting").out
    assert "row 1" in rows(url, "retry", "1").out
    assert "nothing was put aside" in rows(url, "list").out
    database = Database(url)
    async with database.reading() as session:
        (entry,) = await audit.newest(session, enrollment_id="trial:ada")
        assert (await outbox.backlog(session)).pending == 2
    await database.dispose()
    assert (entry.actor, entry.action) == ("cli", "outbox.retry")


async def test_a_row_that_was_not_put_aside_is_told_in_a_line(url: str) -> None:
    for number, told in (("2", "is not put aside"), ("9", "no row 9")):
        ran = rows(url, "retry", number)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
        assert told in ran.err

"""`parcours enrollments` steers as the API does: the store first, and a row for Temporal."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.accept import accept
from api.services import Services
from authoring.folder import load_journeys
from cli.publish import publish_loaded
from engine.calls import Identify, Track
from settings import load
from store import audit, outbox
from store.database import Database
from store.tables import OutboxKind
from tests.cli.running import Ran, parcours
from tests.lint.checkout import ROOT

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADA = "trial-onboarding:ada"


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A store in which Ada's trial has begun, and Temporal has not heard of it."""
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


def enrollments(url: str, *arguments: str) -> Ran:
    return parcours("enrollments", *arguments, PARCOURS_DATABASE_URL=url)


async def carried(url: str) -> list[OutboxKind]:
    database = Database(url)
    async with database.transaction() as session:
        rows = []
        while heads := await outbox.heads(session, 10, datetime.now(UTC)):
            rows += heads
            await outbox.mark_done(session, [row.id for row in heads if row.id], NOON)
    await database.dispose()
    return [row.kind for row in rows]


async def test_a_list_and_a_look(url: str) -> None:
    listed = enrollments(url, "list", "--state", "open")
    assert (listed.code, ADA in listed.out) == (0, True)
    assert "thanks 2026-11-24 12:00Z" in listed.out
    assert ADA not in enrollments(url, "list", "--state", "exited").out
    assert ADA not in enrollments(url, "list", "--customer", "bea").out
    shown = enrollments(url, "show", ADA)
    assert (shown.code, ADA in shown.out) == (0, True)


async def test_pause_resume_and_skip_are_noted_and_carried(url: str) -> None:
    assert "paused" in enrollments(url, "pause", ADA).out
    assert "open" in enrollments(url, "resume", ADA).out
    assert enrollments(url, "skip", ADA, "tip").code == 0
    assert await carried(url) == [OutboxKind.START, *[OutboxKind.UPDATE] * 3]
    database = Database(url)
    async with database.reading() as session:
        noted = await audit.newest(session, enrollment_id=ADA)
    await database.dispose()
    assert {(each.actor, each.action) for each in noted} == {
        ("cli", "pause"),
        ("cli", "resume"),
        ("cli", "skip"),
    }


async def test_cancel_closes_it_at_once_and_only_once(url: str) -> None:
    assert "cancelled" in enrollments(url, "cancel", ADA).out
    assert await carried(url) == [OutboxKind.START, OutboxKind.CANCEL]
    again = enrollments(url, "cancel", ADA)
    assert again.code == 2
    assert "has ended" in again.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "trial-onboarding:bea"), "there is no enrollment `trial-onboarding:bea`"),
        (("skip", ADA, "tipp"), "`tip`"),
        (("list", "--state", "opne"), "`open`"),
    ],
)
async def test_what_is_not_there_is_told_in_a_line(
    url: str, arguments: tuple[str, ...], told: str
) -> None:
    ran = enrollments(url, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert len(ran.err.splitlines()) == 1

"""`parcours keys`: shown once, two at a time, revoked by their number."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.data_folder import DataFolder
from store import keys
from store.database import Database
from store.tables import ApiKey
from tests.cli.running import Ran, parcours

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path / 'parcours.db'}"
    Database(url).upgrade()
    return url


def run(url: str, *arguments: str) -> Ran:
    return parcours("keys", *arguments, PARCOURS_DATABASE_URL=url, COLUMNS="200")


async def kept(url: str) -> list[ApiKey]:
    database = Database(url)
    async with database.reading() as session:
        rows = await keys.every(session)
    await database.dispose()
    return rows


async def test_a_key_is_shown_once_listed_by_its_beginning_and_revoked(url: str) -> None:
    assert "parcours keys create NAME" in run(url, "list").out
    key = run(url, "create", "the app").out.strip()
    assert keys.looks_like_one(key)
    listed = run(url, "list").out
    assert key[:9] in listed
    assert key not in listed
    assert "events:write" in listed
    revoked = run(url, "revoke", "1")
    assert (revoked.code, "within 5 seconds" in revoked.out) == (0, True)
    assert "revoked" in run(url, "list").out
    assert run(url, "revoke", "1").code == 2


async def test_scopes_and_rate_are_kept_and_listed(url: str) -> None:
    scopes = ("--scope", "support", "--scope", "admin")
    assert run(url, "create", "people", *scopes, "--rate", "20").code == 0
    assert run(url, "create", "importer", "--scope", "events:write", "--rate", "0").code == 0
    assert [(row.scopes, row.events_per_second) for row in await kept(url)] == [
        (["admin", "support"], 20),
        (["events:write"], 0),
    ]
    listed = run(url, "list").out
    assert "admin, support" in listed
    assert "20/s" in listed
    assert "no limit" in listed


async def test_a_third_key_of_a_name_is_refused_with_which_to_revoke(url: str) -> None:
    for _ in range(2):
        assert run(url, "create", "app").code == 0
    database = Database(url)
    async with database.transaction() as session:
        await keys.note_used(session, {1: NOON})
    await database.dispose()
    refused = run(url, "create", "app")
    assert (refused.code, refused.out) == (2, "")
    assert "`app` has 2 live keys" in refused.err
    assert "last used 2026-11-23 12:00Z" in refused.err
    assert "last used never" in refused.err
    assert "`parcours keys revoke 1`" in refused.err  # used last before the other was even made
    assert len(refused.err.splitlines()) == 1
    assert len(await kept(url)) == 2
    assert run(url, "revoke", "1").code == 0
    assert run(url, "create", "app").code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("create", "app", "--scope", "manage"),
            "'events:write', 'support', 'broadcasts', 'offers', 'admin'",
        ),
        (("create", "app", "--rate", "-1"), "--rate"),
        (("create", "app", "--rate", "fast"), "--rate"),
        (("create", " "), "NAME"),
    ],
)
async def test_what_makes_no_key_is_told(url: str, arguments: tuple[str, ...], told: str) -> None:
    ran = run(url, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert await kept(url) == []


async def test_the_embedded_stack_finds_its_key_and_replaces_one_that_was_lost(
    tmp_path: Path, url: str
) -> None:
    folder, database = DataFolder(tmp_path), Database(url)
    made = []
    for _ in range(4):
        key = await folder.api_key(database)
        assert await folder.api_key(database) == key
        made.append(key)
        (tmp_path / "api.key").unlink()
    async with database.reading() as session:
        valid = [await keys.find_valid(session, key) is not None for key in made]
    await database.dispose()
    assert valid == [False, False, False, True]
    assert {tuple(row.scopes) for row in await kept(url)} == {
        ("admin", "broadcasts", "events:write", "offers", "support")
    }

"""`parcours publish` makes a folder what everybody goes by, or changes nothing."""

import shutil
from pathlib import Path

import pytest

from store import journeys
from store.database import Database
from tests.cli.running import parcours
from tests.lint.checkout import ROOT


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path / 'parcours.db'}"
    assert parcours("db", "upgrade", PARCOURS_DATABASE_URL=url).code == 0
    return url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "journeys", tmp_path / "journeys")
    return tmp_path / "journeys"


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


async def number_published(url: str) -> int | None:
    database = Database(url)
    async with database.reading() as session:
        published = await journeys.newest_publication(session)
    await database.dispose()
    return None if published is None else published.id


async def test_it_says_what_is_new_and_the_second_time_that_nothing_is(
    url: str, folder: Path
) -> None:
    first = parcours("publish", folder, PARCOURS_DATABASE_URL=url)
    assert first.code == 0
    assert "trial-onboarding: new, version " in first.out
    second = parcours("publish", folder, PARCOURS_DATABASE_URL=url)
    assert (second.code, second.out) == (0, "nothing is new: this is what is published already\n")
    assert await number_published(url) == 1


async def test_a_changed_time_is_a_new_version_and_a_changed_text_is_named(
    url: str, folder: Path
) -> None:
    parcours("publish", folder, PARCOURS_DATABASE_URL=url)
    replace(folder / "trial-onboarding/journey.yaml", "start + 1 day\n", "start + 3 days\n")
    (folder / "trial-onboarding/tip/subject.txt").write_text("Another tip")
    replace(folder / "policy.yaml", "name: Atelier", "name: Studio")
    ran = parcours("publish", folder, PARCOURS_DATABASE_URL=url)
    assert ran.code == 0
    assert "trial-onboarding: version " in ran.out
    assert "those inside keep the old one" in ran.out
    assert "new text in tip" in ran.out
    assert "policy.yaml: changed" in ran.out


async def test_with_a_mistake_anywhere_nothing_is_published(url: str, folder: Path) -> None:
    replace(folder / "trial-onboarding/journey.yaml", "start + 1 day\n", "start + 1 dya\n")
    ran = parcours("publish", folder, PARCOURS_DATABASE_URL=url)
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean `day`?" in ran.err
    assert await number_published(url) is None

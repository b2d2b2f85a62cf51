"""`parcours publish` makes a folder what everybody goes by, or changes nothing."""

import asyncio
import shutil
from pathlib import Path

import pytest

from store import journeys
from store.database import Database
from tests.cli.running import parcours, parcours_here
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


def test_a_journey_whose_folder_is_gone_stays_until_it_is_archived(url: str, folder: Path) -> None:
    shutil.copytree(folder / "trial-onboarding", folder / "second-trial")
    replace(
        folder / "second-trial/journey.yaml", "journey: trial-onboarding", "journey: second-trial"
    )
    (folder / "second-trial/scenarios.yaml").unlink()
    assert parcours_here("publish", folder, PARCOURS_DATABASE_URL=url).code == 0
    shutil.rmtree(folder / "second-trial")
    ran = parcours_here("publish", folder, PARCOURS_DATABASE_URL=url)
    told = (
        "`second-trial` is no longer in this folder; its 0 open enrollments go on, new ones "
        "still begin: `parcours archive second-trial` ends that"
    )
    assert told in ran.out
    assert asyncio.run(journeys_published(url)) == {
        "confirm-subscription",
        "trial-onboarding",
        "second-trial",
    }
    assert parcours_here("archive", "second-trial", PARCOURS_DATABASE_URL=url).code == 0
    ran = parcours_here("publish", folder, PARCOURS_DATABASE_URL=url)
    assert "second-trial: gone; it was archived, and nobody is inside any more" in ran.out
    assert asyncio.run(journeys_published(url)) == {"confirm-subscription", "trial-onboarding"}


def test_an_archived_journey_in_the_folder_stays_archived_and_that_is_said(
    url: str, folder: Path
) -> None:
    parcours_here("publish", folder, PARCOURS_DATABASE_URL=url)
    parcours_here("archive", "trial-onboarding", PARCOURS_DATABASE_URL=url)
    (folder / "trial-onboarding/tip/subject.txt").write_text("Another tip")
    ran = parcours_here("publish", folder, PARCOURS_DATABASE_URL=url)
    assert "`trial-onboarding` is archived: nobody enters it, though it is in this" in ran.out


async def journeys_published(url: str) -> set[str]:
    """Those whose messages are published, too."""
    database = Database(url)
    async with database.reading() as session:
        published = await journeys.newest_publication(session)
    await database.dispose()
    assert published is not None
    assert all(published.messages[name] for name in published.journeys)
    return set(published.journeys)

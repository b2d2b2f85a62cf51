"""The page "Going live" is lived through: its files are written, its commands typed in order."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Ran, parcours
from tests.docs.pages import page
from tests.docs.test_commands import typed
from tests.lint.checkout import ROOT

PAGE = page("docs/going-live.md")
FILES = {f.kind: f.text for language in ("csv", "jsonl") for f in PAGE.fences(language)}
ENTERED = "2 would enter `trial-onboarding`, 0 are there by this list, 0 are refused"

# What each command says, in the order of the page.
SAID = (
    "trial-onboarding: new",
    "2 rows of customers: 2 new, 0 known already, 0 refused; nothing was written",
    "2 rows of customers: 2 new, 0 known already, 0 refused",
    "2 rows of consents: 2 new, 0 known already, 0 refused",
    "2 rows of suppressions: 2 new, 0 known already, 0 refused",
    "sent by email",
    ENTERED,
    "2 enrolled, 0 were before, 0 refused",
)


def commands() -> Iterator[list[str]]:
    """The `parcours` commands of the page, as words."""
    for line in typed(PAGE):
        program, *words = shlex.split(line)
        if Path(program).name == "parcours":
            yield words


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty store, and the files of the page beside it."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert run(tmp_path, "db", "upgrade").code == 0
    return tmp_path


def run(folder: Path, *words: str) -> Ran:
    return parcours(
        *words,
        cwd=folder,
        PARCOURS_DATABASE_URL=f"sqlite+aiosqlite:///{folder / 'parcours.db'}",
        PARCOURS_JOURNEYS_DIR=str(ROOT / "journeys"),
    )


def test_what_the_page_tells_to_type_works_in_its_order(folder: Path) -> None:
    ran = [run(folder, *words) for words in commands()]
    assert [(each.code, each.err) for each in ran] == [(0, "")] * len(SAID)
    for each, said in zip(ran, SAID, strict=True):
        assert said in each.out


def test_every_file_of_the_page_is_used_by_a_command() -> None:
    named = {word for words in commands() for word in words if re.search(r"\.(csv|jsonl)$", word)}
    assert named - {"refused.csv"} == set(FILES)

"""Every link between pages leads somewhere, and so does every path that a page names."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import Page, anchor, page, pages
from tests.lint.checkout import ROOMS, ROOT

# A word in backticks that begins so is a path of the checkout.
_TREES = (*ROOMS, "docs", "tests", "journeys", ".ci")


def broken_links(told: Page) -> list[str]:
    return [target for target in told.links() if not _leads_somewhere(told, target)]


def _leads_somewhere(told: Page, target: str) -> bool:
    if target.startswith(("https://", "http://", "mailto:")):
        return True
    name, _, fragment = unquote(target).partition("#")
    path = (told.path.parent / name).resolve() if name else told.path
    if not path.exists() or not path.is_relative_to(ROOT):
        return False
    if not fragment:
        return True
    there = told if path == told.path else page(path.relative_to(ROOT).as_posix())
    return path.suffix == ".md" and fragment in there.anchors()


def missing_paths(told: Page) -> list[str]:
    return [
        word
        for word in told.code()
        if word.partition("/")[0] in _TREES and _is_path(word) and not (ROOT / word).exists()
    ]


def _is_path(word: str) -> bool:
    return "/" in word and not any(sign in word for sign in " *<{…")


@pytest.mark.parametrize("told", pages(), ids=lambda each: each.name)
def test_every_link_leads_somewhere(told: Page) -> None:
    assert broken_links(told) == []


@pytest.mark.parametrize("told", pages(), ids=lambda each: each.name)
def test_every_path_that_is_named_exists(told: Page) -> None:
    assert missing_paths(told) == []


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[here](docs/settings.md)", []),
        ("[here](docs/reasons.md#decisions)", []),
        ("[here](#a-heading-of-ours)\n\n## A `heading` of ours!\n", []),
        ("[there](https://example.com/#x)", []),
        ("`[no](link.md)`", []),
        ("```\n[no](link.md)\n```\n", []),
        ("[here](docs/seting.md)", ["docs/seting.md"]),
        ("[here](docs/reasons.md#decision)", ["docs/reasons.md#decision"]),
        ("[here](#a-heading)\n\n## Another\n", ["#a-heading"]),
        ("![picture](docs/pictures/none.svg)", ["docs/pictures/none.svg"]),
        ("[out](../elsewhere.md)", ["../elsewhere.md"]),
    ],
)
def test_a_link_that_leads_nowhere_is_found(text: str, broken: list[str]) -> None:
    assert broken_links(Page("README.md", ROOT / "README.md", text)) == broken


def test_a_path_that_does_not_exist_is_found() -> None:
    text = "`engine/plan.py`, `engine/plans.py`, `fr/email.html`, `tests/…`"
    assert missing_paths(Page("x.md", Path("x.md"), text)) == ["engine/plans.py"]


@pytest.mark.parametrize(
    ("heading", "fragment"),
    [("`journey.yaml`", "journeyyaml"), ("How to add …", "how-to-add-"), ("What if?", "what-if")],
)
def test_headings_become_fragments_as_on_github(heading: str, fragment: str) -> None:
    assert anchor(heading) == fragment

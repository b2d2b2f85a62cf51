"""The project's pages, cut into what the checks look at: tables, fences, links, headings.

Reads Markdown as far as these pages use it, and no further. The one surprising fact: words
in code (fenced or in backticks) are no links, so examples may hold brackets.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lint.checkout import ROOT

# Written by hand beside the code they describe; their examples need not be ours to load.
GUESTS = ("deployment.md", "providers.md", "benchmarks.md", "cli.md")

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, what follows the language, its text and first line."""

    page: str
    line: int
    language: str
    kind: str
    text: str


@dataclass(frozen=True)
class Page:
    """A Markdown file. `name` is its path from the root of the checkout."""

    name: str
    path: Path
    text: str

    def fences(self, language: str) -> Iterator[Fence]:
        """Its fenced blocks of a language."""
        for found in _FENCE.finditer(self.text):
            said, _, kind = found["info"].strip().partition(" ")
            if said == language:
                line = self.text.count("\n", 0, found.start()) + 1
                yield Fence(self.name, line, said, kind.strip(), found["text"])

    def prose(self) -> str:
        """Its text without fenced blocks."""
        return _FENCE.sub("", self.text)

    def code(self) -> Iterator[str]:
        """What stands in backticks."""
        return (found[1] for found in _CODE.finditer(self.prose()))

    def links(self) -> Iterator[str]:
        """Targets of its links and pictures."""
        return (found["target"] for found in _LINK.finditer(_CODE.sub("", self.prose())))

    def anchors(self) -> set[str]:
        """The fragments that its headings answer to, as GitHub makes them."""
        return {anchor(heading) for heading in _HEADING.findall(self.prose())}

    def section(self, heading: str) -> str:
        """What stands under a heading, up to the next one of any level."""
        parts = re.split(r"^#{1,6} +(.+?)\s*$", self.prose(), flags=re.MULTILINE)
        for title, text in zip(parts[1::2], parts[2::2], strict=True):
            if title == heading:
                return text
        raise AssertionError(f"{self.name} has no heading `{heading}`")

    def table(self, heading: str, header: str) -> list[list[str]]:
        """The rows of the table under a heading whose first column is called `header`."""
        rows: list[list[str]] = []
        inside = False
        for line in self.section(heading).splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not line.startswith("|"):
                inside = False
            elif inside:
                rows.append(cells)
            elif cells[0] == header:
                inside = True
        assert rows, f"{self.name} has no table of `{header}` under `{heading}`"
        return rows[1:]  # below the line that draws the table


def words(cell: str) -> list[str]:
    """What a cell has in backticks."""
    return _CODE.findall(cell)


def anchor(heading: str) -> str:
    """A heading as the fragment of a link."""
    plain = re.sub(r"[^\w\- ]", "", heading.lower())
    return plain.replace(" ", "-")


def page(name: str, text: str | None = None) -> Page:
    """A page of the checkout; with `text` as if it said that."""
    path = ROOT / name
    return Page(name, path, path.read_text(encoding="utf-8") if text is None else text)


def pages() -> list[Page]:
    """Every page of the checkout, in a fixed order."""
    found = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
    return [page(path.relative_to(ROOT).as_posix()) for path in found]


def our_pages() -> list[Page]:
    """Those whose examples say what they are."""
    return [each for each in pages() if Path(each.name).name not in GUESTS]

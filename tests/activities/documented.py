"""The tables of docs/providers.md, which the tests hold the providers to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


@dataclass(frozen=True)
class Line:
    """What a provider says, an example or a stage, and the outcome as the page has it."""

    says: str
    example: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.says} {self.example}: {self.outcome}"


def documented(section: str) -> list[Line]:
    """The lines of the table of three columns in this section of the page."""
    return [Line(*row) for row in _rows(section)[1:]]


def outcomes(section: str) -> Mapping[str, Mapping[str, str]]:
    """The table in this section: by the head of its column, then by the first cell of its row."""
    head, *rows = _rows(section)
    return {
        name: {row[0]: row[number] for row in rows} for number, name in enumerate(head[1:], start=1)
    }


def _rows(section: str) -> list[list[str]]:
    """The cells of the section's table without backticks, its head first."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2]
    lines = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    rows = [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines
    ]
    assert rows, f"the page has no table under `{section}`"
    return [rows[0], *rows[2:]]  # between them is the line that draws the table

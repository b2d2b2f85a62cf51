"""The tables of docs/providers.md, which the tests hold the providers to."""

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


@dataclass(frozen=True)
class Line:
    """What a provider says, at which stage, and the outcome as the page has it."""

    says: str
    stage: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.says} to {self.stage}: {self.outcome}"


def documented(section: str) -> list[Line]:
    """The lines of the table in this section of the page."""
    text = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = [row.strip("| ").split(" | ") for row in text.splitlines() if row.startswith("|")]
    return [Line(*(cell.strip().replace("`", "") for cell in row)) for row in rows[2:]]

"""What is wrong with a journeys folder: one mistake is a file, a line and a sentence.

A sentence says what is wrong and what to write instead. Knows no files and no models;
those who find a mistake word it.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """`file` is relative to the journeys folder, with `/`; `line` counts from 1, or is None."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}"


class JourneysInvalid(Exception):  # noqa: N818 - a verdict on a folder, not a fault of ours
    """The folder is refused as a whole. `mistakes` are all of them, by file and line."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = in_order(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


def in_order(mistakes: Iterable[Mistake]) -> tuple[Mistake, ...]:
    """By file and line, each once."""
    unique = dict.fromkeys(mistakes)
    return tuple(sorted(unique, key=lambda m: (m.file, m.line or 0, m.message)))

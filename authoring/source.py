"""One YAML file being checked: its values, its lines, and what was found wrong in it so far.

Whoever checks a part says where it is by path (`("steps", 2, "at")`); the line is looked
up here. Findings are collected, never raised, so one mistake hides no other.
"""

from collections.abc import Sequence
from typing import Any

from authoring.mistakes import Mistake
from authoring.yaml_lines import Document, NotYaml, read_yaml

Loc = Sequence[int | str]


class Source:
    """A file that is YAML. `file` is relative to the journeys folder, with `/`."""

    def __init__(self, file: str, document: Document) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []
        self.warnings: list[Mistake] = []
        self._document = document
        for twice in document.duplicates:
            self.mistakes.append(
                Mistake(
                    file,
                    twice.line,
                    f"the key `{twice.key}` is here for the second time (first in line "
                    f"{twice.first_line}): keep one of them",
                )
            )

    @property
    def data(self) -> Any:
        """The plain value of the whole file."""
        return self._document.data

    def line(self, loc: Loc) -> int:
        """The line of that part of the file, or of the nearest thing around it."""
        return self._document.line(loc)

    def refuse(self, loc: Loc, message: str) -> None:
        """That part of the file is a mistake."""
        self.mistakes.append(Mistake(self.file, self.line(loc), message))

    def warn(self, loc: Loc, message: str) -> None:
        """That part of the file is allowed, and probably not meant."""
        self.warnings.append(Mistake(self.file, self.line(loc), message))


def open_source(file: str, text: str) -> Source | Mistake:
    """The file, or the mistake that keeps it from being YAML."""
    try:
        return Source(file, read_yaml(text))
    except NotYaml as error:
        return Mistake(file, error.line, error.message)

"""The rows of a file that were refused: the first few for the terminal, all for the report.

Decides how a refusal is told; why there is one is decided where rows are taken. The one
surprising fact: a report in CSV has the refused row as one cell of JSON, for it may have
been refused because its own cells could not be told apart.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cli.errors import WrongInputError

if TYPE_CHECKING:
    from api.importing.rows import Refusal

# Enough to see what is wrong with a file, and still to see the command that was typed.
_MOST_SHOWN = 20

_COLUMNS = ("file", "line", "code", "message", "row")


class Refusals:
    """Those of one file. `counts` says how many there are of each code."""

    def __init__(self, name: str, report: IO[str] | None, report_name: str) -> None:
        self.counts: Counter[str] = Counter()
        self._name = name
        self._first: list[str] = []
        self._report = report
        self._report_name = report_name
        self._csv = (
            csv.DictWriter(report, _COLUMNS)
            if report is not None and report_name.endswith(".csv")
            else None
        )
        if self._csv is not None:
            self._csv.writeheader()

    @property
    def total(self) -> int:
        return self.counts.total()

    def add(self, refused: Iterable[Refusal]) -> None:
        """Tell of them."""
        for each in refused:
            self.counts[each.code.value] += 1
            if len(self._first) < _MOST_SHOWN:
                self._first.append(f"{self._name}:{each.line}: {each.message}")
            self._write(each)

    def told(self, rows: int) -> str:
        """The first of them, a line each, and how many there are of so many rows."""
        lines = list(self._first)
        if self.total > len(lines):
            where = self._report_name or "a report that `--report FILE` writes"
            lines.append(f"… and {self.total - len(lines)} more, all of them in {where}")
        return "\n".join([*lines, f"{self.total} of {rows} rows were refused"])

    def _write(self, each: Refusal) -> None:
        if self._report is None:
            return
        told: dict[str, Any] = {
            "file": self._name,
            "line": each.line,
            "code": each.code.value,
            "message": each.message,
        }
        if self._csv is not None:
            self._csv.writerow({**told, "row": _json(each.values)})
        else:
            print(_json({**told, "row": each.values}), file=self._report)


@contextmanager
def reporting(name: str, report: Path | None) -> Iterator[Refusals]:
    """Refusals of a file, with a report or without. Raises WrongInputError."""
    if report is None:
        yield Refusals(name, None, "")
        return
    if report.suffix not in (".csv", ".jsonl"):
        raise WrongInputError(f"--report: {report} must end in `.csv` or `.jsonl`")
    try:
        file = report.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise WrongInputError(f"--report: {report} can't be written: {error.strerror}") from None
    with file:
        yield Refusals(name, file, str(report))


def _json(values: Mapping[str, Any]) -> str:
    # Escaped: what was refused may hold what UTF-8 has no form for.
    return json.dumps(values, default=str)

"""A CSV or JSONL file, or standard input, as rows: one at a time, whatever its size.

Decides what a file is by how it begins (a gzip header, a `{`), not by its name. A line that
can't be read becomes a refusal and the next one is read; a file whose columns can't be known
is WrongInputError before its first row. The one surprising fact: which sign parts a CSV's
cells is known from its header alone, for the one that gives it the most columns is it.
"""

from __future__ import annotations

import csv
import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

from api.importing.rows import Refusal, Row, RowCode, RowError, quoted
from cli.columns import Column, columns_of, read_json, renamed
from cli.errors import WrongInputError

STDIN = Path("-")

_DELIMITERS = ",;\t"

# A call may have 32 KB; whatever is this much longer is no row but a file of another kind.
_LONGEST_LINE = 256 * 1024

# A UTF-8 byte that was none, as Python hands it on for us to find.
_FIRST_STRANGER, _LAST_STRANGER = "\ud800", "\udfff"

_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"


class RowFile:
    """Rows of an open file. `required` are columns that a CSV must have, each or one of each.

    `offset` is how far the file has been read, `size` how long it is, if that is known.
    """

    def __init__(
        self,
        path: Path,
        raw: IO[bytes],
        names: Mapping[str, str],
        required: Sequence[tuple[str, ...]],
        *,
        clear_empty: bool = False,
    ) -> None:
        self.name = "standard input" if path == STDIN else str(path)
        self.size = None if path == STDIN else path.stat().st_size
        self._raw = raw
        self._names = names
        self._required = required
        self._clear_empty = clear_empty
        self._number = 0
        self._too_long: list[int] = []

    @property
    def offset(self) -> int:
        """In bytes of the file as it is on the disk."""
        return 0 if self.size is None else self._raw.tell()

    def entries(self) -> Iterator[Row | Refusal]:
        """The rows, in order, and of those that can't be read why. Raises WrongInputError."""
        try:
            source = self._unpacked()
            begins = source.peek(len(_BOM) + 1).removeprefix(_BOM).lstrip()[:1]
            if begins == b"[":
                raise WrongInputError(
                    f"{self.name} is a JSON array: write one object a line, as "
                    "`jq -c '.[]' FILE` does"
                )
            yield from self._json_lines(source) if begins == b"{" else self._csv_rows(source)
        except (OSError, EOFError, zlib.error) as error:
            raise WrongInputError(
                f"{self.name} can't be read beyond line {self._number}: {error}"
            ) from None

    def _unpacked(self) -> BufferedReader:
        plain = cast(BufferedReader, self._raw)
        if not plain.peek(len(_GZIP)).startswith(_GZIP):
            return plain
        # What it gives has `peek` and `readline` too.
        return cast(BufferedReader, gzip.GzipFile(fileobj=plain))

    # --- Lines ----------------------------------------------------------------------------

    def _lines(self, source: BufferedReader) -> Iterator[str]:
        """Each line with its end; a far too long one is empty, and noted."""
        while line := source.readline(_LONGEST_LINE):
            self._number += 1
            if self._number == 1:
                line = line.removeprefix(_BOM)
            if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
                while (rest := source.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
                self._too_long.append(self._number)
                line = b"\n"
            yield line.decode("utf-8", "surrogateescape")

    def _overlong(self) -> Iterator[Refusal]:
        while self._too_long:
            line = self._too_long.pop(0)
            yield Refusal(line, RowCode.TOO_LONG, f"the line has more than {_LONGEST_LINE} bytes")

    # --- JSONL ----------------------------------------------------------------------------

    def _json_lines(self, source: BufferedReader) -> Iterator[Row | Refusal]:
        for line in self._lines(source):
            yield from self._overlong()
            if line.strip():
                yield self._json_row(line)

    def _json_row(self, line: str) -> Row | Refusal:
        number = self._number
        if _has_stranger(line):
            return _not_utf8(number)
        try:
            values = read_json(line)
        except ValueError as error:
            return Refusal(number, RowCode.NOT_JSON, f"not JSON: {error}")
        if not isinstance(values, dict):
            return Refusal(
                number, RowCode.NOT_AN_OBJECT, f"{quoted(values)} is no object: write {{…}}"
            )
        return Row(number, renamed(values, self._names))

    # --- CSV ------------------------------------------------------------------------------

    def _csv_rows(self, source: BufferedReader) -> Iterator[Row | Refusal]:
        lines = self._lines(source)
        header, delimiter = self._header(lines)
        columns = columns_of(header, self._names)
        self._check(columns)
        reader = _reader(lines, delimiter)
        while True:
            begins = self._number + 1
            try:
                cells = next(reader)
            except StopIteration:
                yield from self._overlong()
                return
            except csv.Error as error:
                yield from self._overlong()
                yield Refusal(
                    begins,
                    RowCode.NOT_CSV,
                    f"not CSV ({error}): a cell that holds quotes or line breaks stands in "
                    'double quotes, and each of its own is doubled (`""`)',
                )
                continue
            yield from self._overlong()
            if cells:
                yield self._csv_row(begins, cells, columns)

    def _header(self, lines: Iterator[str]) -> tuple[list[str], str]:
        first = next((line for line in lines if line.strip()), None)
        if first is None:
            raise WrongInputError(f"{self.name} is empty: its first line must name the columns")
        if _has_stranger(first) or "\0" in first:
            raise WrongInputError(f"{self.name} is not UTF-8: save it as `CSV UTF-8`")
        read = {each: _cells(first, each) for each in _DELIMITERS}
        delimiter = max(_DELIMITERS, key=lambda each: len(read[each]))
        if not read[delimiter]:
            raise WrongInputError(
                f"{self.name}: the first line, which names the columns, is broken"
            )
        return read[delimiter], delimiter

    def _check(self, columns: Sequence[Column | None]) -> None:
        there = [column.name for column in columns if column is not None]
        for each in self._required:
            if not set(each) & set(there):
                missing = " or ".join(f"`{name}`" for name in each)
                raise WrongInputError(
                    f"{self.name} has no column {missing}; it has "
                    f"{', '.join(f'`{name}`' for name in there)}. If it is called otherwise "
                    f"there, say so: `--map COLUMN={each[0]}`"
                )

    def _csv_row(
        self, line: int, cells: Sequence[str], columns: Sequence[Column | None]
    ) -> Row | Refusal:
        if len(cells) != len(columns):
            return Refusal(
                line,
                RowCode.WRONG_COLUMNS,
                f"{len(cells)} cells, and the first line names {len(columns)}: a cell that "
                "holds the separator stands in double quotes",
                {"cells": list(cells)},
            )
        if any(map(_has_stranger, cells)):
            return _not_utf8(line)
        raw = {
            column.name: cell.strip()
            for column, cell in zip(columns, cells, strict=True)
            if column is not None
        }
        values: dict[str, Any] = {}
        for column in columns:
            if column is None:
                continue
            if not raw[column.name]:
                if self._clear_empty:
                    values[column.name] = None
                continue
            try:
                values[column.name] = column.read(raw[column.name])
            except RowError as error:
                return Refusal(line, error.code, f"`{column.name}`: {error.message}", raw)
        return Row(line, values)


def opened(path: Path) -> AbstractContextManager[IO[bytes]]:
    """The file of a command's argument; `-` is standard input. Raises WrongInputError."""
    if path == STDIN:
        return nullcontext(sys.stdin.buffer)
    try:
        return path.open("rb")
    except OSError as error:
        raise WrongInputError(f"{path} can't be read: {error.strerror}") from None


def _reader(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(_reader([line], delimiter), [])
    except csv.Error:
        return []


def _has_stranger(text: str) -> bool:
    return not text.isascii() and any(_FIRST_STRANGER <= c <= _LAST_STRANGER for c in text)


def _not_utf8(line: int) -> Refusal:
    return Refusal(line, RowCode.NOT_UTF8, "not UTF-8: save the file as UTF-8")

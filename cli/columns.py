"""What the columns of a file are called here, and what the cells of a CSV file mean.

Decides names (`--map`) and types (`name:number` in the header); knows no file. The one
surprising fact: a CSV cell without a type is text, also `42` and `true`, for a postcode
that lost its zero is a mistake that nobody finds again.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.importing.rows import RowCode, RowError, quoted
from cli.errors import WrongInputError
from engine.localtime import zone
from engine.values import read_instant

_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})


@dataclass(frozen=True)
class Column:
    """A column: its name here, and how its cells are read."""

    name: str
    read: Callable[[str], Any]


def renaming(given: Sequence[str]) -> dict[str, str]:
    """`--map` options as a mapping; WrongInputError where one can't be read."""
    names: dict[str, str] = {}
    for each in given:
        column, equals, name = each.rpartition("=")
        if not equals or not column.strip():
            raise WrongInputError(
                f"--map: `{each}` is not COLUMN=NAME: write it as `--map user_id=id`, or "
                "`--map notes=` to leave a column out"
            )
        names[column.strip()] = name.strip()
    return names


def columns_of(header: Sequence[str], names: Mapping[str, str]) -> list[Column | None]:
    """The columns of a header; None for those to leave out. Raises WrongInputError."""
    titles = [cell.strip() for cell in header]
    if unknown := [f"`{column}`" for column in names if column not in titles]:
        known = ", ".join(f"`{title}`" for title in titles)
        raise WrongInputError(f"--map: there is no column {', '.join(unknown)}; there are {known}")
    columns = [_column(place, title, names) for place, title in enumerate(titles, 1)]
    called = [column.name for column in columns if column is not None]
    if twice := sorted({f"`{name}`" for name in called if called.count(name) > 1}):
        raise WrongInputError(
            f"more than one column is called {', '.join(twice)}: leave one out with "
            "`--map COLUMN=`, or rename it"
        )
    return columns


def renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a JSON object under their names here."""
    told = {names.get(name, name): value for name, value in values.items()}
    told.pop("", None)
    return told


def _column(place: int, title: str, names: Mapping[str, str]) -> Column | None:
    if title in names and not names[title]:
        return None
    given = names.get(title, title)
    if not given:
        raise WrongInputError(
            f"column {place} has no name in the first line, which must name every column"
        )
    name, colon, kind = given.rpartition(":")
    if not colon:
        return Column(given, str)
    if kind not in _READERS or not name:
        known = ", ".join(f"`{each}`" for each in _READERS)
        raise WrongInputError(
            f"the column `{given}`: there is no type `{kind}`; there are {known}. If the colon "
            f"is part of its name, rename it: `--map {given}=NAME`"
        )
    return Column(name, _READERS[kind])


def _number(cell: str) -> int | float:
    if _WHOLE.fullmatch(cell):
        return int(cell)
    if not _NUMBER.fullmatch(cell) or not math.isfinite(number := float(cell)):
        raise _wrong(cell, "no number", "`1234.5`")
    return number


def _bool(cell: str) -> bool:
    word = cell.casefold()
    if word not in _TRUE | _FALSE:
        raise _wrong(cell, "neither true nor false", "`true` or `false`")
    return word in _TRUE


def _json(cell: str) -> Any:
    try:
        return read_json(cell)
    except ValueError:
        raise _wrong(cell, "not JSON", 'text in double quotes, or `["a", "b"]`') from None


def _date(cell: str) -> str:
    utc = zone("UTC")
    assert utc is not None  # tzdata has it
    if read_instant(cell, utc) is None:
        raise _wrong(cell, "no date", "`2026-12-23` or `2026-12-23T09:00:00Z`")
    return cell


def read_json(text: str) -> Any:
    """JSON as RFC 8259 has it; ValueError otherwise, also for NaN and for far too deep."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _no_constant(word: str) -> Any:
    raise ValueError(f"`{word}` is no JSON")


def _wrong(cell: str, what: str, instead: str) -> RowError:
    return RowError(RowCode.INVALID_VALUE, f"{quoted(cell)} is {what}: write {instead}")


_READERS: Mapping[str, Callable[[str], Any]] = {
    "text": str,
    "number": _number,
    "bool": _bool,
    "date": _date,
    "json": _json,
}

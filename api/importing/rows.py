"""A row of a file, why one is refused, and what its fields mean.

Decides what counts as a text, a time or a choice in a row, and how a refusal is worded;
knows no file format and no table. The one surprising fact: spaces around a text are
dropped and an empty text is as good as none, for that is how spreadsheets write both.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from engine.segment_fields import RefusalCode
from engine.values import read_instant

_UTC = ZoneInfo("UTC")

# As for calls: two honest clocks differ by less.
_CLOCKS_DIFFER = timedelta(minutes=1)

# Enough of a value to recognise it by.
_LONGEST_QUOTE = 80


class RowCode(StrEnum):
    """Why a row was refused, beside what a call may be refused for."""

    NOT_UTF8 = "not_utf8"
    NOT_CSV = "not_csv"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_LONG = "too_long"
    WRONG_COLUMNS = "wrong_columns"
    UNKNOWN_COLUMN = "unknown_column"
    INVALID_VALUE = "invalid_value"
    NO_ID = "no_id"
    NO_TIME = "no_time"
    INVALID_TIME = "invalid_time"
    IN_FUTURE = "in_future"
    NO_SUCH_CUSTOMER = "no_such_customer"
    AMBIGUOUS_CUSTOMER = "ambiguous_customer"
    ERASED = "erased"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_CHANNEL = "unknown_channel"
    UNKNOWN_STATE = "unknown_state"
    INVALID_ADDRESS = "invalid_address"
    ALREADY_ENROLLED = "already_enrolled"
    NO_KEY = "no_key"


@dataclass(frozen=True)
class Row:
    """A row: the line it begins on, and its fields by name. A field that is None was cleared."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Refusal:
    """A row that was not taken: `message` says what is wrong and what to write instead."""

    line: int
    code: RowCode | RefusalCode
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """What became of some rows. `new` names each that changed something, by its content."""

    new: tuple[str, ...] = ()
    known: int = 0
    refused: tuple[Refusal, ...] = ()


class RowError(Exception):
    """A refusal on its way out of whoever reads a row."""

    def __init__(self, code: RowCode | RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def of(self, row: Row) -> Refusal:
        """The refusal of that row."""
        return Refusal(row.line, self.code, self.message, row.values)


ERASED = "was erased on request; an import does not bring them back"


def text_of(row: Row, name: str) -> str | None:
    """A field's text; None if there is none. A whole number is the text of it."""
    value = row.values.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise RowError(RowCode.INVALID_VALUE, f"`{name}` is {quoted(value)}: write it as text")
    return value.strip() or None


def time_of(
    row: Row, name: str, now: datetime, default: object = None, zone: ZoneInfo = _UTC
) -> datetime | None:
    """When, by a field or else by `default`; None if neither says. Nothing is later than `now`."""
    given = row.values.get(name)
    given = default if given is None or given == "" else given
    if given is None:
        return None
    at = read_instant(given, zone)
    if at is None:
        raise RowError(
            RowCode.INVALID_TIME,
            f"`{name}` is {quoted(given)}, which is no time: write it as `2026-11-25T09:00:00Z`",
        )
    if at > now + _CLOCKS_DIFFER:
        raise RowError(
            RowCode.IN_FUTURE,
            f"`{name}` is {quoted(given)}, which is later than now ({now:%Y-%m-%dT%H:%M:%SZ})",
        )
    return min(at, now)


def one_of(row: Row, name: str, known: Collection[str], code: RowCode, *, other: str = "") -> str:
    """A field that is one of the known words; `other` is a word that is allowed as well."""
    text = text_of(row, name)
    words = [*known, other] if other else list(known)
    if text in words:
        return text
    said = "is missing" if text is None else f"is `{text}`, which is none"
    hint = "" if text is None else did_you_mean(text, words)
    raise RowError(code, f"`{name}` {said}: write {one_word_of(words)}{hint}")


def only(row: Row, known: Sequence[str]) -> None:
    """Raise RowError if the row has a field that nobody would read."""
    for name in row.values:
        if name not in known:
            raise RowError(RowCode.UNKNOWN_COLUMN, no_such_column(name, known))


def no_such_column(name: str, known: Sequence[str]) -> str:
    """What to say of a column that nobody would read."""
    return (
        f"nothing reads the column `{name}`{did_you_mean(name, known)}; there are "
        f"{', '.join(f'`{each}`' for each in known)}. Leave it out with `--map {name}=`"
    )


def did_you_mean(word: str, known: Collection[str]) -> str:
    """The end of a message that names the known word most like this one, or `""`."""
    close = get_close_matches(word.lower(), list(known), n=1)
    return f", did you mean `{close[0]}`?" if close else ""


def one_word_of(words: Sequence[str]) -> str:
    """`a`, `b` or `c`."""
    *most, last = (f"`{word}`" for word in words)
    return f"{', '.join(most)} or {last}" if most else last


def quoted(value: object) -> str:
    """A value as a message shows it, short."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"`{text}`" if len(text) <= _LONGEST_QUOTE else f"`{text[: _LONGEST_QUOTE - 1]}…`"


def content_id(kind: str, *content: object) -> str:
    """A message id that the same content has again: what makes a second import harmless."""
    text = json.dumps([kind, *content], sort_keys=True, default=str)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:40]}"

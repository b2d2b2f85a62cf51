"""Raw values of traits and event properties: where they are, and what instant or name they mean.

Decides what counts as a date (design.md, "Time", rule 3); knows no customer and no clock.
The surprising fact: it reads less than `datetime.fromisoformat`. `20261123` or `2026-W48-1`
as text is unreadable, and so is a number in quotes, for a guess about a date is a message
on the wrong day.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.localtime import OutOfRange, local

# Control characters, and halves of surrogate pairs.
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Unix seconds reach 1e11 in the year 5138, milliseconds had passed it in 1973.
_MOST_SECONDS = 10**11
# Outside these years a value is a sentinel (0001-01-01, 9999-12-31) or not in the unit we
# think, not a date of a customer. Inside, adding the 100 years that an expression may add
# never leaves the years 1 to 9999, in any zone.
_FIRST_YEAR, _LAST_YEAR = 1800, 8999

# ISO 8601's extended format, as RFC 3339 profiles it, with the time or zone left out at will.
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?P<time>[T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)
# Made once: `json.dumps` with options makes one at every call.
_dumps = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_LONGEST_ISO = 64  # room for any precision that someone writes; the rest is not a date


def at_path(mapping: Mapping[str, object], path: str) -> object | None:
    """The value at a dotted path, or None where a part is missing or is not a mapping."""
    value: object = mapping
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def is_plain(text: str, longest: int) -> bool:
    """Whether both databases can keep the text as a name, and a person can read it."""
    return 0 < len(text) <= longest and _UNREADABLE.search(text) is None


def read_instant(raw: object, zone: ZoneInfo) -> datetime | None:
    """The instant (aware UTC) that a raw value means for a customer in this zone, or None.

    A date is its local midnight, a date-time without zone the customer's wall time, a
    number Unix seconds, or milliseconds beyond 10^11. Anything else, also a truth value or
    a year outside 1800 to 8999, is unreadable: None.
    """
    try:
        instant = _read(raw, zone)
    except (OutOfRange, OverflowError, ValueError):
        return None  # 30 February, 25:00, a number beyond the calendar: unreadable, no trouble
    if instant is None or not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        return None
    return instant


def _read(raw: object, zone: ZoneInfo) -> datetime | None:
    if isinstance(raw, str):
        return _read_text(raw, zone)
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int | float):
        return _read_number(raw)
    if isinstance(raw, datetime):
        return _read_datetime(raw, zone)
    if isinstance(raw, date):
        return local(raw, time(), zone)
    return None


def _read_text(raw: str, zone: ZoneInfo) -> datetime | None:
    text = raw.strip().upper()  # RFC 3339, 5.6: `t` and `z` may be lower case
    if len(text) > _LONGEST_ISO or not (found := _ISO.fullmatch(text)):
        return None
    if found["time"] is None:
        return local(date.fromisoformat(text), time(), zone)
    return _read_datetime(datetime.fromisoformat(text), zone)


def _read_number(raw: float) -> datetime | None:
    if not math.isfinite(raw):
        return None
    if abs(raw) > _MOST_SECONDS:
        return _EPOCH + timedelta(milliseconds=raw)
    return _EPOCH + timedelta(seconds=raw)


def _read_datetime(value: datetime, zone: ZoneInfo) -> datetime:
    if value.utcoffset() is None:
        return local(value.date(), value.time(), zone)
    return value.astimezone(UTC)


def anchor_text(raw: object) -> str:
    """The value as received, as ASCII JSON text for an occurrence key.

    Equal values give equal text, however a store or a parser handed them over: keys are
    sorted, 1.0 is 1. Dates and date-times, which JSON has not, are their ISO text. Raises
    TypeError for what no event can carry.
    """
    return _dumps(_canonical(raw))


def _canonical(raw: object) -> object:
    if isinstance(raw, float) and raw.is_integer():
        return int(raw)
    if isinstance(raw, Mapping):
        return {str(name): _canonical(value) for name, value in raw.items()}
    if isinstance(raw, list | tuple):
        return [_canonical(value) for value in raw]
    if isinstance(raw, date):
        return raw.isoformat()
    return raw

"""Reading reports: JSON, and fields of it that a stranger's program filled in.

Whatever is missing or of another kind is the provider's mistake or somebody's trick; it
raises UnreadableReportError and never anything else.
"""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from api.callbacks.report import UnreadableReportError

# A day in the year 9999; what is later is no time.
_LAST = datetime(9999, 12, 30, tzinfo=UTC)


def json_of(raw: bytes) -> Any:
    """The body as JSON."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise UnreadableReportError("the body is not JSON") from None


def mapping_of(value: object, what: str = "the body") -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise UnreadableReportError(f"{what} is not a JSON object")
    return value


def text_in(found: Mapping[str, Any], name: str) -> str:
    """A text that must be there."""
    value = found.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise UnreadableReportError(f"`{name}` is missing")
    return value


def maybe_text(found: Mapping[str, Any], name: str) -> str | None:
    """A text, if it is one."""
    value = found.get(name)
    return value if isinstance(value, str) and value else None


def mapping_in(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object within; empty if there is none."""
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def time_in(found: Mapping[str, Any], name: str) -> datetime:
    """An instant: ISO 8601 with its offset, or Unix seconds."""
    value = found.get(name)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            at = datetime.fromtimestamp(value, UTC)
        else:
            at = datetime.fromisoformat(text_in(found, name))
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise UnreadableReportError(f"`{name}` is not a time") from None
    if at > _LAST:
        raise UnreadableReportError(f"`{name}` is not a time")
    return at


def same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in a time that tells nothing about where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def some(found: Mapping[str, Any], *names: str) -> dict[str, str]:
    """The texts among these fields, to be kept with the report; cut to a page."""
    return {name: value[:_LONGEST] for name in names if (value := maybe_text(found, name))}


_LONGEST = 2_000  # of one detail: a server's whole answer, or a long link

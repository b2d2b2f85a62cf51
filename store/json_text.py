"""JSON as both databases take it, and give it back.

PostgreSQL refuses what SQLite swallows: the NUL character, half a surrogate pair, NaN and
infinity. Any app may send them, and an accepted event is never lost, so what can't be kept
is left out the same way on both: NUL disappears, a lone surrogate becomes U+FFFD, a number
that is none becomes null.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

# Made once: `json.dumps` with options makes one at every call.
_dumps = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_read = json.JSONDecoder().raw_decode


def json_text(value: object) -> str:
    """The value as ASCII JSON text. Raises TypeError for what JSON has no form for."""
    try:
        text = _dumps(value)
    except ValueError:
        return _dumps(keepable(value))
    # Both escapes are rare in honest text: look closer only where one of them stands.
    if "\\u0000" in text or "\\ud" in text:
        return _dumps(keepable(value))
    return text


def json_value(text: str) -> Any:
    """What such a text says. Raises ValueError for what is no JSON."""
    try:
        value, end = _read(text)  # which looks for no spaces around it, and takes half as long
    except ValueError:
        return json.loads(text)
    return value if end == len(text) else json.loads(text)


def keepable_text(text: str) -> str:
    """The text without what PostgreSQL can't keep, for columns that are not JSON."""
    if text.isascii():
        return text.replace("\0", "")
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def keepable(value: object) -> Any:
    """The value as it comes back from either database, for those who look at it before."""
    if isinstance(value, str):
        return keepable_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {keepable(name): keepable(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [keepable(held) for held in value]
    return value

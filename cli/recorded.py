"""A file of recorded Segment calls, one JSON object a line, into calls in time order.

Decides what a line may be; what a call means is the engine's to say. The one surprising
fact: a call that comes twice (by its `messageId`, or word for word) happens once, as it
would when sent to the API.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from cli.errors import WrongInputError
from engine.calls import Call
from engine.segment import parse_recorded
from engine.segment_fields import Refused

# Enough to see what is wrong with a file, and still to see the command that was typed.
_MOST_SHOWN = 20


def read_calls(path: Path) -> list[Call]:
    """The calls of the file, by time, ties as in the file.

    Raises WrongInputError that names every line that can't be used.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise WrongInputError(f"{path} can't be read: {error.strerror}") from None
    calls: list[Call] = []
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        call = _read(line)
        if isinstance(call, str):
            wrong.append(f"{path}:{number}: {call}")
        else:
            calls.append(call)
    if wrong:
        raise WrongInputError(_told(wrong))
    return _each_once(sorted(calls, key=lambda call: call.at))


def _read(line: bytes) -> Call | str:
    """The call, or what is wrong with it."""
    try:
        raw = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    call = parse_recorded(raw)
    return call.message if isinstance(call, Refused) else call


def _each_once(calls: Iterable[Call]) -> list[Call]:
    first: dict[str, Call] = {}
    for call in calls:
        first.setdefault(call.message_id, call)
    return list(first.values())


def _told(wrong: list[str]) -> str:
    if len(wrong) <= _MOST_SHOWN:
        return "\n".join(wrong)
    return "\n".join([*wrong[:_MOST_SHOWN], f"… and {len(wrong) - _MOST_SHOWN} lines more"])

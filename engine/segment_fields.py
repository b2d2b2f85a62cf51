"""The fields of a Segment call, each read with its limits: ids, names, times, objects.

Decides what one field may be and what its sender is told where it can't be used; knows no
type of call. The one surprising fact: a call without `messageId` gets one from its content,
so that sending it again is harmless; only one that has neither an id nor a time is new every
time it comes, for two `login`s a day apart would otherwise be one.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from engine.events import is_reserved
from engine.keys import anonymous_customer, erased_customer, is_ours
from engine.values import is_plain, read_instant

_UTC = ZoneInfo("UTC")

# Segment's own limits; its SDKs keep to them.
LARGEST_CALL = 32 * 1024  # bytes of JSON
_LONGEST_MESSAGE_ID = 100

# Longer than any id or name in use, short enough for an index of either database.
_LONGEST_NAME = 255

# Deeper than anyone nests on purpose, and far from where readers of JSON give up.
_DEEPEST = 32

# The longest IANA zone has 32 characters, the longest locale in use about as many.
_LONGEST_CONTEXT = 64

# Made once: `json.dumps` with options makes one at every call.
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode

# Two honest clocks differ by less; what is later than that is worth telling its sender.
_CLOCKS_DIFFER = timedelta(minutes=1)


class RefusalCode(StrEnum):
    """Why a call was not accepted; the `code` that its sender reads."""

    NOT_AN_OBJECT = "not_an_object"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    UNSUPPORTED_TYPE = "unsupported_type"
    NO_USER_ID = "no_user_id"
    INVALID_USER_ID = "invalid_user_id"
    NO_GROUP_ID = "no_group_id"
    INVALID_GROUP_ID = "invalid_group_id"
    NO_PREVIOUS_ID = "no_previous_id"
    INVALID_PREVIOUS_ID = "invalid_previous_id"
    INVALID_MESSAGE_ID = "invalid_message_id"
    NO_EVENT_NAME = "no_event_name"
    INVALID_EVENT_NAME = "invalid_event_name"
    RESERVED_NAME = "reserved_name"
    INVALID_TRAITS = "invalid_traits"
    INVALID_PROPERTIES = "invalid_properties"
    INVALID_TIMESTAMP = "invalid_timestamp"


@dataclass(frozen=True)
class Refused:
    """The call can't be accepted; `message` says to its sender what to write instead."""

    code: RefusalCode
    message: str


class CallError(Exception):
    """A refusal on its way out; `engine.segment` answers with it and never raises it."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.refused = Refused(code, message)


def read_id(given: object, name: str, code: RefusalCode) -> str | None:
    """An id as text; None if there is none."""
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if given is None or given == "":
        return None
    if not isinstance(given, str) or not is_plain(given, _LONGEST_NAME):
        raise CallError(
            code,
            f"`{name}` must be text of at most {_LONGEST_NAME} characters, none of them a "
            "control character, or a number",
        )
    if is_ours(given):
        ours = f"`{anonymous_customer('')}` or `{erased_customer('')}`"
        raise CallError(code, f"`{name}` may not begin with {ours}: such ids are ours")
    return given


def event_name(raw: Mapping[str, Any]) -> str:
    """What happened, by its name. Raises CallError."""
    name = raw.get("event")
    if name is None or name == "":
        raise CallError(RefusalCode.NO_EVENT_NAME, "`event`, the name of what happened, is missing")
    if not isinstance(name, str) or not is_plain(name, _LONGEST_NAME):
        raise CallError(
            RefusalCode.INVALID_EVENT_NAME,
            f"`event` must be text of at most {_LONGEST_NAME} characters, none of them a "
            "control character",
        )
    if is_reserved(name):
        raise CallError(
            RefusalCode.RESERVED_NAME,
            f"the event name `{name}` has a dot in it, as only the events have that Parcours "
            f"reports itself: write `{name.replace('.', '_')}`",
        )
    return name


def message_id(raw: Mapping[str, Any], received_at: datetime) -> str:
    """What makes a repeat of the call known. Raises CallError."""
    given = raw.get("messageId")
    if given is None or given == "":
        return _id_of_content(raw, received_at)
    if not isinstance(given, str) or not is_plain(given, _LONGEST_MESSAGE_ID):
        raise CallError(
            RefusalCode.INVALID_MESSAGE_ID,
            f"`messageId` must be text of at most {_LONGEST_MESSAGE_ID} characters, none of "
            "them a control character",
        )
    return given


def _id_of_content(raw: Mapping[str, Any], received_at: datetime) -> str:
    content = {key: value for key, value in raw.items() if key != "sentAt"}
    if given_time(raw) is None:
        content["receivedAt"] = received_at.isoformat()
    text = json.dumps(content, sort_keys=True, default=str)
    return f"content-{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def happened_at(
    raw: Mapping[str, Any], received_at: datetime, sent_at: object
) -> tuple[datetime, bool]:
    """When it happened by our clock: `receivedAt − (sentAt − originalTimestamp)`.

    Segment's rule: only the sender's clock knows how long the call waited there, and only
    ours knows what time it is. Without `sentAt` the sender's clock is taken at its word.
    Nothing has happened in the future: then it is now, and True says so.
    """
    at = instant(given_time(raw))
    if at is None:
        return received_at, False
    sent = None if sent_at is None else read_instant(sent_at, _UTC)
    if sent is not None:
        at = _shifted(received_at, at, sent)
    return min(at, received_at), at > received_at + _CLOCKS_DIFFER


def _shifted(received_at: datetime, at: datetime, sent: datetime) -> datetime:
    try:
        return received_at - (sent - at)
    except OverflowError:
        return at  # a clock that is wrong by millennia says nothing about ours


def given_time(raw: Mapping[str, Any]) -> object:
    """When it says that it happened, as received."""
    for name in ("originalTimestamp", "timestamp"):
        if raw.get(name) not in (None, ""):
            return raw[name]
    return None


def instant(given: object) -> datetime | None:
    """A time as received; None for none. Raises CallError."""
    if given is None:
        return None
    at = read_instant(given, _UTC)
    if at is None:
        raise CallError(
            RefusalCode.INVALID_TIMESTAMP,
            f"the timestamp {quoted(given)} can't be read: write it as "
            "`2026-11-25T09:00:00Z`, or leave it out for now",
        )
    return at


def properties(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """What belongs to an event. Raises CallError."""
    return read_object(raw.get("properties"), "properties", RefusalCode.INVALID_PROPERTIES)


def read_object(given: object, name: str, code: RefusalCode) -> Mapping[str, Any]:
    """An object; an empty one for none. Raises CallError."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise CallError(code, f"`{name}` must be an object, or `{{}}` if there are none")
    return given


def context_text(given: object) -> str | None:
    """A zone or a locale; what can't be one says nothing, and is no reason to lose the call."""
    return given if isinstance(given, str) and is_plain(given, _LONGEST_CONTEXT) else None


def check_size(raw: Mapping[str, Any]) -> None:
    """Raises CallError for a call that is nested too deep or too large."""
    if _is_deeper(raw, _DEEPEST):
        raise CallError(RefusalCode.TOO_DEEP, f"the call is nested deeper than {_DEEPEST} levels")
    text = _compact(raw)
    # A character has at most four bytes (RFC 3629), so most are told by their number alone.
    if 4 * len(text) <= LARGEST_CALL:
        return
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LARGEST_CALL:
        raise CallError(
            RefusalCode.TOO_LARGE, f"the call has {size} bytes; the most is {LARGEST_CALL}"
        )


def _is_deeper(raw: Mapping[str, Any], levels: int) -> bool:
    """Level by level: so nothing nested without end makes this nest without end."""
    level: list[Any] = [raw]
    for _ in range(levels):
        level = [
            held
            for holder in level
            for held in (holder if isinstance(holder, list) else holder.values())
            if isinstance(held, dict | list)
        ]
        if not level:
            return False
    return True


def quoted(value: object) -> str:
    """Short enough for a message, whatever was sent."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return f"`{text.strip(chr(34))}`" if len(text) <= 80 else f"`{text[:77]}…`"

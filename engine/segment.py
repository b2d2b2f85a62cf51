"""One call of the Segment API, as JSON, into what it means, or a refusal.

Decides whether a call can be accepted, when it happened and what it is called; knows no
customer and no journey. The surprising fact: a call without `messageId` gets one from its
content, so that sending it again is harmless; only one that has neither an id nor a time
is new every time it comes, for two `login`s a day apart would otherwise be one.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from engine.calls import Alias, Group, Identify, SegmentCall, Track
from engine.events import is_reserved
from engine.keys import anonymous_customer, erased_customer, is_ours
from engine.values import read_instant

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

# Control characters, and halves of surrogate pairs.
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

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


class _CallError(Exception):
    """A refusal on its way out of this module's functions; never leaves it."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.refused = Refused(code, message)


def parse_call(
    raw: object, received_at: datetime, sent_at: object = None, *, historical: bool = False
) -> SegmentCall | Refused:
    """What a call means that was received at `received_at` (aware UTC).

    `sent_at` is the batch's `sentAt`, as received, for calls that have none of their own.
    `historical`: it came by `import`, and never enrolls.
    """
    try:
        if not isinstance(raw, Mapping):
            raise _CallError(RefusalCode.NOT_AN_OBJECT, "a call is a JSON object")
        _check_size(raw)
        return _parse(raw, received_at, raw.get("sentAt") or sent_at, historical)
    except _CallError as error:
        return error.refused


def parse_recorded(raw: object) -> SegmentCall | Refused:
    """What a call of a recorded file means: received when it happened, which it must say."""
    if not isinstance(raw, Mapping):
        return Refused(RefusalCode.NOT_AN_OBJECT, "a call is a JSON object")
    given = _given_time(raw)
    if given is None:
        return Refused(RefusalCode.INVALID_TIMESTAMP, "a recorded call needs a `timestamp`")
    try:
        at = _instant(given)
    except _CallError as error:
        return error.refused
    assert at is not None  # it was given
    return parse_call({key: raw[key] for key in raw if key != "sentAt"}, at)


def _parse(
    raw: Mapping[str, Any], received_at: datetime, sent_at: object, historical: bool
) -> SegmentCall:
    kind = raw.get("type")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        known = ", ".join(f"`{each}`" for each in _READERS)
        raise _CallError(
            RefusalCode.UNSUPPORTED_TYPE,
            f"the type {_quoted(kind)} is not supported: send one of {known}",
        )
    context = raw.get("context")
    context = context if isinstance(context, Mapping) else {}
    customer_id, formerly = _who(raw)
    at, clamped = _happened_at(raw, received_at, sent_at)
    common: dict[str, Any] = {
        "customer_id": customer_id,
        "formerly": formerly,
        "at": at,
        "clamped": clamped,
        "historical": historical,
        "message_id": _message_id(raw, received_at),
        "timezone": _context_text(context.get("timezone")),
        "locale": _context_text(context.get("locale")),
    }
    return read(raw, context, common)


def _identify(raw: Mapping[str, Any], context: Mapping[str, Any], common: Any) -> Identify:
    # RudderStack's Python SDK puts the traits there.
    traits = raw.get("traits") if raw.get("traits") is not None else context.get("traits")
    return Identify(**common, traits=_object(traits, "traits", RefusalCode.INVALID_TRAITS))


def _track(raw: Mapping[str, Any], context: Mapping[str, Any], common: Any) -> Track:
    return Track(**common, event=_event_name(raw), properties=_properties(raw))


def _page(raw: Mapping[str, Any], context: Mapping[str, Any], common: Any) -> Track:
    # A page's name is a title, free text with dots in it: it is a property, and the event
    # is called `page`.
    kind = str(raw["type"])
    named = {key: raw[key] for key in ("name", "category") if isinstance(raw.get(key), str)}
    return Track(**common, event=kind, kind=kind, properties={**named, **_properties(raw)})


def _group(raw: Mapping[str, Any], context: Mapping[str, Any], common: Any) -> Group:
    company_id = _id(raw.get("groupId"), "groupId", RefusalCode.INVALID_GROUP_ID)
    if company_id is None:
        raise _CallError(RefusalCode.NO_GROUP_ID, "`groupId`, the company's id, is missing")
    traits = raw.get("traits") if raw.get("traits") is not None else context.get("traits")
    return Group(
        **common,
        company_id=company_id,
        traits=_object(traits, "traits", RefusalCode.INVALID_TRAITS),
    )


def _alias(raw: Mapping[str, Any], context: Mapping[str, Any], common: Any) -> Alias:
    previous = _id(raw.get("previousId"), "previousId", RefusalCode.INVALID_PREVIOUS_ID)
    if previous is None:
        raise _CallError(
            RefusalCode.NO_PREVIOUS_ID, "`previousId`, who the customer was before, is missing"
        )
    # It may be either: the id of a customer, or what somebody unknown was called.
    named = (previous, anonymous_customer(previous), *common["formerly"])
    formerly = tuple(dict.fromkeys(each for each in named if each != common["customer_id"]))
    return Alias(**{**common, "formerly": formerly})


_READERS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], Any], SegmentCall]] = {
    "identify": _identify,
    "track": _track,
    "page": _page,
    "screen": _page,
    "group": _group,
    "alias": _alias,
}


def _who(raw: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Whose call it is, and who that was before, if it says."""
    user = _id(raw.get("userId"), "userId", RefusalCode.INVALID_USER_ID)
    anonymous = _id(raw.get("anonymousId"), "anonymousId", RefusalCode.INVALID_USER_ID)
    if user is not None:
        return user, (anonymous_customer(anonymous),) if anonymous is not None else ()
    if anonymous is None or raw.get("type") == "alias":
        raise _CallError(
            RefusalCode.NO_USER_ID,
            "`userId` is missing"
            if raw.get("type") == "alias"
            else "`userId` is missing, and there is no `anonymousId` in its place",
        )
    return anonymous_customer(anonymous), ()


def _id(given: object, name: str, code: RefusalCode) -> str | None:
    """An id as text; None if there is none."""
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if given is None or given == "":
        return None
    if not isinstance(given, str) or not _is_plain(given, _LONGEST_NAME):
        raise _CallError(
            code,
            f"`{name}` must be text of at most {_LONGEST_NAME} characters, none of them a "
            "control character, or a number",
        )
    if is_ours(given):
        ours = f"`{anonymous_customer('')}` or `{erased_customer('')}`"
        raise _CallError(code, f"`{name}` may not begin with {ours}: such ids are ours")
    return given


def _event_name(raw: Mapping[str, Any]) -> str:
    name = raw.get("event")
    if name is None or name == "":
        raise _CallError(
            RefusalCode.NO_EVENT_NAME, "`event`, the name of what happened, is missing"
        )
    if not isinstance(name, str) or not _is_plain(name, _LONGEST_NAME):
        raise _CallError(
            RefusalCode.INVALID_EVENT_NAME,
            f"`event` must be text of at most {_LONGEST_NAME} characters, none of them a "
            "control character",
        )
    if is_reserved(name):
        raise _CallError(
            RefusalCode.RESERVED_NAME,
            f"the event name `{name}` has a dot in it, as only the events have that Parcours "
            f"reports itself: write `{name.replace('.', '_')}`",
        )
    return name


def _message_id(raw: Mapping[str, Any], received_at: datetime) -> str:
    given = raw.get("messageId")
    if given is None or given == "":
        return _id_of_content(raw, received_at)
    if not isinstance(given, str) or not _is_plain(given, _LONGEST_MESSAGE_ID):
        raise _CallError(
            RefusalCode.INVALID_MESSAGE_ID,
            f"`messageId` must be text of at most {_LONGEST_MESSAGE_ID} characters, none of "
            "them a control character",
        )
    return given


def _id_of_content(raw: Mapping[str, Any], received_at: datetime) -> str:
    content = {key: value for key, value in raw.items() if key != "sentAt"}
    if _given_time(raw) is None:
        content["receivedAt"] = received_at.isoformat()
    text = json.dumps(content, sort_keys=True, default=str)
    return f"content-{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def _happened_at(
    raw: Mapping[str, Any], received_at: datetime, sent_at: object
) -> tuple[datetime, bool]:
    """When it happened by our clock: `receivedAt − (sentAt − originalTimestamp)`.

    Segment's rule: only the sender's clock knows how long the call waited there, and only
    ours knows what time it is. Without `sentAt` the sender's clock is taken at its word.
    Nothing has happened in the future: then it is now, and True says so.
    """
    at = _instant(_given_time(raw))
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


def _given_time(raw: Mapping[str, Any]) -> object:
    for name in ("originalTimestamp", "timestamp"):
        if raw.get(name) not in (None, ""):
            return raw[name]
    return None


def _instant(given: object) -> datetime | None:
    if given is None:
        return None
    at = read_instant(given, _UTC)
    if at is None:
        raise _CallError(
            RefusalCode.INVALID_TIMESTAMP,
            f"the timestamp {_quoted(given)} can't be read: write it as "
            "`2026-11-25T09:00:00Z`, or leave it out for now",
        )
    return at


def _properties(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    return _object(raw.get("properties"), "properties", RefusalCode.INVALID_PROPERTIES)


def _object(given: object, name: str, code: RefusalCode) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise _CallError(code, f"`{name}` must be an object, or `{{}}` if there are none")
    return given


def _context_text(given: object) -> str | None:
    """A zone or a locale; what can't be one says nothing, and is no reason to lose the call."""
    return given if isinstance(given, str) and _is_plain(given, _LONGEST_CONTEXT) else None


def _is_plain(text: str, longest: int) -> bool:
    """Whether both databases can keep the text and a person can read it."""
    return 0 < len(text) <= longest and _UNREADABLE.search(text) is None


def _check_size(raw: Mapping[str, Any]) -> None:
    if _is_deeper(raw, _DEEPEST):
        raise _CallError(RefusalCode.TOO_DEEP, f"the call is nested deeper than {_DEEPEST} levels")
    text = _compact(raw)
    # A character has at most four bytes (RFC 3629), so most are told by their number alone.
    if 4 * len(text) <= LARGEST_CALL:
        return
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LARGEST_CALL:
        raise _CallError(
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


def _quoted(value: object) -> str:
    """Short enough for a message, whatever was sent."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return f"`{text.strip(chr(34))}`" if len(text) <= 80 else f"`{text[:77]}…`"

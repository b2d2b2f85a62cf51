"""One call of the Segment API, as JSON, into what it means, or a refusal.

Decides what type of call it is and whose; knows no customer and no journey. What a field may
be is `engine.segment_fields`' to say.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from engine.calls import Alias, Group, Identify, SegmentCall, Track
from engine.keys import anonymous_customer
from engine.segment_fields import (
    CallError,
    RefusalCode,
    Refused,
    check_size,
    context_text,
    event_name,
    given_time,
    happened_at,
    instant,
    message_id,
    properties,
    quoted,
    read_id,
    read_object,
)


def parse_call(
    raw: object, received_at: datetime, sent_at: object = None, *, historical: bool = False
) -> SegmentCall | Refused:
    """What a call means that was received at `received_at` (aware UTC).

    `sent_at` is the batch's `sentAt`, as received, for calls that have none of their own.
    `historical`: it came by `import`, and never enrolls.
    """
    try:
        if not isinstance(raw, Mapping):
            raise CallError(RefusalCode.NOT_AN_OBJECT, "a call is a JSON object")
        check_size(raw)
        return _parse(raw, received_at, raw.get("sentAt") or sent_at, historical)
    except CallError as error:
        return error.refused


def parse_recorded(raw: object) -> SegmentCall | Refused:
    """What a call of a recorded file means: received when it happened, which it must say."""
    if not isinstance(raw, Mapping):
        return Refused(RefusalCode.NOT_AN_OBJECT, "a call is a JSON object")
    given = given_time(raw)
    if given is None:
        return Refused(RefusalCode.INVALID_TIMESTAMP, "a recorded call needs a `timestamp`")
    try:
        at = instant(given)
    except CallError as error:
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
        raise CallError(
            RefusalCode.UNSUPPORTED_TYPE,
            f"the type {quoted(kind)} is not supported: send one of {known}",
        )
    context = raw.get("context")
    context = context if isinstance(context, Mapping) else {}
    customer_id, formerly = _who(raw)
    at, clamped = happened_at(raw, received_at, sent_at)
    common: dict[str, Any] = {
        "customer_id": customer_id,
        "formerly": formerly,
        "at": at,
        "clamped": clamped,
        "historical": historical,
        "message_id": message_id(raw, received_at),
        "timezone": context_text(context.get("timezone")),
        "locale": context_text(context.get("locale")),
    }
    return read(raw, context, common)


def _identify(raw: Mapping[str, Any], context: Mapping[str, Any], common: Any) -> Identify:
    # RudderStack's Python SDK puts the traits there.
    traits = raw.get("traits") if raw.get("traits") is not None else context.get("traits")
    return Identify(**common, traits=read_object(traits, "traits", RefusalCode.INVALID_TRAITS))


def _track(raw: Mapping[str, Any], context: Mapping[str, Any], common: Any) -> Track:
    return Track(**common, event=event_name(raw), properties=properties(raw))


def _page(raw: Mapping[str, Any], context: Mapping[str, Any], common: Any) -> Track:
    # A page's name is a title, free text with dots in it: it is a property, and the event
    # is called `page`.
    kind = str(raw["type"])
    named = {key: raw[key] for key in ("name", "category") if isinstance(raw.get(key), str)}
    return Track(**common, event=kind, kind=kind, properties={**named, **properties(raw)})


def _group(raw: Mapping[str, Any], context: Mapping[str, Any], common: Any) -> Group:
    company_id = read_id(raw.get("groupId"), "groupId", RefusalCode.INVALID_GROUP_ID)
    if company_id is None:
        raise CallError(RefusalCode.NO_GROUP_ID, "`groupId`, the company's id, is missing")
    traits = raw.get("traits") if raw.get("traits") is not None else context.get("traits")
    return Group(
        **common,
        company_id=company_id,
        traits=read_object(traits, "traits", RefusalCode.INVALID_TRAITS),
    )


def _alias(raw: Mapping[str, Any], context: Mapping[str, Any], common: Any) -> Alias:
    previous = read_id(raw.get("previousId"), "previousId", RefusalCode.INVALID_PREVIOUS_ID)
    if previous is None:
        raise CallError(
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
    user = read_id(raw.get("userId"), "userId", RefusalCode.INVALID_USER_ID)
    anonymous = read_id(raw.get("anonymousId"), "anonymousId", RefusalCode.INVALID_USER_ID)
    if user is not None:
        return user, (anonymous_customer(anonymous),) if anonymous is not None else ()
    if anonymous is None or raw.get("type") == "alias":
        raise CallError(
            RefusalCode.NO_USER_ID,
            "`userId` is missing"
            if raw.get("type") == "alias"
            else "`userId` is missing, and there is no `anonymousId` in its place",
        )
    return anonymous_customer(anonymous), ()

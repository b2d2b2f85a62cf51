"""What a Segment call means, or why it is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.calls import Identify, Track
from engine.segment import parse_call, parse_recorded
from engine.segment_fields import LARGEST_CALL, RefusalCode, Refused

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def track(**changes: Any) -> dict[str, Any]:
    call = {"type": "track", "userId": "c1", "event": "trial_started", "messageId": "m1"}
    return {**call, **changes}


def accepted(raw: object, received_at: datetime = NOON, sent_at: object = None) -> Track:
    call = parse_call(raw, received_at, sent_at)
    assert isinstance(call, Track), call
    return call


def refusal(raw: object) -> RefusalCode:
    call = parse_call(raw, NOON)
    assert isinstance(call, Refused), call
    return call.code


def test_a_track_is_an_event_with_its_properties() -> None:
    call = accepted(track(properties={"plan": "pro"}, timestamp="2026-11-23T10:00:00.123Z"))
    assert (call.customer_id, call.event, call.message_id) == ("c1", "trial_started", "m1")
    assert call.properties == {"plan": "pro"}
    assert call.at == datetime(2026, 11, 23, 10, 0, 0, 123000, tzinfo=UTC)


def test_an_identify_holds_traits_zone_and_locale() -> None:
    context = {"timezone": "Europe/Paris", "locale": "fr-FR"}
    call = parse_call(
        {"type": "identify", "userId": "c1", "traits": {"a": None}, "context": context}, NOON
    )
    assert isinstance(call, Identify)
    assert call.traits == {"a": None}
    assert (call.timezone, call.locale) == ("Europe/Paris", "fr-FR")


def test_the_traits_of_an_identify_may_be_in_its_context() -> None:
    raw = {"type": "identify", "userId": "c1", "traits": None, "context": {"traits": {"a": 1}}}
    call = parse_call(raw, NOON)
    assert isinstance(call, Identify)
    assert call.traits == {"a": 1}


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_a_page_is_an_event_of_that_name_whatever_its_title(kind: str) -> None:
    raw = {"type": kind, "userId": "c1", "name": "Docs v1.2", "properties": {"url": "/"}}
    call = accepted(raw)
    assert (call.event, call.kind) == (kind, kind)
    assert call.properties == {"name": "Docs v1.2", "url": "/"}


@pytest.mark.parametrize(("given", "read"), [(42, "42"), (42.0, "42"), ("42", "42"), (0, "0")])
def test_a_number_as_user_id_is_its_text(given: object, read: str) -> None:
    assert accepted(track(userId=given)).customer_id == read


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (None, "not_an_object"),
        ([], "not_an_object"),
        ({}, "unsupported_type"),
        (track(type="refund"), "unsupported_type"),
        (track(type="alias"), "no_previous_id"),
        (track(type="alias", userId=None, previousId="p"), "no_user_id"),
        (track(type="alias", userId=None, anonymousId="a", previousId="p"), "no_user_id"),
        (track(type="alias", previousId={}), "invalid_previous_id"),
        (track(type="group"), "no_group_id"),
        (track(type="group", groupId=["g"]), "invalid_group_id"),
        (track(type="group", groupId="g", traits="t"), "invalid_traits"),
        (track(type=["track"]), "unsupported_type"),
        (track(userId=None), "no_user_id"),
        (track(userId=""), "no_user_id"),
        (track(userId="anonymous:1"), "invalid_user_id"),
        (track(userId=None, anonymousId={}), "invalid_user_id"),
        (track(userId=True), "invalid_user_id"),
        (track(userId={"id": 1}), "invalid_user_id"),
        (track(userId="a\0b"), "invalid_user_id"),
        (track(userId="a\ud800"), "invalid_user_id"),
        (track(userId="x" * 256), "invalid_user_id"),
        (track(event=None), "no_event_name"),
        (track(event=""), "no_event_name"),
        (track(event=7), "invalid_event_name"),
        (track(event="a\nb"), "invalid_event_name"),
        (track(event="message.clicked"), "reserved_name"),
        (track(event="my.event"), "reserved_name"),
        (track(messageId="x" * 101), "invalid_message_id"),
        (track(messageId=7), "invalid_message_id"),
        (track(properties=["a"]), "invalid_properties"),
        (track(properties="a"), "invalid_properties"),
        ({"type": "identify", "userId": "c1", "traits": []}, "invalid_traits"),
        (track(timestamp="tomorrow"), "invalid_timestamp"),
        (track(timestamp={}), "invalid_timestamp"),
        (track(properties={"x": "y" * LARGEST_CALL}), "too_large"),
    ],
)
def test_what_can_not_be_accepted_is_refused_with_a_code(raw: object, code: str) -> None:
    assert refusal(raw) == code


def test_a_refusal_says_what_to_write_instead() -> None:
    refused = parse_call(track(event="cart.filled"), NOON)
    assert isinstance(refused, Refused)
    assert "write `cart_filled`" in refused.message


def test_nesting_without_end_is_refused() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    assert refusal(track(properties={"deep": deep})) is RefusalCode.TOO_DEEP


def test_nulls_are_as_good_as_nothing() -> None:
    nothing = dict.fromkeys(
        ("properties", "context", "timestamp", "sentAt", "originalTimestamp", "anonymousId")
    )
    call = accepted(track(**nothing))
    assert (call.at, call.properties, call.timezone) == (NOON, {}, None)


@pytest.mark.parametrize("zone", [7, "", "x" * 65, "a\0", None, ["Europe/Paris"]])
def test_a_zone_that_is_none_loses_the_zone_and_not_the_call(zone: object) -> None:
    assert accepted(track(context={"timezone": zone})).timezone is None


# --- When it happened ---------------------------------------------------------------------


def test_the_senders_clock_is_corrected_by_when_it_was_sent() -> None:
    slow = track(timestamp="2026-11-23T07:00:00Z", sentAt="2026-11-23T07:30:00Z")
    assert accepted(slow).at == NOON - HOUR / 2


def test_the_batch_says_when_it_was_sent_for_calls_that_do_not() -> None:
    raw = track(timestamp="2026-11-23T07:00:00Z")
    assert accepted(raw, sent_at="2026-11-23T08:00:00Z").at == NOON - HOUR
    own = {**raw, "sentAt": "2026-11-23T07:00:00Z"}
    assert accepted(own, sent_at="2026-11-23T08:00:00Z").at == NOON


def test_the_original_timestamp_goes_before_one_that_was_corrected_on_the_way() -> None:
    raw = track(timestamp="2026-11-23T11:00:00Z", originalTimestamp="2026-11-23T09:00:00Z")
    assert accepted(raw).at == NOON - 3 * HOUR


@pytest.mark.parametrize("sent_at", [None, "2026-11-23T11:00:00Z"])
def test_nothing_happens_in_the_future(sent_at: str | None) -> None:
    assert accepted(track(timestamp="2031-01-01T00:00:00Z"), sent_at=sent_at).at == NOON


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-11-23T09:00:00+01:00",
        "2026-11-23T08:00:00",
        "2026-11-23T08:00:00.000000Z",
        1795420800,
        1795420800000,
    ],
)
def test_a_time_may_be_written_in_any_of_the_usual_ways(timestamp: object) -> None:
    assert accepted(track(timestamp=timestamp)).at == NOON - 4 * HOUR


def test_an_unreadable_sent_at_corrects_nothing() -> None:
    raw = track(timestamp="2026-11-23T08:00:00Z", sentAt="soon")
    assert accepted(raw).at == NOON - 4 * HOUR


# --- Message ids --------------------------------------------------------------------------


def test_without_an_id_the_same_content_is_the_same_call() -> None:
    raw = track(messageId=None, timestamp="2026-11-23T08:00:00Z", sentAt="2026-11-23T08:00:01Z")
    again = {**raw, "sentAt": "2026-11-23T08:05:00Z"}
    one, other = accepted(raw), accepted(again, NOON + HOUR)
    assert one.message_id == other.message_id
    assert accepted({**raw, "event": "other"}).message_id != one.message_id


def test_without_an_id_and_a_time_each_call_is_new() -> None:
    raw = track(messageId=None)
    assert accepted(raw, NOON).message_id != accepted(raw, NOON + HOUR).message_id


# --- Recorded files -----------------------------------------------------------------------


def test_a_recorded_call_was_received_when_it_happened() -> None:
    raw = track(timestamp="2026-11-23T08:00:00Z", sentAt="2027-01-01T00:00:00Z")
    call = parse_recorded(raw)
    assert isinstance(call, Track)
    assert call.at == NOON - 4 * HOUR


@pytest.mark.parametrize("timestamp", [None, "", "yesterday"])
def test_a_recorded_call_must_say_when_it_happened(timestamp: object) -> None:
    refused = parse_recorded(track(timestamp=timestamp))
    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.INVALID_TIMESTAMP


def test_a_recorded_line_that_is_no_object_is_refused() -> None:
    refused = parse_recorded([track()])
    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.NOT_AN_OBJECT


# --- Laws ---------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
_FIELDS = ("userId", "event", "messageId", "properties", "traits", "context", "timestamp", "sentAt")


@given(
    raw=st.fixed_dictionaries(
        {"type": st.sampled_from(["track", "identify", "page", "screen"])},
        optional=dict.fromkeys(_FIELDS, _JSON),
    )
)
def test_whatever_is_sent_is_understood_or_refused(raw: dict[str, Any]) -> None:
    call = parse_call(raw, NOON)
    if isinstance(call, Refused):
        assert call.message
        return
    assert call.at <= NOON
    assert 0 < len(call.message_id) <= 100
    assert 0 < len(call.customer_id) <= 255
    assert parse_call(raw, NOON) == call or any(value != value for value in _numbers(raw))


def _numbers(value: object) -> list[object]:
    """The leaves, for NaN, which equals nothing, not even itself."""
    if isinstance(value, dict):
        return [leaf for held in value.values() for leaf in _numbers(held)]
    if isinstance(value, list):
        return [leaf for held in value for leaf in _numbers(held)]
    return [value]

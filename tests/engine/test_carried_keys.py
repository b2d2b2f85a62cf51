"""The message key, there and back through whatever fields a provider has."""

import re
import string

from hypothesis import given
from hypothesis import strategies as st

from engine.carried_keys import carried, from_plain, key_carried, plain

# What keys are made of (engine/keys.py), up to their greatest length.
KEYS = st.text(string.ascii_letters + string.digits + "-._~%:/", min_size=1, max_size=256)


@given(KEYS, st.integers(min_value=20, max_value=256))
def test_a_key_comes_back_whole_from_its_pieces(key: str, longest: int) -> None:
    fields = carried(key, longest)
    assert max(map(len, fields.values())) <= longest
    assert key_carried({"campaign": "x", **fields}) == key
    assert key_carried(dict(reversed(fields.items()))) == key


@given(KEYS)
def test_a_key_comes_back_from_letters_and_digits(key: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", plain(key))
    assert from_plain(plain(key)) == key


@given(st.text())
def test_a_text_that_is_no_key_in_letters_is_none(text: str) -> None:
    key = from_plain(text)
    assert key is None or plain(key) == text


def test_fields_without_a_key_hold_none() -> None:
    assert key_carried({}) is None
    assert key_carried({"message-key": 7, "message-key-2": "x"}) is None
    assert key_carried({"message-key-2": "x"}) is None


def test_a_short_key_is_one_field_that_a_person_can_read() -> None:
    assert carried("trial:c1/tip/start", 80) == {"message-key": "trial:c1/tip/start"}

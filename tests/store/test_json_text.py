"""JSON that both databases take."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.json_text import json_text, json_value, keepable, keepable_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner
    ),
    max_leaves=10,
)  # fmt: skip


@given(VALUES)
def test_what_both_can_keep_comes_back_unchanged(value: object) -> None:
    assert json.loads(json_text(value)) == value


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        ("a\0b", "ab"),
        (["\ud83d"], ["�"]),
        ({"k\0": {"deep": float("inf")}}, {"k": {"deep": None}}),
        ((1, float("nan")), [1, None]),
        ("\\u0000 written out", "\\u0000 written out"),
        ("🎉 é \ud55c", "🎉 é \ud55c"),
    ],
)
def test_what_neither_should_keep_is_left_out(given_value: object, kept: object) -> None:
    assert json.loads(json_text(given_value)) == kept


def test_what_json_has_no_form_for_is_refused() -> None:
    with pytest.raises(TypeError, match="Decimal"):
        json_text({"price": Decimal(1)})


@given(st.text())
def test_keepable_text_is_utf_8_without_nul(text: str) -> None:
    assert "\0" not in keepable_text(text).encode().decode()


def test_a_value_is_made_keepable_at_any_depth() -> None:
    given = {"a\0": ["\ud800", {"b": float("inf")}], "c": ("é", 1.5, None, True)}
    assert keepable(given) == {"a": ["\ufffd", {"b": None}], "c": ["é", 1.5, None, True]}


def test_what_stands_in_a_column_is_read_however_it_was_written() -> None:
    for text in ('{"a":[1]}', ' {"a": [1]}', '{"a":[1]}\n'):
        assert json_value(text) == {"a": [1]}
    for text in ("", "{", '{"a":1} x'):
        with pytest.raises(ValueError, match=r"\w"):
            json_value(text)

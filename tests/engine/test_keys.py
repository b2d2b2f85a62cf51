"""Identifiers made twice are the same, and no two things ever share one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.keys import enrollment_id, message_id, message_key, pseudonym

_texts = st.text(min_size=1, max_size=300)
_optional = st.none() | _texts


def test_ids_read_like_the_design_says() -> None:
    assert enrollment_id("trial-onboarding", "cust_42") == "trial-onboarding:cust_42"
    assert enrollment_id("abandoned-cart", "cust_42", "cart_9") == "abandoned-cart:cust_42:cart_9"
    assert enrollment_id("trial-onboarding", "cust_42", ordinal=2) == "trial-onboarding:cust_42:~2"


@pytest.mark.parametrize("customer", ["ana@example.com", "a b", "a/b", "", "é", "x" * 65, "a\n"])
def test_an_id_that_may_name_a_person_is_replaced_by_a_stable_one(customer: str) -> None:
    stand_in = pseudonym(customer)
    assert re.fullmatch(r"anon-[a-z2-7]{16}", stand_in)
    assert stand_in == pseudonym(customer)


def test_a_plain_id_stays_and_none_can_pose_as_a_pseudonym() -> None:
    assert pseudonym("cust_42.a-b") == "cust_42.a-b"
    stand_in = pseudonym("ana@example.com")
    assert pseudonym(stand_in) != stand_in


@given(_texts, _texts, _optional, _optional, st.integers(1, 99), st.integers(1, 99))
def test_no_two_enrollments_share_an_id(
    one: str, other: str, key: str | None, other_key: str | None, n: int, m: int
) -> None:
    first, second = enrollment_id("j", one, key, n), enrollment_id("j", other, other_key, m)
    assert (first == second) == ((one, key, n) == (other, other_key, m))
    assert "/" not in first
    assert len(first) < 500


def test_a_key_can_not_pose_as_an_ordinal_or_as_a_long_key() -> None:
    assert enrollment_id("j", "c", "~2") != enrollment_id("j", "c", ordinal=2)
    long = "k" * 300
    posing = enrollment_id("j", "c", long).removeprefix("j:c:")
    assert enrollment_id("j", "c", posing) != enrollment_id("j", "c", long)


@given(_texts, _texts, _texts, _texts)
def test_no_two_messages_share_a_key(
    step: str, other_step: str, occurrence: str, other_occurrence: str
) -> None:
    enrollment = enrollment_id("trial", "ana")
    first = message_key(enrollment, step, occurrence)
    second = message_key(enrollment, other_step, other_occurrence)
    assert (first == second) == ((step, occurrence) == (other_step, other_occurrence))
    assert len(first) <= 256
    assert first.isascii()


def test_a_long_enrollment_id_does_not_make_keys_collide() -> None:
    long = enrollment_id("j" * 120, "c" * 64, "k" * 200)
    keys = {message_key(long + tail, "tip", "start") for tail in ("", ":~2", ":~3")}
    assert len(keys) == 3


def test_a_message_id_is_one_token_before_the_domain() -> None:
    assert re.fullmatch(r"<[a-z2-7]{16}\.parcours@mail\.example>", message_id("k", "mail.example"))

"""What boxes mean when they come back, what is given back, and what an event asks to confirm."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.choices import (
    Asked,
    Change,
    Choice,
    Form,
    asked_to_confirm,
    changes,
    newest_word,
    to_give_back,
    topic_choices,
)
from engine.consent import ConsentState, Spoken
from engine.policy import Policy

AT = datetime(2026, 11, 23, tzinfo=UTC)
YES, NO, ASKS = ConsentState.SUBSCRIBED, ConsentState.UNSUBSCRIBED, ConsentState.PENDING
POLICY = Policy.model_validate(
    {
        "sender": {"name": "Acme", "email": "hello@acme.example"},
        "postal_address": "1 Main Street",
        "topics": {
            "tips": {"title": "Tips", "subscribed": True},
            "news": {"title": "News", "subscribed": False},
        },
    }
)

_choices = st.lists(
    st.builds(
        Choice,
        topic=st.sampled_from(["tips", "news"]),
        channel=st.sampled_from(["email", "sms", "post"]),
        chosen=st.booleans(),
    ),
    unique_by=lambda choice: choice.id,
)
_ids = st.frozensets(
    st.sampled_from([f"{c}/{t}" for c in ("email", "sms", "post") for t in ("tips", "news")])
)


def word(state: ConsentState, topic: str | None = None, channel: str | None = None) -> Spoken:
    return Spoken(at=AT, channel=channel, topic=topic, state=state)


@given(_choices, st.builds(Form, shown=_ids, was=_ids, ticked=_ids))
def test_a_form_subscribes_only_to_what_was_ticked_anew(now: list[Choice], form: Form) -> None:
    for change in changes(now, form):
        if change.subscribed:
            box = f"{change.channel}/{change.topic}"
            assert box in form.shown & form.ticked - form.was
            assert not next(each for each in now if each.id == box).chosen


@given(_choices, st.builds(Form, shown=_ids, was=_ids, ticked=_ids))
def test_a_box_that_is_unticked_is_given_up_whenever_the_page_was_opened(
    now: list[Choice], form: Form
) -> None:
    found = changes(now, form)
    for box in now:
        given_up = any(
            each.topic == box.topic and each.channel in (None, box.channel) and not each.subscribed
            for each in found
        )
        if box.chosen and box.id in form.shown - form.ticked:
            assert given_up
        elif box.chosen:
            assert not given_up


@given(_choices, _ids, _ids)
def test_a_form_that_showed_nothing_changes_nothing(
    now: list[Choice], was: frozenset[str], ticked: frozenset[str]
) -> None:
    assert changes(now, Form(shown=frozenset(), was=was, ticked=ticked)) == []


def test_boxes_are_what_was_said_last_else_what_the_topic_says() -> None:
    said = [word(ASKS, "news"), word(NO, "tips", "sms")]
    assert topic_choices(POLICY, said, ["email", "sms"]) == [
        Choice("tips", "email", chosen=True),
        Choice("tips", "sms", chosen=False),
        Choice("news", "email", chosen=False, pending=True),
        Choice("news", "sms", chosen=False, pending=True),
    ]


@pytest.mark.parametrize(
    ("before", "left", "back"),
    [
        ([], None, [Change("tips", None, True)]),
        ([], "tips", [Change("tips", None, True)]),
        ([], "news", []),
        ([word(YES, "news", "sms")], "news", [Change("news", "sms", True)]),
        ([word(ASKS, "news")], "news", []),
        ([word(NO)], None, [Change("tips", None, True)]),  # pressed twice
        ([word(NO, "tips")], None, []),
    ],
)
def test_what_is_given_back_is_what_they_had_and_no_more(
    before: list[Spoken], left: str | None, back: list[Change]
) -> None:
    assert to_give_back(POLICY, [*before, word(NO, left)], left) == back


def test_nothing_is_given_back_once_something_else_was_said() -> None:
    assert to_give_back(POLICY, [word(NO, "tips"), word(YES, "news")], "tips") == []


@pytest.mark.parametrize(
    ("said", "asked", "newest"),
    [
        ([], Asked("news", None), None),
        ([word(ASKS, "news")], Asked("news", None), ASKS),
        ([word(ASKS, "news"), word(NO)], Asked("news", None), NO),
        ([word(ASKS, "news"), word(NO, "news", "sms")], Asked("news", None), NO),
        ([word(ASKS, "news", "email"), word(NO, "news", "sms")], Asked("news", "email"), ASKS),
        ([word(ASKS, "news"), word(NO, "tips")], Asked("news", None), ASKS),
    ],
)
def test_a_confirmation_goes_by_the_newest_word_on_what_it_confirms(
    said: list[Spoken], asked: Asked, newest: ConsentState | None
) -> None:
    assert newest_word(said, asked) is newest


@pytest.mark.parametrize(
    ("events", "asked"),
    [
        ([{"topic": "news", "channel": "sms"}], Asked("news", "sms")),
        ([{"topic": "news"}], Asked("news", None)),
        ([{}, {"topic": "news", "channel": None}], Asked("news", None)),
        ([{"topic": "cats"}], None),
        ([{"topic": "news", "channel": ["sms"]}], None),
        ([{"topic": {}}], None),
    ],
)
def test_an_event_asks_to_confirm_a_topic_of_ours(
    events: list[dict[str, Any]], asked: Asked | None
) -> None:
    assert asked_to_confirm(POLICY, *events) == asked

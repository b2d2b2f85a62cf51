"""`journey.yaml` into a journey, or into every mistake that is in it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authoring.journey_file import load_journey_data
from authoring.mistakes import JourneysInvalid, Mistake
from engine.definition import Journey

HEAD = "journey: trial\ntitle: A trial\nstarts_on: trial_started\ntopic: onboarding\n"
STEPS = "steps:\n  - send: thanks\n    at: start + 1 day\n"  # begin in line 5
LAW = """\
journey: trial-onboarding
title: From trial to first purchase
starts_on: trial_started
ends_on: [trial_cancelled]
ends_at: customer.trial_ends_at
goal: subscription_purchased
topic: onboarding
steps:
  - send: thanks
    at: start + 1 day
  - send: tip
    at: start + 2 days
  - send: demo
    after_idle: 10 days
  - send: coupon
    at: customer.trial_ends_at - 5 days
    offer: {percent: 20, valid: 5 days}
"""


def _load(text: str) -> Journey:
    return load_journey_data(text, "trial/journey.yaml")


def _mistakes(text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(JourneysInvalid) as caught:
        _load(text)
    return [(mistake.line, mistake.message) for mistake in caught.value.mistakes]


def _one(text: str) -> tuple[int | None, str]:
    [mistake] = _mistakes(text)
    return mistake


def test_the_journey_of_the_design_is_read() -> None:
    journey = _load(LAW)
    assert [step.id for step in journey.steps] == ["thanks", "tip", "demo", "coupon"]
    assert str(journey.ends_at) == "customer.trial_ends_at"
    assert journey.goal[0].event == "subscription_purchased"
    assert journey.live_traits == ("trial_ends_at",)


def test_layout_and_comments_do_not_make_another_version() -> None:
    assert (
        _load(LAW).version
        == _load("# why\n" + LAW.replace("[trial_cancelled]", "\n  - trial_cancelled")).version
    )


def test_a_text_that_is_no_yaml_is_one_mistake() -> None:
    line, message = _one("journey: a: b\n")
    assert line == 1
    assert "not YAML" in message


@pytest.mark.parametrize("text", ["- journey: trial\n", "trial\n", "3\n"])
def test_a_file_without_keys_is_one_mistake(text: str) -> None:
    assert "expected the keys of a journey" in _one(text)[1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("on: trial_cancelled", "unknown key `on`"),
        ("endson: x", "unknown key `endson`, did you mean `ends_on`?"),
        ("Topic: x", "unknown key `Topic`, did you mean `topic`?"),
        ("zzz: x", "unknown key `zzz`: the keys here are `journey`, `title`, `starts_on`"),
        (
            "reenter: sometimes",
            "`reenter: sometimes` is not known: write one of `never`, `after_exit`, `restart`, "
            "`always`",
        ),
        ("holdout: 1.5", "`holdout: 1.5` is out of range"),
        ("holdout: ten%", "write `0.1` or `10%`"),
        ("fresh: 3", "`fresh`: expected text, found `3`: write for example `fresh: 1 day`"),
        ("fresh: 3 dyas", "unknown unit `dyas`, did you mean `days`?"),
        ("fresh:", "`fresh` has no value: write one, or remove the key"),
        ("key: 5", "put it in quotes: `'5'`"),
        ("ends_on: 5", "`ends_on`: expected a list, found `5`"),
        ("ends_on: [{evnt: x}]", "unknown key `evnt`, did you mean `event`?"),
        ("ends_on: [{where: x}]", "the key `event` is missing"),
        ("ends_on: {event: x, where: }", "`where` has no value"),
        ("goal: {event: x, within: 3}", "write for example `within: 30 days`"),
        ("ends_at: thanks + 1 day", "`ends_at` can't depend on a step"),
        ("ends_at: start + 1", "a unit is missing"),
        ("transactional: maybe", "expected `true` or `false`, found `maybe`"),
        ("title: again", "`title` is here for the second time (first in line 2)"),
        ("activity: {}", "the key `event` is missing"),
    ],
)
def test_a_mistake_in_the_head_is_told_once_with_its_line(line: str, message: str) -> None:
    found_line, found = _one(f"{HEAD}{line}\n{STEPS}")
    assert found_line == 5
    assert message in found


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("titel: A trial", "unknown key `titel`, did you mean `title`?"),
        ("title:", "`title` has no value"),
        ("title: ''", "`title` is empty"),
        ("title: 2026", "expected text, found `2026`"),
    ],
)
def test_a_key_that_is_there_but_wrong_is_not_called_missing_too(wrong: str, message: str) -> None:
    line, found = _one(HEAD.replace("title: A trial", wrong) + STEPS)
    assert line == 2
    assert message in found


def test_a_misspelt_topic_is_not_a_missing_topic_too() -> None:
    assert "did you mean `topic`?" in _one(HEAD.replace("topic:", "topik:") + STEPS)[1]


def test_missing_keys_are_all_told() -> None:
    assert [
        message.split(":")[0] for _, message in _mistakes("steps: [{send: a, at: start}]\n")
    ] == [
        "a journey needs a `topic`, or `transactional",
        "the key `journey` is missing",
        "the key `title` is missing",
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["sned: tip", "at: start"], "unknown key `sned`, did you mean `send`?"),
        (["send: tip", "att: start"], "unknown key `att`, did you mean `at`?"),
        (["send: tip", "on: paid"], "unknown key `on`, did you mean `after_event`?"),
        (["send: tip", "at: start", "sender: x"], "unknown key `sender`, did you mean `from`?"),
        (["send: tip", "at: start", "after_idle: 3 days"], "not `at` and `after_idle`"),
        (["send: tip"], "exactly one of `at`, `after_idle`, `after_event`"),
        (["at: start"], "exactly one of `send`, `call`, `set`, `unsubscribe`, `variants`"),
        (["send: tip", "call: crm", "at: start"], "not `send` and `call`"),
        (["set: {a: 1}", "at: start"], "a step with `set` needs a name"),
        (["id: Tip", "send: tip", "at: start"], "`Tip` is not a step id"),
        (["id: start", "send: tip", "at: start"], "is a word of time expressions"),
        (["send: 5", "at: start"], "`send`: expected text"),
        (["send: tip", "at: start", "repeat: yes"], "write one of `true`, `daily`"),
        (["send: tip", "at: start", "repeat: true"], "needs an anchor that can change"),
        (["send: tip", "at: start", "channels: email"], "expected a list, found `email`"),
        (["send: tip", "at: start", "wait: 2 hours"], "`wait` belongs to `after_event`"),
        (["send: tip", "at: start", "grace: 5 dais"], "unknown unit `dais`"),
        (["send: tip", "at: start", "when: true"], "`when`: expected text"),
        (["send: tip", "at: start", "days: mon-fry"], "unknown day `fry`"),
        (["send: tip", "at: start", "between: 9-18"], "not a time of day"),
        (["send: tip", "at: start", "offer: {percent: 5, vald: 2 days}"], "`valid`?"),
        (
            ["send: tip", "at: start", "offer: {valid: 2 days}"],
            "exactly one of `percent`, `amount` and `free_shipping: true`",
        ),
        (
            ["send: tip", "at: start", "offer: {percent: 5, free_shipping: true, valid: 1 day}"],
            "exactly one of `percent`",
        ),
        (
            ["send: tip", "at: start", "offer: {free_shipping: false, valid: 2 days}"],
            "`free_shipping: false` is not known: write one of `true`",
        ),
        (["id: v", "at: start", "variants: {a: {send: x, offer: {percent: 5}}}"], "`valid`"),
        (["send: tip", "at: start", "offer: {percent: 101, valid: 2 days}"], "out of range"),
        (["id: v", "at: start", "variants: {a: {send: x, weight: 0}}"], "out of range"),
        (["unsubscribe: true", "at: start"], "a step with `unsubscribe` needs a name: write `id"),
        (["id: u", "unsubscribe: []", "at: start"], "`unsubscribe`: write `true`, for everything"),
        (["id: u", "unsubscribe: false", "at: start"], "`unsubscribe`: write `true`"),
        (["id: u", "unsubscribe: news", "at: start"], "a list of topics such as `[news]`"),
        (["id: v", "at: start", "variants: {a: {send: x, wait: 1}}"], "did you mean `weight`?"),
        (["send: tip", "at: start", "topic: a", "transactional: true"], "not both"),
        (["send: tip", "at: thank + 1 day"], "there is no step `thank`, did you mean `thanks`?"),
        (["send: tip", "at: tip + 1 day"], "a circle, tip → tip"),
        (["send: thanks", "at: start"], "a second step `thanks` (the first is in line 6)"),
        (["send: tip", "at:"], "`at` has no value"),
    ],
)
def test_a_mistake_in_a_step_is_told_once_and_near_its_line(keys: list[str], message: str) -> None:
    line, found = _one(HEAD + STEPS + "  - " + "\n    ".join(keys) + "\n")
    assert message in found
    assert line is not None
    assert 8 <= line < 8 + len(keys)


def test_a_step_that_is_no_mapping_is_told() -> None:
    assert _one(HEAD + STEPS + "  - thanks\n") == (
        8,
        "a step has keys, such as `send: thanks` and `at: start + 1 day`",
    )


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("steps: []\n", "`steps` is empty"),
        ("steps: x\n", "`steps`: expected a list"),
        ("", "missing"),
    ],
)
def test_a_journey_needs_steps(steps: str, message: str) -> None:
    assert message in _one(HEAD + steps)[1]


def test_mistakes_in_one_step_hide_none_in_another_or_in_the_head() -> None:
    text = (
        HEAD.replace("A trial", "''")
        + "reenter: sometimes\n"
        + STEPS.replace("start + 1 day", "start + 1 dya")
        + "  - send: tip\n  - send: demo\n    after_idle: 10\n    grace: 1 dya\n    days: xyz\n"
    )
    assert [line for line, _ in _mistakes(text)] == [2, 5, 8, 9, 11, 12, 13]


def test_a_wrong_key_hides_no_broken_rule_of_the_same_step() -> None:
    text = HEAD + STEPS + "  - send: tip\n    at: start\n    after_idle: 3 days\n    grace: 5\n"
    assert [line for line, _ in _mistakes(text)] == [9, 11]


def test_a_circle_is_told_once_and_not_for_those_who_wait_on_it() -> None:
    text = HEAD + "steps:\n  - {send: a, at: b}\n  - {send: b, at: a}\n  - {send: c, at: a}\n"
    line, message = _one(text)
    assert line == 6
    assert "a → b → a" in message


def test_an_empty_trait_may_be_set() -> None:
    assert _load(HEAD + STEPS + "  - {id: clear, set: {plan: }, at: start}\n").steps[1].set == {
        "plan": None
    }


def test_on_and_off_are_words() -> None:
    journey = _load(
        HEAD.replace("A trial", "on") + STEPS + "  - {id: s, set: {a: off}, at: start}\n"
    )
    assert journey.title == "on"
    assert journey.steps[1].set == {"a": "off"}


def test_an_alias_can_repeat_a_part() -> None:
    text = HEAD + (
        "steps:\n  - {send: a, at: start, unless: &u [bought, {event: left, where: 'true'}]}\n"
        "  - {send: b, at: start, unless: *u}\n"
    )
    journey = _load(text)
    assert journey.steps[0].unless == journey.steps[1].unless


_JUNK = ("", "5", "true", "[]", "{}", "[[x]]", "{a: {b: [c]}}", "x", "'", "&a", "*a", "- x",
         "start", "\t", "1 day", "{event: }", "[{event: a, where: b}]", "😀",
         "!!set {}", "~")  # fmt: skip
_KEYS = ("at", "send", "id", "set", "variants", "after_event", "wait", "repeat", "steps", "goal",
         "topic", "from", "offer", "on", "channels", "ends_at", "transactional")  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 16), st.sampled_from(_KEYS), st.sampled_from(_JUNK)),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_is_written_the_answer_is_a_journey_or_its_mistakes(
    changes: list[tuple[int, str, str]],
) -> None:
    lines = LAW.splitlines()
    for place, key, junk in changes:
        indent = lines[place][: len(lines[place]) - len(lines[place].lstrip(" -"))]
        lines[place] = f"{indent}{key}: {junk}"
    match _outcome("\n".join(lines)):
        case Journey() as journey:
            assert Journey.model_validate_json(journey.pinned) == journey
        case mistakes:
            assert mistakes
            assert len(set(map(str, mistakes))) == len(mistakes)
            assert all(mistake.message.strip() for mistake in mistakes)


def _outcome(text: str) -> Journey | tuple[Mistake, ...]:
    try:
        return _load(text)
    except JourneysInvalid as error:
        return error.mistakes

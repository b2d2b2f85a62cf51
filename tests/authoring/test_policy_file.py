"""`policy.yaml` into a policy, or into every mistake that is in it."""

import pytest

from authoring.policy_file import PolicyNames, read_policy
from authoring.source import Source, open_source
from engine.policy import Policy, in_language
from tests.authoring.right_folder import POLICY


def _read(text: str) -> tuple[Policy | None, PolicyNames, list[tuple[int | None, str]]]:
    source = open_source("policy.yaml", text)
    assert isinstance(source, Source)
    policy, names = read_policy(source)
    return policy, names, [(m.line, m.message) for m in source.mistakes]


def test_a_right_policy_is_read() -> None:
    policy, names, mistakes = _read(
        POLICY + "caps:\n  - {max: 3, per: 7 days, topic: news}\nquiet_hours: {sms: 21:00-08:00}\n"
    )
    assert mistakes == []
    assert policy is not None
    assert policy.caps[0].topic == "news"
    assert str(policy.quiet_hours["sms"].hours) == "21:00-08:00"
    assert names == PolicyNames(("onboarding", "news"), ("crm",))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("21:00-08:00", "21:00-08:00"),
        ("{hours: 21:00-08:00}", "21:00-08:00"),
        (
            "{hours: 22:00-08:00, days: sunday, holidays: true}",
            {"hours": "22:00-08:00", "days": "sun", "holidays": True},
        ),
        ("{days: sat-sun}", {"days": "sat,sun"}),
        ("{holidays: true}", {"holidays": True}),
    ],
)
def test_quiet_hours_are_a_window_or_keys_and_are_kept_as_short_as_they_can_be(
    written: str, kept: object
) -> None:
    policy, _, mistakes = _read(POLICY + f"quiet_hours: {{sms: {written}}}\n")
    assert mistakes == []
    assert policy is not None
    dumped = policy.model_dump(mode="json")
    assert dumped["quiet_hours"] == {"sms": kept}
    assert Policy.model_validate(dumped) == policy


def test_a_mistake_in_quiet_hours_is_told_with_its_own_line() -> None:
    text = "quiet_hours:\n  email: 21:00-08:00\n  sms:\n    hours: 22:00-08:00\n    days: son\n"
    [(line, message)] = _read(POLICY + text)[2]
    assert line == 13
    assert message == "`days`: `son`: unknown day `son`, did you mean `sun`?"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cap: []", "unknown key `cap`, did you mean `caps`?"),
        ("locale: 5", "`locale`: expected text"),
        ("locale: francais", "`francais` is not a language such as `fr` or `fr-CA`"),
        ("currency: EURO", "`EURO` is not the code of a currency such as `EUR`"),
        ("currency: 5", "`currency`: expected text"),
        ("caps: [{max: 0, per: 7 days}]", "out of range"),
        ("caps: [{max: 3, per: 7}]", "write for example `per: 7 days`"),
        ("caps: [{max: 3}]", "the key `per` is missing"),
        (
            "caps: [{max: 3, per: 7 days, topic: newz}]",
            "unknown topic `newz`, did you mean `news`?",
        ),
        ("caps: [{max: 3, per: 7 days, channel: mail}]", "unknown channel `mail`"),
        ("caps: 3", "`caps`: expected a list"),
        ("caps: [{max: 3, per: calendar dya}]", "not a period, did you mean `day`?"),
        ("caps: [{max: 3, per: calendar 2 days}]", "a page of the calendar has no number"),
        ("caps: [{max: 3, per: 0 days}]", "`per`: `0 days`: a cap needs some time"),
        (
            "caps: [{max: 3, per: 7 days, topic: news, counts_transactional: true}]",
            "`counts_transactional` has nothing to count",
        ),
        ("caps: [{max: 3, per: 7 days, count_transactional: true}]", "`counts_transactional`?"),
        ("tracking: {open: true}", "unknown key `open`, did you mean `opens`?"),
        ("tracking: false", "`tracking`: expected keys with values"),
        ("quiet_hours: {smz: 21:00-08:00}", "unknown channel `smz`, did you mean `sms`?"),
        ("quiet_hours: {sms: 21:00-25:00}", "`sms`: `21:00-25:00`: there is no time `25:00`"),
        ("quiet_hours: 21:00-08:00", "write for example `quiet_hours: {sms: 21:00-08:00}`"),
        ("quiet_hours: {sms: 21}", "`sms`: expected a window such as `21:00-08:00`, or keys"),
        ("quiet_hours: {sms: {}}", "`sms`: says not when it is quiet: write for example `{hours:"),
        ("quiet_hours: {sms: {holidays: false}}", "`sms`: says not when it is quiet"),
        ("quiet_hours: {sms: {hour: 22:00-08:00}}", "unknown key `hour`, did you mean `hours`?"),
        ("quiet_hours: {sms: {hours: 22:00-8}}", "`hours`: `22:00-8`: "),
        ("quiet_hours: {sms: {hours: 22}}", "write for example `hours: 22:00-08:00`"),
        ("quiet_hours: {sms: {days: sundays}}", "unknown day `sundays`"),
        ("quiet_hours: {sms: {days: 7}}", "write for example `days: sun`"),
        ("quiet_hours: {sms: {days: mon-sun}}", "quiet on all days never sends"),
        ("quiet_hours: {sms: {holidays: FR}}", "expected `true` or `false`, found `FR`"),
        ("quiet_hours: {sms: {hours: 22:00-08:00, days: }}", "`days` has no value"),
        ("holdout: 110%", "out of range"),
        ("topics: {}", "second time"),
    ],
)
def test_a_mistake_is_told_once_with_its_line(line: str, message: str) -> None:
    policy, _, mistakes = _read(POLICY + line + "\n")
    [(found_line, found)] = mistakes
    assert policy is None
    assert found_line == 9
    assert message in found


def test_every_unknown_topic_of_caps_is_told() -> None:
    caps = "caps:\n  - {max: 3, per: 7 days, topic: a}\n  - {max: 3, per: 7 days, topic: b}\n"
    assert [line for line, _ in _read(POLICY + caps)[2]] == [10, 11]


def test_a_webhook_must_be_an_address_of_the_web() -> None:
    [(line, message)] = _read(POLICY.replace("https://", "ftp://"))[2]
    assert line == 8
    assert "write for example `url: https://example.com/hook`" in message


def test_an_empty_file_of_keys_names_what_is_missing() -> None:
    _, names, mistakes = _read("locale: en\n")
    assert len(mistakes) == 3
    assert names == PolicyNames(None, ())


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("{title: 5, subscribed: true}", "`title`: expected a text, or one by language"),
        ("{title: {en: }, subscribed: true}", "`en` has no value"),
        ("{title: {english: News}, subscribed: true}", "`english` is not a language"),
        ("{title: News, subscribed: true, double_opt_in: true}", "write `subscribed: false`"),
        ("{title: News, subscribed: false, double_optin: true}", "mean `double_opt_in`?"),
    ],
)
def test_a_topic_that_is_wrong_says_what_to_write(topic: str, message: str) -> None:
    text = POLICY.replace("topics:", f"topics:\n  extra: {topic}", 1)
    _, _, mistakes = _read(text)
    assert [found for _, found in mistakes if message in found] != [], mistakes


def test_a_topic_has_no_dot_for_those_names_are_ours() -> None:
    text = POLICY.replace("topics:", "topics:\n  tracking.opens: {title: T, subscribed: true}", 1)
    _, _, [(_, message)] = _read(text)
    assert "names with a dot are ours" in message


def test_titles_are_read_by_language() -> None:
    title = "{title: {en: News, fr: Nouveautés}, description: Monthly, subscribed: false}"
    policy, _, mistakes = _read(POLICY.replace("topics:", f"topics:\n  extra: {title}", 1))
    assert mistakes == []
    assert policy is not None
    assert Policy.model_validate(policy.model_dump(mode="json")) == policy
    assert in_language(policy.topics["extra"].title, "fr-CA") == "Nouveautés"

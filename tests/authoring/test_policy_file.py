"""`policy.yaml` into a policy, or into every mistake that is in it."""

import pytest

from authoring.policy_file import PolicyNames, read_policy
from authoring.source import Source, open_source
from engine.policy import Policy
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
    assert str(policy.quiet_hours["sms"]) == "21:00-08:00"
    assert names == PolicyNames(("onboarding", "news"), ("crm",))


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
        ("quiet_hours: {smz: 21:00-08:00}", "unknown channel `smz`, did you mean `sms`?"),
        ("quiet_hours: {sms: 21:00-25:00}", "there is no time `25:00`"),
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

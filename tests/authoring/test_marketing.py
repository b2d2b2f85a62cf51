"""What is legal in marketing and odd is told once, where it can be mended; what is right is not."""

import pytest

from authoring.folder import load_journeys
from authoring.mistakes import Mistake
from tests.authoring.right_folder import JOURNEY, LEAVE, POLICY, Write
from tests.lint.checkout import ROOT

LAYOUT = "<html>{% block content %}{% endblock %}LEAVE</html>"
EXTENDS = "{% extends 'layout.html' %}{% block content %}<p>A tip.</p>{% endblock %}"


def warnings(write: Write, changes: dict[str, str]) -> tuple[Mistake, ...]:
    return load_journeys(write(dict(changes))).warnings


def tip(*lines: str, head: str = "") -> str:
    """The right journey, with other keys in its second step, and more in its head."""
    text = JOURNEY.replace("    at: start + 2 days\n", "".join(f"    {line}\n" for line in lines))
    return text.replace("topic: onboarding\n", f"topic: onboarding\n{head}")


def test_the_right_folder_and_our_own_journeys_have_none(write: Write) -> None:
    assert warnings(write, {}) == ()
    for folder in ("journeys", "journeys/library"):
        assert load_journeys(ROOT / folder).warnings == ()


# --- How to be rid of it -------------------------------------------------------------------


@pytest.mark.parametrize(
    "files",
    [
        {"trial/tip/email.html": "<p>A tip.</p>"},
        {"trial/tip/fr/email.html": "<p>Un tuyau.</p>", "trial/tip/fr/subject.txt": "Un tuyau"},
        {"trial/tip/email.html": EXTENDS, "layout.html": LAYOUT.replace("LEAVE", "")},
        {"trial/tip/email.html": "<p>Unsubscribe, or {{ links.confirm }}</p>"},
    ],
)
def test_a_marketing_mail_without_a_link_to_unsubscribe_is_told(
    write: Write, files: dict[str, str]
) -> None:
    [warning] = warnings(write, files)
    assert (warning.file, warning.line) == ("trial/journey.yaml", 10)
    assert "email.html` is marketing (topic `onboarding`)" in warning.message
    assert LEAVE in warning.message


@pytest.mark.parametrize(
    "files",
    [
        {"trial/tip/email.html": EXTENDS, "layout.html": LAYOUT.replace("LEAVE", LEAVE)},
        {"trial/tip/email.html": "{% include 'foot.html' %}", "foot.html": LEAVE},
        {"trial/tip/email.html": "<a href=\"{{ links['preferences'] }}\">Choose</a>"},
        {"trial/tip/email.html": "{% if links.unsubscribe %}x{% endif %}"},
        {"trial/tip/email.html": "x", "trial/tip/email.txt": "{{ links.unsubscribe }}"},
        {
            "trial/tip/email.html": "<p>A tip.</p>",
            "trial/journey.yaml": tip("at: start + 2 days", "transactional: true"),
        },
        {
            "trial/tip/email.html": "<p>A tip.</p>",
            "trial/journey.yaml": tip("at: start + 2 days", "channels: [sms]"),
        },
    ],
)
def test_one_with_a_link_anywhere_or_that_needs_none_is_not(
    write: Write, files: dict[str, str]
) -> None:
    assert warnings(write, files) == ()


def test_a_message_that_two_steps_send_is_told_once(write: Write) -> None:
    step = "  - {send: tip, id: again, at: start + 9 days}\n"
    files = {"trial/tip/email.html": "<p>A tip.</p>", "trial/journey.yaml": JOURNEY + step}
    assert len(warnings(write, files)) == 1


def test_a_marketing_text_that_nobody_can_stop_is_told(write: Write) -> None:
    [warning] = warnings(write, {"trial/tip/sms.txt": "A tip."})
    assert (warning.file, warning.line) == ("trial/journey.yaml", 10)
    assert "`tip/sms.txt` is marketing" in warning.message
    assert "sms: {stop_text: {en: Reply STOP to end}}" in warning.message


@pytest.mark.parametrize(
    ("stop", "text", "told"),
    [
        ("{en: Reply STOP to end}", "A tip.", False),
        ("{fr: STOP}", "A tip.", True),
        ("{fr: STOP}", "A tip. Stop: answer STOP.", False),
        ("{fr: STOP}", "A tip: nonstop.", True),
        ("{fr: STOP}", "A tip. {{ links.unsubscribe }}", False),
    ],
)
def test_a_text_of_the_policy_helps_in_its_language(
    write: Write, stop: str, text: str, *, told: bool
) -> None:
    policy = f"{POLICY}sms: {{stop_text: {stop}}}\n"
    found = warnings(write, {"policy.yaml": policy, "trial/tip/sms.txt": text})
    assert [each.file for each in found] == ["trial/journey.yaml"] * told


# --- Quiet hours ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quiet", "step", "hours"),
    [
        ("22:00-08:00", ["at: start + 2 days", "grace: 9 hours"], 10),
        ("22:00-08:00", ["after_idle: 10 days", "grace: 1 hour"], 10),
        ("{hours: 22:00-08:00, days: sun}", ["at: start + 2 days"], 34),
        ("{days: 'sat,sun'}", ["at: start + 2 days"], 48),
        ("21:00-08:00", ["at: start + 2 days at 07:30", "grace: 10 minutes"], 1),
        ("12:00-14:00", ["at: start + 2 days", "between: 11:00-15:00", "grace: 90 minutes"], 2),
        # The window closes before the quiet hours end, so the next one is meant.
        ("12:00-18:00", ["at: start + 2 days", "between: 09:00-17:00", "grace: 6 hours"], 21),
    ],
)
def test_a_grace_that_quiet_hours_outlast_is_told(
    write: Write, quiet: str, step: list[str], hours: int
) -> None:
    policy = f"{POLICY}quiet_hours: {{sms: {quiet}}}\n"
    files = {"policy.yaml": policy, "trial/journey.yaml": tip(*step, "channels: [sms]")}
    [warning] = warnings(write, files)
    line = next((n for n, each in enumerate(step, 11) if each.startswith("grace")), 10)
    assert (warning.file, warning.line) == ("trial/journey.yaml", line)
    assert f"held up for {hours} hours by the quiet hours of `sms`" in warning.message
    assert f"`grace: {hours} hours` or more" in warning.message


@pytest.mark.parametrize(
    ("quiet", "step"),
    [
        ("22:00-08:00", ["at: start + 2 days", "grace: 10 hours", "channels: [sms]"]),
        ("22:00-08:00", ["at: start + 2 days at 09:00", "grace: 1 hour", "channels: [sms]"]),
        ("22:00-08:00", ["at: start", "between: 09:00-18:00", "grace: 1 hour", "channels: [sms]"]),
        ("{days: sun}", ["at: start", "days: mon-fri", "grace: 1 hour", "channels: [sms]"]),
        ("22:00-08:00", ["at: start + 2 days", "grace: 1 hour", "channels: [sms, email]"]),
        ("22:00-08:00", ["at: start + 2 days", "grace: 1 hour"]),
        ("22:00-08:00", ["at: start", "grace: 1 hour", "channels: [sms]", "transactional: true"]),
    ],
)
def test_one_that_is_long_enough_or_meets_none_is_not(
    write: Write, quiet: str, step: list[str]
) -> None:
    policy = f"{POLICY}quiet_hours: {{sms: {quiet}}}\n"
    files = {"policy.yaml": policy, "trial/journey.yaml": tip(*step)}
    assert warnings(write, files) == ()


# --- Idle for an hour ----------------------------------------------------------------------


def test_marketing_after_every_short_pause_is_told_unless_a_cap_holds_it(write: Write) -> None:
    files = {"trial/journey.yaml": tip("after_idle: 2 hours", "repeat: true")}
    [warning] = warnings(write, files)
    assert (warning.file, warning.line) == ("trial/journey.yaml", 11)
    assert "after every `2 hours` without activity" in warning.message
    capped = {**files, "policy.yaml": f"{POLICY}caps: [{{max: 1, per: 1 day}}]\n"}
    assert warnings(write, capped) == ()
    elsewhere = f"{POLICY}caps: [{{max: 1, per: 1 day, topic: news}}]\n"
    assert len(warnings(write, {**files, "policy.yaml": elsewhere})) == 1


@pytest.mark.parametrize(
    "step",
    [
        ["after_idle: 2 hours"],
        ["after_idle: 24 hours", "repeat: true"],
        ["after_idle: 2 hours", "repeat: true", "transactional: true"],
    ],
)
def test_once_or_a_day_apart_or_owed_it_is_not(write: Write, step: list[str]) -> None:
    assert warnings(write, {"trial/journey.yaml": tip(*step)}) == ()


# --- Who goes first ------------------------------------------------------------------------

OTHER = JOURNEY.replace("journey: trial\n", "journey: other\n")
MESSAGES = {
    f"other/{message}/{file}": text
    for message in ("thanks", "tip")
    for file, text in (("subject.txt", "A subject"), ("email.html", LEAVE))
}
DAILY = f"{POLICY}caps:\n  - {{max: 9, per: 7 days}}\n  - {{max: 1, per: 1 day}}\n"


def test_two_journeys_that_want_the_same_room_are_told_at_the_cap(write: Write) -> None:
    files = {**MESSAGES, "policy.yaml": DAILY, "other/journey.yaml": OTHER}
    [warning] = warnings(write, files)
    assert (warning.file, warning.line) == ("policy.yaml", 11)
    assert warning.message.startswith(
        "`other` and `trial` may both have a message due on one day, and want 2 in a stretch in "
        "which this cap lets 1 out"
    )
    assert "give the journey that matters more a `priority`, such as `priority: 10`" in str(warning)


@pytest.mark.parametrize(
    "cap",
    [
        "{max: 3, per: 7 days}",
        "{max: 3, per: calendar week, topic: onboarding}",
        "{max: 1, per: calendar day, channel: email}",
    ],
)
def test_what_a_journey_wants_in_a_stretch_is_counted(write: Write, cap: str) -> None:
    policy = f"{POLICY}caps: [{cap}]\n"
    assert len(warnings(write, {**MESSAGES, "policy.yaml": policy, "other/journey.yaml": OTHER}))


@pytest.mark.parametrize(
    "cap",
    [
        "{max: 4, per: 7 days}",
        "{max: 2, per: 1 day}",
        "{max: 1, per: 1 day, topic: news}",
        "{max: 1, per: 1 day, channel: sms}",  # `other` has none
    ],
)
def test_where_there_is_room_for_both_nothing_is_told(write: Write, cap: str) -> None:
    policy = f"{POLICY}caps: [{cap}]\n"
    files = {**MESSAGES, "policy.yaml": policy, "other/journey.yaml": OTHER}
    assert warnings(write, files) == ()


@pytest.mark.parametrize(
    "changed",
    [
        OTHER.replace("steps:\n", "priority: 10\nsteps:\n"),
        OTHER.replace("steps:\n", "priority: 0\nsteps:\n"),  # somebody thought of it
        OTHER.replace("    at: start + 1 day\n", "    at: start + 1 day\n    priority: 5\n"),
        OTHER.replace("topic: onboarding", "transactional: true"),
        OTHER.replace("1 day", "5 days").replace("2 days", "6 days"),  # after the same start
    ],
)
def test_where_somebody_has_said_who_goes_first_or_they_never_meet_neither(
    write: Write, changed: str
) -> None:
    files = {**MESSAGES, "policy.yaml": DAILY, "other/journey.yaml": changed}
    assert warnings(write, files) == ()


@pytest.mark.parametrize(
    "changed",
    [
        OTHER.replace("1 day", "5 days").replace("2 days", "6 days").replace("trial_st", "x_st"),
        OTHER.replace("1 day", "5 days").replace("2 days", "130 hours"),
        OTHER.replace("1 day", "5 days").replace("start + 2 days", "thanks - 4 days"),
        OTHER.replace("1 day", "5 days").replace("start + 2 days", "customer.birthday"),
        OTHER.replace("1 day", "5 days").replace("start + 2 days", "start\n    repeat: weekly"),
    ],
)
def test_another_start_or_a_time_that_nobody_knows_may_always_meet(
    write: Write, changed: str
) -> None:
    files = {**MESSAGES, "policy.yaml": DAILY, "other/journey.yaml": changed}
    assert [each.file for each in warnings(write, files)] == ["policy.yaml"]

"""`scenarios.yaml` into calls and what must come of them, or into every mistake in it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from authoring.folder import load_journeys
from authoring.mistakes import JourneysInvalid
from authoring.scenario_lines import ExpectedDecision, ExpectedEnding
from authoring.scenarios import Scenario, slug
from engine.calls import ChangeConsent, EnrollByHand, FollowLink, Identify, Track, UseCoupon
from engine.reasons import Decision, Ending, Reason
from tests.authoring.right_folder import JOURNEY, POLICY, Write

HEAD = """\
scenarios:
  - scenario: The buyer on day 4
    customer: {email: ada@example.com, timezone: Europe/Paris, ends: 2026-12-23}
    starts: 2026-11-23 09:00
"""  # the next line is 5
GETS = "    gets:\n      - {at: 1 day, sent: thanks}\n"
START = datetime(2026, 11, 23, 8, tzinfo=UTC)  # 09:00 in Paris


def _scenarios(write: Write, text: str, journey: str = JOURNEY) -> tuple[Scenario, ...]:
    root = write({"trial/scenarios.yaml": text, "trial/journey.yaml": journey})
    return load_journeys(root).journeys["trial"].scenarios


def _scenario(write: Write, text: str) -> Scenario:
    [scenario] = _scenarios(write, text)
    return scenario


def _mistakes(write: Write, text: str, journey: str = JOURNEY) -> list[tuple[int | None, str]]:
    with pytest.raises(JourneysInvalid) as caught:
        _scenarios(write, text, journey)
    assert {m.file for m in caught.value.mistakes} == {"trial/scenarios.yaml"}
    return [(m.line, m.message) for m in caught.value.mistakes]


def test_a_customer_is_identified_just_before_the_start_event(write: Write) -> None:
    scenario = _scenario(write, HEAD + "    with: {plan: pro}\n" + GETS)
    identify, start = scenario.calls
    assert isinstance(identify, Identify)
    assert identify.traits == {
        "email": "ada@example.com", "timezone": "Europe/Paris", "ends": "2026-12-23",
    }  # fmt: skip
    assert isinstance(start, Track)
    assert (start.event, start.properties) == ("trial_started", {"plan": "pro"})
    assert identify.at == start.at == START
    assert (scenario.name, scenario.journey) == ("The buyer on day 4", "trial")
    assert (scenario.file, scenario.line) == ("trial/scenarios.yaml", 2)


@pytest.mark.parametrize("starts_on", ["customer.created", "{enters: paying}"])
def test_what_parcours_itself_reports_is_no_call_of_the_scenario(
    write: Write, starts_on: str
) -> None:
    journey = JOURNEY.replace("starts_on: trial_started", f"starts_on: {starts_on}")
    files = {
        "policy.yaml": POLICY + "segments:\n  paying: {when: customer.paying}\n",
        "trial/journey.yaml": journey,
        "trial/scenarios.yaml": HEAD + GETS,
    }
    [scenario] = load_journeys(write(files)).journeys["trial"].scenarios
    assert [type(call) for call in scenario.calls] == [Identify]
    wrong = {**files, "trial/scenarios.yaml": HEAD + "    with: {plan: pro}\n" + GETS}
    with pytest.raises(JourneysInvalid, match="nobody sends `"):
        load_journeys(write(wrong))


def test_calls_come_in_time_order_with_ids_that_stay_the_same(write: Write) -> None:
    text = HEAD + (
        "    happens:\n"
        "      - {after: 8 days, identify: {ends: 2027-01-15, phone: }}\n"
        "      - {after: 4 days, track: bought, with: {total: 50}}\n"
        "      - {after: 4 days, unsubscribe: onboarding}\n"
        "      - {after: 5 days, unsubscribe: all}\n"
        "      - {after: 6 days, subscribe: news}\n"
    )
    scenario = _scenario(write, text + GETS)
    assert scenario.customer_id == "the-buyer-on-day-4"
    assert [call.message_id for call in scenario.calls] == [
        f"trial/the-buyer-on-day-4/{n}" for n in range(1, 8)
    ]
    _, _, bought, left, left_all, joined, identified = scenario.calls
    assert isinstance(bought, Track)
    assert bought.properties == {"total": 50}
    assert bought.at == START + timedelta(days=4)
    assert isinstance(left, ChangeConsent)
    assert (left.topic, left.channel, left.subscribed) == ("onboarding", None, False)
    assert isinstance(left_all, ChangeConsent)
    assert (left_all.topic, left_all.subscribed) == (None, False)
    assert isinstance(joined, ChangeConsent)
    assert (joined.topic, joined.subscribed) == ("news", True)
    assert isinstance(identified, Identify)
    assert identified.traits == {"ends": "2027-01-15", "phone": None}
    assert scenario.calls == _scenario(write, text + GETS).calls


def test_every_counts_from_the_start_and_ends_with_until(write: Write) -> None:
    text = HEAD + "    happens: [{every: 10 days, until: 30 days, track: opened}]\n" + GETS
    times = [call.at for call in _scenario(write, text).calls[2:]]
    assert times == [START + timedelta(days=days) for days in (10, 20, 30)]


def test_month_ends_do_not_creep(write: Write) -> None:
    text = HEAD.replace("2026-11-23", "2027-01-31") + (
        "    happens: [{every: 1 month, until: 3 months, track: opened}]\n"
    )
    days = [call.at.date().isoformat() for call in _scenario(write, text + GETS).calls[2:]]
    assert days == ["2027-02-28", "2027-03-31", "2027-04-30"]


def test_days_are_the_customers_calendar_across_dst(write: Write) -> None:
    text = HEAD.replace("2026-11-23", "2027-03-27") + (
        "    happens: [{after: 1 day, track: opened}, {after: 24 hours, track: opened}]\n"
    )
    first, second = _scenario(write, text + GETS).calls[2:]
    assert second.at - first.at == timedelta(hours=1)


def test_by_hand_the_journey_begins_before_the_customer_is_enrolled(write: Write) -> None:
    text = HEAD + "    enrolled: 3 weeks\n    with: {plan: pro}\n" + GETS
    identify, by_hand = _scenario(write, text).calls
    assert identify.at == START
    assert isinstance(by_hand, EnrollByHand)
    assert by_hand.at == START + timedelta(weeks=3)
    assert by_hand.start_at == START
    assert (by_hand.journey, by_hand.properties) == ("trial", {"plan": "pro"})


def test_a_segment_is_entered_by_what_happens(write: Write) -> None:
    story = HEAD + "    happens:\n      - {after: 0 days, track: bought}\n"
    files = {
        "policy.yaml": POLICY + "segments:\n  buyers: {when: count('bought') == 1}\n",
        "trial/journey.yaml": JOURNEY.replace("on: trial_started", "on: {enters: buyers}"),
        "trial/scenarios.yaml": story + GETS,
    }
    [scenario] = load_journeys(write(files)).journeys["trial"].scenarios
    identify, bought = scenario.calls
    assert isinstance(identify, Identify)
    assert isinstance(bought, Track)
    assert (bought.event, bought.at) == ("bought", START)
    files["trial/scenarios.yaml"] = f"{story}    with: {{plan: pro}}\n{GETS}"
    with pytest.raises(JourneysInvalid) as caught:
        load_journeys(write(files))
    [mistake] = caught.value.mistakes
    assert mistake.line == 7
    assert mistake.message.startswith("nobody sends `segment.entered`")


def test_what_is_expected_is_read_in_the_customers_zone(write: Write) -> None:
    text = HEAD + (
        "    gets:\n"
        "      - {at: 2026-11-24 09:00, sent: thanks}\n"
        "      - {at: 2 days, not_sent: tip, reason: expired}\n"
        '      - {at: "2026-11-27T08:00:00Z", enrollment: converted}\n'
    )
    assert _scenario(write, text).expected == (
        ExpectedDecision(START + timedelta(days=1), "thanks", Decision.SENT, None, 6),
        ExpectedDecision(START + timedelta(days=2), "tip", Decision.NOT_SENT, Reason.EXPIRED, 7),
        ExpectedEnding(START + timedelta(days=4), Ending.CONVERTED, 8),
    )


@pytest.mark.parametrize("zone", ["", "timezone: Nowhere/City"])
def test_without_a_known_zone_times_are_the_policys(write: Write, zone: str) -> None:
    text = HEAD.replace("timezone: Europe/Paris", zone or "plan: x") + GETS
    assert _scenario(write, text).calls[0].at == START


def test_a_scenario_is_looked_at_for_400_days_or_until_it_says(write: Write) -> None:
    assert _scenario(write, HEAD + GETS).until == START + timedelta(days=400)
    text = HEAD + "    until: 60 days\n" + GETS
    assert _scenario(write, text).until == START + timedelta(days=60)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("gest: []", "unknown key `gest`, did you mean `gets`?"),
        ("enrolled: 3 wekes", "unknown unit `wekes`, did you mean `weeks`?"),
        ("until: tomorrow", "`until: tomorrow` is not a time"),
        ("with: x", "`with`: expected keys with values, found `x`"),
        ("happens: x", "`happens`: expected a list"),
        ("happens: [{after: 1 day}]", "exactly one of `track`, `identify`"),
        ("happens: [{track: x}]", "exactly one of `after`, `every`"),
        ("happens: [{after: 1 dya, track: x}]", "did you mean `day`?"),
        ("happens: [{after: 1 day, trak: x}]", "unknown key `trak`, did you mean `track`?"),
        ("happens: [{after: 1 day, track: x, identify: {a: 1}}]", "not `track` and `identify`"),
        ("happens: [{after: 1 day, every: 1 day, track: x}]", "not `after` and `every`"),
        ("happens: [{every: 1 day, track: x}]", "`every` and `until` belong together"),
        ("happens: [{after: 1 day, until: 2 days, track: x}]", "belong together"),
        ("happens: [{every: 0 days, until: 2 days, track: x}]", "never ends"),
        ("happens: [{every: 3 days, until: 2 days, track: x}]", "happens never"),
        ("happens: [{every: 1 minute, until: 1 year, track: x}]", "more than 10000 times"),
        ("happens: [{after: 1 day, identify: {a: 1}, with: {b: 1}}]", "`with` belongs to `track`"),
        ("happens: [{after: 1 day, track: message.clicked}]", "a reserved name"),
        ("happens: [{after: 1 day, click: tpi}]", "there is no step `tpi`, did you mean `tip`?"),
        ("happens: [{after: 1 day, redeem: tip}]", "`tip` makes no `offer`"),
        ("happens: [{after: 1 day, click: tip, track: x}]", "not `track` and `click`"),
        ("happens: [{after: 1 day, click: tip, with: {order: x}}]", "nothing but `url` is told"),
        ("happens: [{after: 1 day, click: tip, with: {url: 1}}]", "`url: 1` is not a text"),
        ("happens: [{after: 1 day, click: tip, key: x}]", "the journey has no `key`"),
        ("happens: [{after: 1 day, track: x, key: x}]", "`key` belongs to `click` or `redeem`"),
        ("happens: [{after: 1 day, unsubscribe: newz}]", "unknown topic `newz`, did you mean"),
        ("happens: [opened]", "expected keys with values here"),
    ],
)
def test_a_mistake_in_a_scenario_has_its_line(write: Write, line: str, message: str) -> None:
    [(found_line, found)] = _mistakes(write, f"{HEAD}    {line}\n{GETS}")
    assert found_line == 5
    assert message in found


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{at: 1 day, sent: thansk}", "there is no step `thansk`, did you mean `thanks`?"),
        ("{at: 1 dya, sent: thanks}", "write `2026-11-24 09:00`, or how long after the start"),
        ("{at: 2026-13-24 09:00, sent: thanks}", "is not a time"),
        ("{sent: thanks}", "the key `at` is missing: write for example `at: 2 days`"),
        ("{at: 1 day}", "exactly one of `sent`, `not_sent`"),
        ("{at: 1 day, sent: thanks, enrollment: exited}", "not `sent` and `enrollment`"),
        ("{at: 1 day, not_sent: thanks}", "needs a reason, such as `reason: expired`"),
        ("{at: 1 day, not_sent: thanks, reason: late}", "unknown reason `late`"),
        ("{at: 1 day, not_sent: thanks, reason: expird}", "did you mean `expired`?"),
        ("{at: 1 day, sent: thanks, reason: expired}", "`reason` belongs to `not_sent`"),
        ("{at: 1 day, enrollment: entered}", "write one of `completed`, `exited`"),
        ("{at: 1 day, snet: thanks}", "unknown key `snet`, did you mean `sent`?"),
        ("{at: 1, sent: thanks}", "`at`: expected text, found `1`; if it is meant as text"),
        ("thanks", "expected keys with values here"),
    ],
)
def test_a_mistake_in_what_is_expected_has_its_line(write: Write, line: str, message: str) -> None:
    [(found_line, found)] = _mistakes(write, f"{HEAD}    gets:\n      - {line}\n")
    assert found_line == 6
    assert message in found


COUPONS = JOURNEY.replace(
    "steps:\n",
    "key: plan\nsteps:\n"
    "  - {send: coupon, at: start, offer: {percent: 5, valid: 1 day}}\n"
    "  - {id: receipt, send: thanks, at: start, transactional: true}\n"
    "  - {id: mark, set: {a: 1}, at: start}\n",
)
MORE = {"trial/coupon/subject.txt": "5 %", "trial/coupon/email.html": "<p>{{ offer.code }}</p>"}


def test_a_link_is_followed_and_a_coupon_used_by_the_step_that_sent_them(write: Write) -> None:
    text = HEAD + (
        "    happens:\n"
        "      - {after: 2 days, redeem: coupon, key: 7, with: {order: o-1}}\n"
        "      - {every: 1 day, until: 2 days, click: tip, with: {url: https://a.example}}\n"
    )
    files = {"trial/scenarios.yaml": text + GETS, "trial/journey.yaml": COUPONS, **MORE}
    [scenario] = load_journeys(write(files)).journeys["trial"].scenarios
    _, _, first, used, second = scenario.calls
    assert isinstance(first, FollowLink)
    assert (first.journey, first.step, first.url) == ("trial", "tip", "https://a.example")
    assert (first.key, first.at) == (None, START + timedelta(days=1))
    assert isinstance(used, UseCoupon)
    assert (used.step, used.key, used.order) == ("coupon", "7", "o-1")
    assert second == replace(first, at=START + timedelta(days=2), message_id=second.message_id)
    assert scenario.lines == (2, 2, 7, 6, 7)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("click: mark", "`mark` sends no message, so there is nothing to click"),
        ("click: receipt", "`receipt` is transactional"),
        ("redeem: receipt", "`receipt` makes no `offer`"),
    ],
)
def test_what_can_never_be_clicked_or_redeemed_is_told_at_once(
    write: Write, line: str, message: str
) -> None:
    text = f"{HEAD}    happens: [{{after: 1 day, {line}}}]\n{GETS}"
    files = {"trial/scenarios.yaml": text, "trial/journey.yaml": COUPONS, **MORE}
    with pytest.raises(JourneysInvalid) as caught:
        load_journeys(write(files))
    [mistake] = caught.value.mistakes
    assert (mistake.file, mistake.line) == ("trial/scenarios.yaml", 5)
    assert message in mistake.message


def test_what_is_expected_is_written_in_order(write: Write) -> None:
    [(line, message)] = _mistakes(write, HEAD + GETS + "      - {at: 3 hours, sent: tip}\n")
    assert line == 7
    assert "before the line above it" in message


@pytest.mark.parametrize("starts", ["tomorrow", "2026-02-30 09:00", "9:00"])
def test_a_start_that_is_no_time_is_told_once(write: Write, starts: str) -> None:
    [(line, message)] = _mistakes(write, HEAD.replace("2026-11-23 09:00", starts) + GETS)
    assert line == 4
    assert "write it like `2026-11-23 09:00`" in message


def test_two_scenarios_may_not_make_the_same_claim(write: Write) -> None:
    body = HEAD.removeprefix("scenarios:\n") + GETS
    [(line, message)] = _mistakes(write, f"scenarios:\n{body}{body}")
    assert line == 7
    assert "the first is in line 2" in message


def test_mistakes_in_several_scenarios_come_at_once(write: Write) -> None:
    body = HEAD.removeprefix("scenarios:\n") + GETS.replace("thanks", "thx")
    text = f"scenarios:\n{body}{body.replace('day 4', 'day 5').replace('starts', 'strats')}"
    assert [line for line, _ in _mistakes(write, text)] == [6, 9, 11]


def test_a_file_without_scenarios_is_told(write: Write) -> None:
    assert _mistakes(write, "- scenario: x\n")[0][1].startswith("expected `scenarios:`")


def test_a_journey_without_a_start_event_is_enrolled_by_hand(write: Write) -> None:
    by_hand = JOURNEY.replace("starts_on: trial_started\n", "")
    [(line, message)] = _mistakes(write, HEAD + GETS, by_hand)
    assert line == 2
    assert "write `enrolled: 0 days`" in message
    [scenario] = _scenarios(write, HEAD + "    enrolled: 0 days\n" + GETS, by_hand)
    assert isinstance(scenario.calls[1], EnrollByHand)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("The buyer on day 4", "the-buyer-on-day-4"),
        ("Béla's « trial »!", "bela-s-trial"),
        ("東京", "130016"),
    ],
)
def test_a_slug_is_plain(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_long_names_stay_apart_when_cut() -> None:
    first, second = slug("x" * 100), slug("x" * 101)
    assert first != second
    assert max(len(first), len(second)) <= 64

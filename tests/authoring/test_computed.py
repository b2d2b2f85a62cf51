"""`traits` and `segments` of the policy file, and the journeys that name them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from authoring.folder import load_journeys
from authoring.mistakes import JourneysInvalid
from authoring.policy_file import read_policy
from authoring.source import Source, open_source
from engine.computable import Kind
from engine.policy import Policy
from tests.authoring.right_folder import JOURNEY, POLICY

Write = Callable[..., Path]

TRAITS = """\
traits:
  orders: {count: order_completed}
  recent_orders: {count: order_completed, within: 90 days, where: event.total > 10}
  spent: {sum: order_completed, of: total}
  first_order_at: {first: order_completed}
  last_category: {last: order_completed, of: category}
  favourite_category: {favourite: product_viewed, of: category}
  usual_interval: {interval: order_completed}
  usual_next_order_at: {next: order_completed}
  season: {season: holiday_searched, apart: 4 months}
  rfm:
    rfm: order_completed
    of: total
    within: 1 year
    recency: [180 days, 60 days]
    frequency: [2, 5]
    money: [100, 499.50]
"""
SEGMENTS = """\
segments:
  lapsed:
    title: Have not bought for long
    when: customer.orders > 0 and count('order_completed', '90 days') == 0
"""


def _read(text: str) -> tuple[Policy | None, list[tuple[int | None, str]]]:
    source = open_source("policy.yaml", POLICY + text)
    assert isinstance(source, Source)
    policy, _ = read_policy(source)
    return policy, [(m.line, m.message) for m in source.mistakes]


def test_every_kind_is_read_and_written_again_the_same() -> None:
    policy, mistakes = _read(TRAITS + SEGMENTS)
    assert mistakes == []
    assert policy is not None
    assert {trait.kind for trait in policy.traits.values()} == set(Kind)
    assert policy.traits["recent_orders"].event == "order_completed"
    assert Policy.model_validate(policy.model_dump(mode="json")) == policy


def test_a_mistake_in_one_definition_has_its_own_line_and_hides_none_in_another() -> None:
    text = "traits:\n  a: {cuont: bought}\n  b: {count: bought, where: customer.x}\n"
    _, mistakes = _read(text + "segments:\n  c: {when: 'sent(1)'}\n")
    assert [line for line, _ in mistakes] == [10, 11, 13]


@pytest.mark.parametrize(
    ("trait", "message"),
    [
        ("{cuont: bought}", "unknown key `cuont`, did you mean `count`?"),
        ("{within: 3 days}", "a computed trait has exactly one of `count`, `sum`, `first`, `last`"),
        ("{count: bought, sum: bought, of: total}", "not `count` and `sum`"),
        ("{sum: bought}", "`sum` needs `of`: add `of: total`"),
        ("{favourite: viewed}", "`favourite` needs `of`"),
        ("{season: searched}", "`season` needs `apart`: add `apart: 4 months`"),
        ("{rfm: bought, of: total, within: 1 year}", "`rfm` needs `recency`"),
        ("{count: bought, of: total}", "`of` means nothing with `count`: remove it"),
        ("{last: bought, within: 3 days}", "`within` means nothing with `last`: remove it"),
        ("{count: bought, within: 3 dyas}", "unknown unit `dyas`, did you mean `days`?"),
        ("{count: bought, within: 0 days}", "`within` needs some time"),
        ("{count: ''}", "`count` is empty"),
        ("{count: bought, where: customer.plan == 'pro'}", "which sees only `event`"),
        ("{count: bought, where: count('a') > 1}", "`count(…)` can't be used"),
        ("{count: bought, where: event.total = 3}", "to compare, write `==`"),
        ("{count: message.clikced}", "did you mean `message.clicked`?"),
        ("{count: segment.entered}", "it comes of what is computed"),
        ("count", "expected keys with values, found `count`"),
    ],
)
def test_a_trait_that_can_t_be_meant_is_told_once(trait: str, message: str) -> None:
    [(line, told)] = _read(f"traits:\n  a: {trait}\n")[1]
    assert line == 10
    assert message in told


@pytest.mark.parametrize(
    ("lists", "key"),
    [
        ("recency: [60 days, 180 days], frequency: [2], money: [1]", "recency"),
        ("recency: [60 days], frequency: [2, 2], money: [1]", "frequency"),
        ("recency: [60 days], frequency: [2], money: []", "money"),
    ],
)
def test_classes_are_separated_in_order(lists: str, key: str) -> None:
    [(_, told)] = _read(f"traits:\n  a: {{rfm: bought, of: total, within: 1 year, {lists}}}\n")[1]
    assert f"`{key}` lists what separates the classes" in told


@pytest.mark.parametrize("name", ["Orders", "my-orders", "2nd", "a.b"])
def test_a_trait_s_name_is_one_that_a_condition_can_say(name: str) -> None:
    [(line, told)] = _read(f"traits:\n  {name}: {{count: bought}}\n")[1]
    assert line == 10
    assert f"`{name}` is not a trait's name" in told


@pytest.mark.parametrize("name", ["email", "phone", "timezone", "locale", "company"])
def test_what_parcours_itself_reads_is_not_computed(name: str) -> None:
    [(_, told)] = _read(f"traits:\n  {name}: {{last: signed_up, of: said}}\n")[1]
    assert f"`{name}` can't be computed" in told


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("{wehn: customer.a}", "unknown key `wehn`, did you mean `when`?"),
        ("{title: Loyal}", "the key `when` is missing"),
        ("{when: event.total > 5}", "`event` can't be used in a segment"),
        ("{when: inside('other')}", "`inside(…)` can't be used in a segment"),
        ("{when: customer.company.plan == 'pro'}", "a company's traits change without"),
        ("{when: count('segment.left') > 1}", "it comes of what is computed"),
    ],
)
def test_a_segment_that_can_t_be_meant_is_told_once(segment: str, message: str) -> None:
    [(line, told)] = _read(f"segments:\n  a: {segment}\n")[1]
    assert line == 10
    assert message in told


def _journey(starts_on: str, step: str = "") -> dict[str, str]:
    journey = JOURNEY.replace("starts_on: trial_started", f"starts_on: {starts_on}")
    return {"policy.yaml": POLICY + TRAITS + SEGMENTS, "trial/journey.yaml": journey + step}


def _mistakes(root: Path) -> list[str]:
    with pytest.raises(JourneysInvalid) as caught:
        load_journeys(root)
    return [mistake.message for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("starts_on", "where"),
    [
        ("{enters: lapsed}", "event.segment == 'lapsed'"),
        ("[{enters: lapsed}]", "event.segment == 'lapsed'"),
        (
            "{enters: lapsed, where: customer.a or customer.b}",
            "event.segment == 'lapsed' and (customer.a or customer.b)",
        ),
    ],
)
def test_entering_is_an_event_of_that_segment(write: Write, starts_on: str, where: str) -> None:
    loaded = load_journeys(write(_journey(starts_on)))
    [match] = loaded.journeys["trial"].journey.starts_on
    assert (match.event, match.where) == ("segment.entered", where)


def test_leaving_ends_a_journey_and_fires_steps(write: Write) -> None:
    step = "  - {send: tip, id: back, after_event: {leaves: lapsed}, wait: 1 day}\n"
    files = _journey("{enters: lapsed}\nends_on: {leaves: lapsed}", step)
    journey = load_journeys(write(files)).journeys["trial"].journey
    assert journey.ends_on[0].event == "segment.left"
    [match] = journey.step("back").after_event or ()
    assert (match.event, str(match.wait)) == ("segment.left", "1 day")


@pytest.mark.parametrize(
    ("starts_on", "message"),
    [
        ("{enters: lapsde}", "unknown segment `lapsde`, did you mean `lapsed`?"),
        ("{enters: Lapsed!}", "`enters: Lapsed!` is not a segment"),
        ("{enters: lapsed, event: bought}", "`enters` and `event` name one event each"),
        ("{enters: lapsed, leaves: lapsed}", "`enters` and `leaves` name one event each"),
        ("{enters: lapsed, where: customer.a) or (event.b}", "unexpected ')'"),
    ],
)
def test_a_segment_that_is_not_there_is_told_with_those_that_are(
    write: Write, starts_on: str, message: str
) -> None:
    [mistake] = _mistakes(write(_journey(starts_on)))
    assert message in mistake


def test_a_step_asks_only_about_segments_that_there_are(write: Write) -> None:
    step = "  - {send: tip, id: more, at: start, when: \"inside('{}')\"}\n"
    load_journeys(write(_journey("{enters: lapsed}", step.replace("{}", "lapsed"))))
    [mistake] = _mistakes(write(_journey("{enters: lapsed}", step.replace("{}", "loyal"))))
    assert "unknown segment `loyal`: policy.yaml has `lapsed`" in mistake


def test_without_segments_it_is_said_where_they_belong(write: Write) -> None:
    journey = JOURNEY.replace("starts_on: trial_started", "starts_on: {enters: lapsed}")
    [mistake] = _mistakes(write({"trial/journey.yaml": journey}))
    assert mistake == "unknown segment `lapsed`; add it to `segments` in policy.yaml"


def test_a_computed_trait_is_not_set(write: Write) -> None:
    step = "  - {id: wrong, set: {orders: 0, plan: pro}, at: start}\n"
    [mistake] = _mistakes(write(_journey("{enters: lapsed}", step)))
    assert "`orders` is computed" in mistake


def test_a_message_may_print_what_is_nought_for_those_who_did_nothing(write: Write) -> None:
    files = _journey("{enters: lapsed}")
    traits = "traits:\n  orders: {count: bought}\n  last_order_at: {last: bought}\n"
    files["policy.yaml"] = POLICY + traits + SEGMENTS
    text = "<p>{{ customer.orders }} orders, the last on {{ customer.last_order_at | date }}</p>"
    [warning] = load_journeys(write(files | {"trial/tip/email.html": text})).warnings
    assert "nothing stands in for `customer.last_order_at`" in warning.message


def test_what_is_computed_for_nobody_is_a_warning(write: Write) -> None:
    policy = POLICY + "traits:\n  orders: {count: bought}\n  spent: {sum: bought, of: total}\n"
    files = {"policy.yaml": f"{policy}segments:\n  loyal: {{when: customer.orders > 5}}\n"}
    warnings = load_journeys(write(files)).warnings
    assert [(each.file, each.line) for each in warnings] == [
        ("policy.yaml", 11),
        ("policy.yaml", 13),
    ]
    assert "looks at `customer.spent`" in warnings[0].message
    assert "looks at the segment `loyal`" in warnings[1].message
    used = JOURNEY.replace("starts_on: trial_started", "starts_on: {enters: loyal}")
    thanks = "<p>{{ customer['spent'] | default(0) }}</p>"
    files |= {"trial/journey.yaml": used, "trial/thanks/email.html": thanks}
    assert load_journeys(write(files)).warnings == ()

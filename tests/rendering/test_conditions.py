"""Conditions mean what design.md says, and say what is wrong with them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.expressions import Duration, parse_duration
from engine.matching import ConditionFailed, History
from engine.memberships import MadeOf
from rendering.conditions import ConditionContext, Kind, compile_condition, counted, evaluate
from rendering.errors import ConditionError, ConditionSyntaxError

CUSTOMER = {"plan": "trial", "seats": 3, "tags": ["vip"], "company": {"plan": "pro"}, "null": None}
EVENT = {"total": 60, "items": [{"sku": "a"}]}


def holds(text: str) -> bool:
    return compile_condition(text).evaluate(ConditionContext(CUSTOMER, EVENT))


@pytest.mark.parametrize(
    "text",
    [
        "customer.plan == 'trial' and event.total > 50",
        "customer.company.plan == 'pro'",
        "event.items[0].sku == 'a'",
        "'vip' in customer.tags",
        "customer.plan in ['trial', 'free']",
        "customer.seats * 10 >= 30",
        "not customer.unknown",
        "customer.unknown == none",
        "customer.null == none",
        "customer.unknown == customer.null",
        "customer.unknown.deep.deeper is none",
        "customer.plan != none",
        "customer.unknown != 'x'",
        "customer.unknown | default(7) == 7",
        "customer.plan | upper == 'TRIAL'",
        "1 < customer.seats < 5",
        "event.items | having('sku', 'a')",
        "event.items | having('sku') | length == 1",
    ],
)
def test_it_holds(text: str) -> None:
    assert holds(text) is True


@pytest.mark.parametrize(
    "text",
    [
        "none > 50",
        "none < 50",
        "customer.unknown > 50",
        "customer.unknown <= 50",
        "50 > customer.unknown",
        "'a' < customer.unknown",
        "customer.unknown >= customer.null",
        "customer.company.seats > 5",
        "customer.unknown.deep > 5",
        "'vip' in customer.unknown",
        "customer.unknown in ['vip']",
        "customer.unknown in 'vip'",
        "customer.unknown == ''",
        "customer.unknown == 0",
        "customer.plan == 5",
        "event.items | having('sku', 'b')",
        "event.nothing | having('sku', 'a')",
        "customer.plan | having('sku')",
    ],
)
def test_it_does_not_hold_and_is_no_error(text: str) -> None:
    assert holds(text) is False


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("customer.plan > 5", "'>' not supported between instances of text and a number"),
        ("customer.unknown + 1 > 5", "`customer.unknown` has no value"),
        ("customer.plan + 1 == 5", "`+` is for numbers"),
        ("1 / 0 > 1", "division by zero"),
        ("5 in customer.seats", "is not iterable"),
        ("customer.tags > 5", "a list and a number"),
        ("'x' * 1000000000 == customer.plan", "`*` is for numbers"),
    ],
)
def test_a_real_error_is_told_at_run_time(text: str, problem: str) -> None:
    with pytest.raises(
        ConditionError, match=problem.replace("`*`", r"`\*`").replace("`+`", r"`\+`")
    ):
        holds(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("custmer.plan == 'trial'", "there is no `custmer`; did you mean `customer`?"),
        ("customer.plan = 'trial'", "`=` is not expected here"),
        ("customer.plan == ", "unexpected 'end of template'"),
        ("", "unexpected 'end of template'"),
        ("cuont('a') > 1", "there is no function `cuont`; did you mean `count`?"),
        ("count > 1", "`count` is a function: write `count(…)`"),
        ("count(customer.plan) > 1", "write `count('order_placed', '90 days')`"),
        ("count() > 1", "write `count('order_placed', '90 days')`"),
        ("count('a', 90) > 1", "write `count('order_placed', '90 days')`"),
        ("count('a', window='90 days') > 1", "write `count('order_placed', '90 days')`"),
        ("count('a', '90 dyas') > 1", "did you mean `days`?"),
        ("sent(coupon)", "there is no `coupon`"),
        ("sent('a', 'b')", "write `sent('coupon')`"),
        ("clicked('a' ~ 'b')", "write `clicked('coupon')`"),
        ("customer.plan.upper() == 'A'", "use `| upper`"),
        ("customer.plan | uper == 'A'", "there is no filter `uper`; did you mean `upper`?"),
        ("customer.__class__", "`__class__` is not a field"),
        ("x" * 3_000, "at most 2,000 characters"),
        ("not " * 400 + "1", "nested too deeply"),
        ("{{ customer.plan }}", "expected token ':'"),
    ],
)
def test_what_can_t_be_meant_is_refused_at_compile_time(text: str, problem: str) -> None:
    with pytest.raises(ConditionSyntaxError) as caught:
        compile_condition(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize("text", ["count('a') > 1", "sent('a')", "not clicked('a')"])
def test_a_where_has_no_history_and_says_why(text: str) -> None:
    compile_condition(text)
    with pytest.raises(ConditionSyntaxError, match="can't be used in `where`, which is decided as"):
        compile_condition(text, Kind.WHERE)


def test_a_condition_knows_which_history_it_needs() -> None:
    condition = compile_condition(
        "count('order_placed', '90 days') == 0 and sent('coupon') and not clicked('tip')"
    )
    assert condition.counts == {("order_placed", parse_duration("90 days"))}
    assert condition.event_names == {"order_placed"}
    assert condition.step_ids == {"coupon", "tip"}


def test_a_condition_knows_which_segments_and_topics_it_asks_about() -> None:
    condition = compile_condition("inside('lapsed') or not subscribed('news')", Kind.AUDIENCE)
    assert condition.segments == {"lapsed"}
    assert condition.topics == {"news"}
    context = ConditionContext(
        {}, {}, inside=lambda name: name == "loyal", subscribed=lambda name: name == "news"
    )
    assert condition.evaluate(context) is False


@pytest.mark.parametrize(
    ("kind", "refused", "problem"),
    [
        (Kind.WHEN, "subscribed('news')", "what they subscribe to is asked anyway"),
        (Kind.SEGMENT, "event.total > 5", "in a segment, which sees only `customer` and"),
        (Kind.SEGMENT, "inside('lapsed')", "`inside(…)` can't be used in a segment"),
        (Kind.SEGMENT, "sent('coupon')", "`sent(…)` can't be used in a segment"),
        (Kind.SEGMENT, "customer.company.plan == 'pro'", "a company's traits change without"),
        (Kind.SEGMENT, "customer['company'].plan == 'pro'", "a company's traits change without"),
        (Kind.AUDIENCE, "event.total > 5", "there is no event and no journey yet"),
        (Kind.AUDIENCE, "clicked('tip')", "`clicked(…)` can't be used in an audience"),
        (Kind.TRAIT, "customer.plan == 'pro'", "`customer` can't be used in the `where` of a"),
        (Kind.TRAIT, "event.total > customer['x']", "`customer` can't be used in the `where`"),
        (Kind.TRAIT, "count('a') > 1", "`count(…)` can't be used in the `where` of a"),
        (Kind.WHERE, "inside('lapsed')", "`inside(…)` can't be used in `where`"),
    ],
)
def test_each_kind_of_condition_says_what_it_does_not_see(
    kind: Kind, refused: str, problem: str
) -> None:
    with pytest.raises(ConditionSyntaxError) as caught:
        compile_condition(refused, kind)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.WHEN, "inside('lapsed') and customer.company.plan == 'pro' and event.a == 1"),
        (Kind.SEGMENT, "customer.orders > 0 and count('order_placed', '90 days') == 0"),
        (Kind.AUDIENCE, "inside('lapsed') and count('a') > 1 and customer.company.plan == 'pro'"),
        (Kind.TRAIT, "event.total > 5"),
    ],
)
def test_each_kind_of_condition_sees_what_it_is_about(kind: Kind, text: str) -> None:
    assert compile_condition(text, kind).text == text


def test_the_engine_is_told_what_a_segment_is_made_of() -> None:
    text = "count('a') + count('a', '7 days') > customer.b.c and customer['d']"
    assert counted(text) == MadeOf(
        frozenset({("a", None), ("a", parse_duration("7 days"))}),
        frozenset({"b", "d"}),
        is_arithmetic=True,
    )
    assert counted("customer['a' ~ 'b'] == 1").traits is None
    assert counted("1 == 1").traits == frozenset()


def test_history_is_asked_with_names_and_durations() -> None:
    asked: list[object] = []

    def count(event: str, window: Duration | None) -> int:
        asked.append((event, window))
        return 2

    def sent(step: str) -> bool:
        asked.append(step)
        return True

    condition = compile_condition("count('a', '90 days') + count('b') == 4 and sent('coupon')")
    assert condition.evaluate(ConditionContext({}, {}, count, sent)) is True
    assert asked == [("a", parse_duration("90 days")), ("b", None), "coupon"]


def test_the_same_text_is_compiled_once() -> None:
    assert compile_condition("customer.a == 1") is compile_condition("customer.a == 1")
    assert compile_condition("customer.a == 1") is not compile_condition(
        "customer.a == 1", Kind.WHERE
    )


def test_the_engine_can_call_it_and_knows_its_errors() -> None:
    history = History(count=lambda *_: 1, sent=lambda _: False, clicked=lambda _: False)
    assert evaluate("count('a') == 1", {}, {}, history)
    for text in ("customer.plan > 5", "count('a') == 1", "((("):
        with pytest.raises(ConditionFailed):
            evaluate(text, CUSTOMER, {}, None)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    left=_json, right=_json, operator=st.sampled_from(["<", ">=", "==", "in", "+", "*", "~", "and"])
)
@settings(max_examples=300, deadline=None)
def test_any_data_gives_an_answer_or_a_condition_error(
    left: object, right: object, operator: str
) -> None:
    condition = compile_condition(f"customer.a {operator} event.b")
    try:
        answer = condition.evaluate(ConditionContext({"a": left}, {"b": right}))
    except ConditionError:
        return
    assert answer in (True, False)
    if operator == "<" and (left is None or right is None):
        assert answer is False


@given(
    facts=st.lists(
        st.tuples(_json | st.sampled_from([0, False, 0.0, -0.0, "0"]), _json), max_size=6
    )
)
@settings(max_examples=100, deadline=None)
def test_a_where_comes_to_the_same_however_often_it_was_asked(
    facts: list[tuple[object, object]],
) -> None:
    for text in (
        "event.a == 0",
        "event.a ~ 'x' == '0x'",
        "event.a ~ '' == '-0.0'",
        "customer.b and event.a != customer.b",
    ):
        condition = compile_condition(text, Kind.WHERE)
        for event, customer in [*facts, *facts]:
            given = {"b": customer}, {"a": event}
            try:
                expected = condition.evaluate(ConditionContext(*given))
            except ConditionError:
                with pytest.raises(ConditionError):
                    evaluate(text, *given)
            else:
                assert evaluate(text, *given) is expected

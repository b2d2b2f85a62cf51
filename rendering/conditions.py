"""Conditions of journey and policy files, compiled once, evaluated in microseconds.

Decides what a condition may say, which depends on where it stands (`Kind`), and whether it
holds for given facts. It looks nothing up: history comes as callables. The surprising fact:
a missing field is none at any depth, and ordering against none is false, so
`customer.age > 18` and `customer.age <= 18` are both false for a customer without an age.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from engine.company import COMPANY
from engine.expressions import Duration, ExpressionError, parse_duration
from engine.matching import History
from engine.memberships import MadeOf
from rendering.errors import (
    ConditionError,
    ConditionSyntaxError,
    ExpressionFailure,
    TemplateError,
)
from rendering.expressions import MAX_EXPRESSION, Expression, compile_expression, quoted
from rendering.filters import FILTERS, TESTS
from rendering.grammar import Vocabulary
from rendering.plain import plain

_FACTS = frozenset({"customer", "event"})
_FUNCTIONS = frozenset({"count", "sent", "clicked", "inside", "subscribed"})
# One vocabulary: whether a word is open is judged afterwards, to be able to say why not.
_WORDS = Vocabulary(_FACTS, _FUNCTIONS, FILTERS, frozenset(TESTS))
# An example of each function, to show when it is written otherwise.
_EXAMPLES = {
    "count": "count('order_placed', '90 days')", "sent": "sent('coupon')",
    "clicked": "clicked('coupon')", "inside": "inside('lapsed')",
    "subscribed": "subscribed('news')",
}  # fmt: skip

# Some megabytes. Longer texts are one event's own, and never asked about twice.
_MOST_ANSWERS = 10_000
_LONGEST_FACT = 100
_SIMPLE = frozenset({str, int, float, bool, type(None)})
_answers: dict[tuple[object, ...], bool] = {}


@dataclass(frozen=True)
class _Sight:
    """What a kind of condition sees; `why` it does not see the rest, as `… can't be used …`."""

    words: frozenset[str]
    why: str
    sees_company: bool = True


class Kind(Enum):
    """Where a condition stands, and so what it sees.

    `TRAIT` is the `where` of a computed trait, `SEGMENT` a segment's `when`, `AUDIENCE` says
    whom a broadcast goes to. `WHERE` and `WHEN` are those of journeys.
    """

    WHERE = _Sight(
        frozenset({"customer", "event"}),
        "in `where`, which is decided as the event arrives and sees only `customer` and `event`; "
        "use `when` on the step",
    )
    WHEN = _Sight(
        frozenset({"customer", "event", "count", "sent", "clicked", "inside"}),
        "in `when`, which looks at one customer's journey: what they subscribe to is asked "
        "anyway before a message goes out",
    )
    TRAIT = _Sight(
        frozenset({"event"}),
        "in the `where` of a computed trait, which sees only `event`: a trait is made of what "
        "the customer did, and not of what they are at the time",
    )
    SEGMENT = _Sight(
        frozenset({"customer", "count"}),
        "in a segment, which sees only `customer` and `count(…)`: it must be known who is in it "
        "without anything happening",
        sees_company=False,
    )
    AUDIENCE = _Sight(
        frozenset({"customer", "count", "inside", "subscribed"}),
        "in an audience, which sees only `customer`, `count(…)`, `inside(…)` and "
        "`subscribed(…)`: there is no event and no journey yet",
    )


def _no_history(*args: object) -> Any:
    raise AssertionError("a condition over history needs a context that has one")


@dataclass(frozen=True)
class ConditionContext:
    """The facts a condition is evaluated on. History is asked only for what it names.

    `count` says how often the customer did this within so long, or ever; `sent` and
    `clicked` answer for a step of this enrollment, `inside` for a segment, `subscribed` for a
    topic.
    """

    customer: Mapping[str, Any]
    event: Mapping[str, Any]
    count: Callable[[str, Duration | None], int] = _no_history
    sent: Callable[[str], bool] = _no_history
    clicked: Callable[[str], bool] = _no_history
    inside: Callable[[str], bool] = _no_history
    subscribed: Callable[[str], bool] = _no_history


@dataclass(frozen=True, eq=False)
class Condition:
    """A compiled condition. Safe to share between threads."""

    text: str
    counts: frozenset[tuple[str, Duration | None]]  # the events it counts, and within how long
    step_ids: frozenset[str]  # what it asks `sent` and `clicked` about
    segments: frozenset[str]  # what it asks `inside` about
    topics: frozenset[str]  # what it asks `subscribed` about
    paths: tuple[tuple[str, ...], ...]  # what it looks at, each with its first field
    is_arithmetic: bool  # it does nothing with numbers but compute and compare
    _words: frozenset[str]  # the names and functions in it
    _durations: Mapping[str, Duration]
    _expression: Expression

    @property
    def event_names(self) -> frozenset[str]:
        """The events it counts, within whatever time."""
        return frozenset(event for event, _ in self.counts)

    def evaluate(self, context: ConditionContext) -> bool:
        """Whether it holds. Raises ConditionError, which quotes no customer's data."""

        def count(event: str, window: str | None = None) -> int:
            return context.count(event, None if window is None else self._durations[window])

        values: dict[str, Any] = {}
        for name in self._words:  # all of it would cost each `where` of each event as much again
            known = count if name == "count" else getattr(context, name)
            values[name] = plain(known, name) if name in _FACTS else known
        try:
            return bool(self._expression.value(values))
        except ExpressionFailure as error:
            raise ConditionError(str(error)) from error


def compile_condition(text: str, kind: Kind = Kind.WHEN) -> Condition:
    """The condition that this text is; the same text gives the same object.

    Raises ConditionSyntaxError.
    """
    return _compile(text, kind)


def counted(text: str) -> MadeOf:
    """What a segment's condition counts and looks at: what the engine asks (its `Counted`)."""
    condition = _compile(text, Kind.SEGMENT)
    traits = [path[1:] for path in condition.paths]
    known = all(traits)
    names = frozenset(path[0] for path in traits) if known else None
    return MadeOf(condition.counts, names, condition.is_arithmetic)


def may_hold(where: str, event: Mapping[str, Any]) -> bool:
    """Whether a `where` may hold for an event with these properties, whoever's it is.

    True where that hangs on the customer, or can't be told.
    """
    if not _sees_event_alone(where):
        return True
    try:
        return evaluate(where, {}, event)
    except ConditionError:
        return True


@lru_cache(maxsize=10_000)
def _sees_event_alone(where: str) -> bool:
    try:
        _compile(where, Kind.TRAIT)
    except ConditionSyntaxError:
        return False
    return True


# Ten thousand journeys' worth; a compiled condition takes about 20 KB.
@lru_cache(maxsize=10_000)
def _compile(text: str, kind: Kind) -> Condition:
    if len(text) > MAX_EXPRESSION:
        raise ConditionSyntaxError(f"a condition has at most {MAX_EXPRESSION:,} characters")
    try:
        expression = compile_expression(text, _WORDS)
    except TemplateError as error:
        raise ConditionSyntaxError(f"{quoted(text)}: {error.problem}") from error
    for problem in (*_out_of_sight(expression, kind.value), *_misuses(expression)):
        raise ConditionSyntaxError(f"{quoted(text)}: {problem}")
    named = [(_name(call), _literals(call)) for call in expression.calls]
    durations = {args[1]: parse_duration(args[1]) for _, args in named if len(args) > 1}

    def asked(*functions: str) -> frozenset[str]:
        return frozenset(args[0] for name, args in named if name in functions)

    return Condition(
        text,
        frozenset(
            (args[0], durations[args[1]] if len(args) > 1 else None)
            for name, args in named
            if name == "count"
        ),
        asked("sent", "clicked"),
        asked("inside"),
        asked("subscribed"),
        expression.paths,
        expression.is_arithmetic,
        frozenset(path[0] for path in expression.paths) | {name for name, _ in named},
        durations,
        expression,
    )


# By the text alone: to look up an Enum in a cache takes longer than all the rest.
_where = lru_cache(maxsize=10_000)(lambda text: _compile(text, Kind.WHERE))
_when = lru_cache(maxsize=10_000)(lambda text: _compile(text, Kind.WHEN))


def _name(call: nodes.Call) -> str:
    assert isinstance(call.node, nodes.Name)  # the grammar saw to it
    return call.node.name


def _literals(call: nodes.Call) -> list[str]:
    constants = (arg.value for arg in call.args if isinstance(arg, nodes.Const))
    return [value for value in constants if isinstance(value, str)]


def _out_of_sight(expression: Expression, sight: _Sight) -> Iterator[str]:
    """The words that mean something elsewhere, and nothing where this condition stands."""
    for call in expression.calls:
        if (name := _name(call)) not in sight.words:
            yield f"`{name}(…)` can't be used {sight.why}"
    for path in expression.paths:
        if path[0] not in sight.words:
            yield f"`{path[0]}` can't be used {sight.why}"
        if path[:2] == ("customer", COMPANY) and not sight.sees_company:
            yield (
                "`customer.company` can't be used in a segment: a company's traits change "
                "without its members being looked at"
            )


def _misuses(expression: Expression) -> Iterator[str]:
    """What is wrong with its calls: their arguments are read at compile time, so are literal."""
    for call in expression.calls:
        name = _name(call)
        literal = _literals(call)
        most = 2 if name == "count" else 1
        if call.kwargs or len(literal) != len(call.args) or not 1 <= len(literal) <= most:
            yield f"`{name}` takes names in quotes: write `{_EXAMPLES[name]}`"
        elif len(literal) == 2:
            try:
                parse_duration(literal[1])
            except ExpressionError as error:
                yield str(error)


def evaluate(
    text: str,
    customer: Mapping[str, Any],
    event: Mapping[str, Any],
    history: History | None = None,
) -> bool:
    """What the engine calls (its `Evaluate`): without history it is a `where`.

    With history, all that a `when` sees is open, and so a segment's condition can be read.
    Raises ConditionError, which the engine knows as `ConditionFailed`.
    """
    try:
        condition = _where(text) if history is None else _when(text)
    except ConditionSyntaxError as error:  # journeys are checked, so only an older one's text
        raise ConditionError(str(error)) from error
    if history is None:
        return _answer(condition, customer, event)
    return condition.evaluate(
        ConditionContext(
            customer, event, history.count, history.sent, history.clicked, history.inside
        )
    )


def _answer(condition: Condition, customer: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """What a `where` comes to, or came to before for the same facts: of every event it is asked."""
    facts = _facts(condition, customer, event)
    if facts is None:
        return condition.evaluate(ConditionContext(customer, event))
    if (known := _answers.get(facts)) is None:
        known = condition.evaluate(ConditionContext(customer, event))
        if len(_answers) >= _MOST_ANSWERS:
            _answers.clear()
        _answers[facts] = known
    return known


def _facts(
    condition: Condition, customer: Mapping[str, Any], event: Mapping[str, Any]
) -> tuple[object, ...] | None:
    """All that a condition looks at; None if more than can be told.

    Each with its type, and a float as text: 1 is not true, nor is -0.0 written as 0.0.
    """
    facts: list[object] = [condition]
    for path in condition.paths:
        if len(path) == 1:
            return None  # at what is not said until it is computed
        fact = (event if path[0] == "event" else customer).get(path[1])
        if type(fact) not in _SIMPLE or (isinstance(fact, str) and len(fact) > _LONGEST_FACT):
            return None
        facts += (type(fact), repr(fact) if isinstance(fact, float) else fact)
    return tuple(facts)

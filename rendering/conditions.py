"""Conditions: `where` and `when` of journey files, compiled once, evaluated in microseconds.

Decides what a condition may say and whether it holds for given facts. It looks nothing up:
history comes as callables. The surprising fact: a missing field is none at any depth, and
ordering against none is false, so `customer.age > 18` and `customer.age <= 18` are both
false for a customer without an age.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from engine.expressions import Duration, ExpressionError, parse_duration
from engine.matching import History
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

_HISTORY = frozenset({"count", "sent", "clicked"})
# One vocabulary: whether history is open is judged afterwards, to be able to say why not.
_WORDS = Vocabulary(frozenset({"customer", "event"}), _HISTORY, FILTERS, frozenset(TESTS))


def _no_history(*args: object) -> Any:
    raise AssertionError("a condition over history needs a context that has one")


@dataclass(frozen=True)
class ConditionContext:
    """The facts a condition is evaluated on. History is asked only for what it names.

    `count` says how often the customer did this within so long, or ever; `sent` and
    `clicked` answer for a step of this enrollment. A `where` has none of the three.
    """

    customer: Mapping[str, Any]
    event: Mapping[str, Any]
    count: Callable[[str, Duration | None], int] = _no_history
    sent: Callable[[str], bool] = _no_history
    clicked: Callable[[str], bool] = _no_history


@dataclass(frozen=True, eq=False)
class Condition:
    """A compiled condition. Safe to share between threads."""

    text: str
    event_names: frozenset[str]  # what it counts
    step_ids: frozenset[str]  # what it asks `sent` and `clicked` about
    _durations: Mapping[str, Duration]
    _expression: Expression

    def evaluate(self, context: ConditionContext) -> bool:
        """Whether it holds. Raises ConditionError, which quotes no customer's data."""

        def count(event: str, window: str | None = None) -> int:
            return context.count(event, None if window is None else self._durations[window])

        values = {
            "customer": plain(context.customer, "customer"),
            "event": plain(context.event, "event"),
            "count": count,
            "sent": context.sent,
            "clicked": context.clicked,
        }
        try:
            return bool(self._expression.value(values))
        except ExpressionFailure as error:
            raise ConditionError(str(error)) from error


def compile_condition(text: str, *, allow_history: bool = True) -> Condition:
    """The condition that this text is; the same text gives the same object.

    `allow_history=False` is for `where`, which may look at the customer and the event only.
    Raises ConditionSyntaxError.
    """
    return _compile(text, allow_history)


# Ten thousand journeys' worth; a compiled condition takes about 20 KB.
@lru_cache(maxsize=10_000)
def _compile(text: str, allow_history: bool) -> Condition:
    if len(text) > MAX_EXPRESSION:
        raise ConditionSyntaxError(f"a condition has at most {MAX_EXPRESSION:,} characters")
    try:
        expression = compile_expression(text, _WORDS)
    except TemplateError as error:
        raise ConditionSyntaxError(f"{quoted(text)}: {error.problem}") from error
    for problem in _misuses(expression, allow_history):
        raise ConditionSyntaxError(f"{quoted(text)}: {problem}")
    named = [(_name(call), _literals(call)) for call in expression.calls]
    return Condition(
        text,
        frozenset(args[0] for name, args in named if name == "count"),
        frozenset(args[0] for name, args in named if name != "count"),
        {args[1]: parse_duration(args[1]) for _, args in named if len(args) > 1},
        expression,
    )


def _name(call: nodes.Call) -> str:
    assert isinstance(call.node, nodes.Name)  # the grammar saw to it
    return call.node.name


def _literals(call: nodes.Call) -> list[str]:
    constants = (arg.value for arg in call.args if isinstance(arg, nodes.Const))
    return [value for value in constants if isinstance(value, str)]


def _misuses(expression: Expression, allow_history: bool) -> Iterator[str]:
    """What is wrong with its calls: their arguments are read at compile time, so are literal."""
    for call in expression.calls:
        name = _name(call)
        if not allow_history:
            yield (
                f"`{name}(…)` can't be used in `where`, which is decided as the event arrives "
                "and sees only `customer` and `event`; use `when` on the step"
            )
        example = "count('order_placed', '90 days')" if name == "count" else f"{name}('coupon')"
        literal = _literals(call)
        most = 2 if name == "count" else 1
        if call.kwargs or len(literal) != len(call.args) or not 1 <= len(literal) <= most:
            yield f"`{name}` takes names in quotes: write `{example}`"
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

    Raises ConditionError, which the engine knows as `ConditionFailed`.
    """
    try:
        condition = _compile(text, history is not None)
    except ConditionSyntaxError as error:  # journeys are checked, so only an older one's text
        raise ConditionError(str(error)) from error
    if history is None:
        return condition.evaluate(ConditionContext(customer, event))
    return condition.evaluate(
        ConditionContext(customer, event, history.count, history.sent, history.clicked)
    )

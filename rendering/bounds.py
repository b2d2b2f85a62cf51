"""What a template may spend: every turn of a loop, operation, filter and printed text is paid.

Decides how much is too much, and does the sums and joins that need watching; knows neither
files nor lines. The one surprising fact: work is counted, not timed, so that the same
template and data always give the same answer, on a busy machine too.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup, escape

from engine.between import Between
from rendering.errors import ExpressionFailure, TooLarge, TooSlow
from rendering.filters import BEARS_MISSING, MAX_TEXT, PLAIN_FILTERS
from rendering.formats import MANNERED_FILTERS, Manner
from rendering.grammar import EACH, JOIN, LITERAL, MAX_NUMBER, PAY
from rendering.kinds import Number
from rendering.plain import Missing

# Gmail clips at 102 KB; past twice that, something has gone wrong with the template's loop.
MAX_OUTPUT = 200_000
# Units of work, well under a microsecond each: a product list of 50 lines needs 2,000.
MAX_WORK = 500_000
# A list longer than this is no message; `range` above it is refused outright.
MAX_RANGE = 1_000
# Copying text costs about a unit of work per this many characters.
_CHARS_PER_UNIT = 16

# Where a context keeps its `Run`; authors' names may not start with an underscore.
RUN = "_run"


class Run:
    """One rendering: what it may still spend, and the language and zone it speaks in."""

    __slots__ = ("left", "manner")

    def __init__(self, manner: Manner) -> None:
        self.left = MAX_WORK
        self.manner = manner

    def spend(self, units: int) -> None:
        """Pay for work; TooSlow when nothing is left."""
        self.left -= units
        if self.left < 0:
            raise TooSlow("the template does too much work: loops inside loops?")

    def spend_text(self, length: int) -> None:
        """Pay for a text of that length; TooLarge beyond what any message needs."""
        if length > MAX_TEXT:
            raise TooLarge(f"a text is longer than {MAX_TEXT:,} characters")
        self.spend(1 + length // _CHARS_PER_UNIT)


@pass_context
def finalize(context: Context, value: Any) -> Any:
    """What may be printed: text and numbers. Paid by length."""
    if isinstance(value, str):
        context[RUN].spend_text(len(value))
        return value
    if isinstance(value, Number):
        context[RUN].spend(1)
        return value
    if isinstance(value, Missing):
        value.fail()
    if isinstance(value, date):
        raise ExpressionFailure("a date is printed with `| date` or `| time`")
    raise ExpressionFailure("a list or a group of fields can't be printed: use `for` or `| join`")


def operate(run: Run, operator: str, left: Any, right: Any) -> Any:
    """Arithmetic on numbers or their bounds, `+` on two texts. Raises ExpressionFailure."""
    for side in (left, right):
        if isinstance(side, Missing):
            side.fail()
    if isinstance(left, str) and isinstance(right, str) and operator == "+":
        run.spend_text(len(left) + len(right))
        return left + right
    if not (isinstance(left, Number | Between) and isinstance(right, Number | Between)):
        raise ExpressionFailure(f"`{operator}` is for numbers; texts are joined with `~`")
    run.spend(1)
    if isinstance(left, Decimal) != isinstance(right, Decimal):  # Python refuses float with Decimal
        left, right = float(left), float(right)
    result = SandboxedEnvironment.default_binop_table[operator](left, right)
    if not abs(result) <= MAX_NUMBER:
        raise TooLarge("a number is too large")
    return result


def _bounded(function: Callable[..., Any], mannered: bool, takes_missing: bool) -> Any:
    """A filter that pays for its work, and refuses missing fields unless it is about them."""

    @pass_context
    def run_filter(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        run: Run = context[RUN]
        if not takes_missing:
            for each in (value, *args, *kwargs.values()):
                if isinstance(each, Missing):
                    each.fail()
        run.spend(1 + _size(value))
        result = (
            function(run.manner, value, *args, **kwargs)
            if mannered
            else function(value, *args, **kwargs)
        )
        if isinstance(result, str):
            run.spend_text(len(result))
        return result

    return run_filter


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value) // _CHARS_PER_UNIT
    return len(value) if isinstance(value, list | tuple | dict) else 0


@pass_context
def _each(context: Context, values: Any, cost: int) -> Iterator[Any]:
    """The turns of a loop, each paid before it is taken."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ExpressionFailure("`for` needs a list")
    run: Run = context[RUN]
    return _paid(run, iter(values), cost)  # `iter` now: a missing list fails on the loop's line


def _paid(run: Run, values: Iterator[Any], cost: int) -> Iterator[Any]:
    for value in values:
        run.spend(cost)
        yield value


@pass_context
def _pay(context: Context, cost: int) -> int:
    """What a part of a page costs, each time that it is included."""
    context[RUN].spend(cost)
    return cost


@pass_context
def _join(context: Context, values: list[Any]) -> str:
    """`a ~ b`: texts and numbers, joined; escaped where one of them is HTML already."""
    texts = [finalize(context, value) for value in values]
    html = any(isinstance(text, Markup) for text in texts)
    joined = [escape(text) if html else str(text) for text in texts]
    context[RUN].spend_text(sum(map(len, joined)))
    return Markup("").join(joined) if html else "".join(joined)


def _literal(written: Any) -> Any:
    """A list or mapping written in the template: flat.

    Forty times `{% set a = [a, a] %}` is small to keep and takes for ever to compare.
    """
    parts = written.values() if isinstance(written, dict) else written
    if any(type(part) in (list, tuple, dict) for part in parts):
        raise ExpressionFailure("a list written in a template can't hold another one")
    return written


def up_to(*args: int) -> range:
    """`range`, but of a length that a message can use. Raises TooLarge."""
    numbers = range(*args)
    if len(numbers) > MAX_RANGE:
        raise TooLarge(f"`range` is longer than {MAX_RANGE:,}")
    return numbers


BOUNDED_FILTERS: dict[str, Callable[..., Any]] = {
    **{
        name: _bounded(function, mannered=False, takes_missing=name in BEARS_MISSING)
        for name, function in PLAIN_FILTERS.items()
    },
    **{
        name: _bounded(function, mannered=True, takes_missing=False)
        for name, function in MANNERED_FILTERS.items()
    },
    EACH: _each,
    PAY: _pay,
    JOIN: _join,
    LITERAL: _literal,
}


def collect(parts: Iterable[str]) -> str:
    """The whole text. Raises TooLarge as soon as it is longer than any message needs."""
    collected: list[str] = []
    length = 0
    for part in parts:
        length += len(part)
        if length > MAX_OUTPUT:
            raise TooLarge(f"the result is longer than {MAX_OUTPUT:,} characters")
        collected.append(part)
    return "".join(collected)

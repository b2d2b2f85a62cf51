"""The sandbox: compiles what `grammar` allows and runs it within `bounds`.

Knows neither messages nor conditions, only named texts. Rules for whoever edits it:

1. Templates see plain data (`plain`), never an object of ours; a dot looks up a field, so
   `order.items` is the field `items` and no method can be reached at all.
2. Nothing is computed at compile time (`'x' * 10**9` would be): the optimizer is off, and
   `finalize` takes the context, which keeps the compiler from folding what is printed.
3. No error quotes a value, only fields' names and types: errors end up in Temporal.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from traceback import walk_tb
from typing import Any, TypeVar

from jinja2 import Template, TemplateNotFound, TemplateSyntaxError, nodes
from jinja2 import TemplateError as JinjaError
from jinja2.loaders import FunctionLoader
from jinja2.parser import Parser
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import SandboxedEnvironment

from rendering.bounds import BOUNDED_FILTERS, RUN, Run, collect, finalize, operate, up_to
from rendering.errors import (
    ExpressionFailure,
    TemplateError,
    TemplateTooLarge,
    TemplateTooSlow,
    TooLarge,
    TooSlow,
)
from rendering.filters import TESTS
from rendering.formats import Manner
from rendering.grammar import NONE_NAME, Refusal, Vocabulary, charge, refusals, rewrite
from rendering.plain import NONE, Fields, Items, Missing

# Ten times a long newsletter's source. Parsing and the walk take time in proportion.
MAX_SOURCE = 256_000

_LOOP_FIELDS = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth"}
    | {"previtem", "nextitem"}
)
_NUMBERED = (list, tuple, str)
_DATE_FIELDS = frozenset({"year", "month", "day", "hour", "minute"})
# What a template's own mistakes raise from inside Jinja2 and Python. RecursionError and
# MemoryError are the last net under the bounds above.
FAULTS = (
    TemplateError, ExpressionFailure, JinjaError, TypeError, ValueError, ArithmeticError,
    LookupError, SyntaxError, RecursionError, MemoryError,
)  # fmt: skip


_T = TypeVar("_T")


class Sandbox(SandboxedEnvironment):
    """A Jinja2 environment over a fixed set of named sources.

    `resolve` says which source an `extends` or `include` in one of them means (or None).
    """

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def __init__(
        self,
        vocabulary: Vocabulary,
        sources: Mapping[str, str] | None = None,
        resolve: Callable[[str, str], str | None] = lambda name, parent: name,
    ) -> None:
        named = sources or {}
        super().__init__(
            loader=FunctionLoader(named.get),
            undefined=Missing,
            finalize=finalize,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            optimized=False,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=-1,  # as many as there are sources
        )
        self.vocabulary = vocabulary
        self._sources = named
        self._resolve = resolve
        self.globals = {"range": up_to, NONE_NAME: NONE}
        self.filters = BOUNDED_FILTERS.copy()
        self.tests = dict(TESTS)
        self.template_class = Template

    # -- compiling ----------------------------------------------------------------------

    def tree(self, source: str, name: str) -> nodes.Template:
        """The parsed source, not yet judged. Raises TemplateError."""
        return self._guarded(lambda: Parser(self, source, name).parse(), source, name)

    def refusals(self, source: str, name: str) -> list[Refusal]:
        """Everything that is wrong with a source."""
        try:
            found = refusals(self.tree(source, name), self.vocabulary)
            if not found:
                self.compile(source, name)  # finds what only code generation knows: a block twice
            return found
        except FAULTS as error:
            placed = _placed(error, name)
            return [Refusal(placed.line or 1, placed.problem)]

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        named = name or "template"
        tree = self.tree(source, named)
        self.judge(tree, named)
        rewrite(tree)
        charge(tree)
        return tree

    def judge(self, tree: nodes.Node, name: str) -> None:
        """Raise TemplateError unless all of the tree is allowed."""
        if found := refusals(tree, self.vocabulary):
            raise TemplateError(found[0].problem, file=name, line=found[0].line)

    def expression(self, source: str, name: str) -> nodes.Expr:
        """One parsed expression, not yet judged. Raises TemplateError."""

        def parse() -> nodes.Expr:
            parser = Parser(self, source, state="variable")
            expression = parser.parse_expression()
            if not parser.stream.eos:
                raise TemplateSyntaxError(
                    f"`{parser.stream.current.value}` is not expected here", 1
                )
            expression.set_environment(self)
            return expression

        return self._guarded(parse, source, name)

    @staticmethod
    def _guarded(parse: Callable[[], _T], source: str, name: str) -> _T:
        if len(source) > MAX_SOURCE:
            raise TemplateTooLarge(f"longer than {MAX_SOURCE:,} characters", file=name)
        try:
            return parse()
        except TemplateSyntaxError as error:
            raise TemplateError(
                error.message or "not a template", file=name, line=error.lineno
            ) from None
        except (RecursionError, ValueError):  # ValueError: a number of 5,000 digits
            raise TemplateError("nested too deeply, or a number too long", file=name) from None

    def source(self, name: str) -> str:
        """The source of that name. Raises KeyError."""
        return self._sources[name]

    def join_path(self, template: str, parent: str) -> str:
        """The source that `extends` or `include` means. Raises TemplateNotFound."""
        found = self._resolve(template, parent)
        if found is None:
            raise TemplateNotFound(template)
        return found

    # -- running ------------------------------------------------------------------------

    def render(self, name: str, values: Mapping[str, Any], manner: Manner) -> str:
        """The source of that name with these plain values. Raises TemplateError."""
        try:
            template = self.get_template(name)
            run = Run(manner)
            context = template.new_context({**values, RUN: run})
            return collect(template.root_render_func(context))
        except FAULTS as error:
            raise _placed(error, name) from error

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A field by its name. Never an attribute, but for loops and dates."""
        if isinstance(obj, dict):
            return _field(obj, attribute)
        if isinstance(obj, Missing):
            return obj
        if isinstance(obj, LoopContext) and attribute in _LOOP_FIELDS:
            return getattr(obj, attribute)
        if isinstance(obj, date) and attribute in _DATE_FIELDS:
            return getattr(obj, attribute, Missing(name=attribute))
        return Missing(name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A field by a computed name, or an item by its number."""
        if isinstance(argument, Missing):
            return argument
        if isinstance(obj, Missing):
            return obj
        try:
            if isinstance(obj, dict) or (isinstance(obj, _NUMBERED) and isinstance(argument, int)):
                return obj[argument]
        except LookupError:
            pass
        # What was looked for is not told: it may be a customer's data.
        return Missing(name=f"{obj.path}[…]" if isinstance(obj, Fields | Items) else "[…]")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers, `+` on two texts; bounded."""
        return operate(context[RUN], operator, left, right)


def _field(obj: dict[Any, Any], name: Any) -> Any:
    try:
        return obj[name]
    except KeyError:
        path = obj.path if isinstance(obj, Fields) else ""
        return Missing(name=f"{path}.{name}" if path else str(name), siblings=obj)


def _placed(error: Exception, name: str) -> TemplateError:
    """The error with the file and line it happened in, in words that quote no value."""
    if isinstance(error, TemplateError):
        return error
    file, line = name, getattr(error, "lineno", None) if isinstance(error, JinjaError) else None
    for frame, lineno in walk_tb(error.__traceback__):
        template = frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            file, line = template.name or name, template.get_corresponding_lineno(lineno)
    kinds: dict[type[Exception], type[TemplateError]]
    kinds = {TooLarge: TemplateTooLarge, TooSlow: TemplateTooSlow}
    return kinds.get(type(error), TemplateError)(problem(error), file=file, line=line)


def problem(error: Exception) -> str:
    """What went wrong, in words that quote no value."""
    match error:
        case ExpressionFailure():
            return str(error)
        case TypeError():  # Python's type errors name types only
            return _TYPE.sub(lambda found: _TYPE_WORDS.get(found[1], found[1]), str(error))
        case TemplateNotFound():
            return f"`{error.name}` is not there"
        case JinjaError():
            return error.message or "the template can't be rendered"
        case ZeroDivisionError():
            return "division by zero"
        case RecursionError() | MemoryError() | SyntaxError():
            return "the template is nested too deeply or too large"
    return f"the value does not suit ({type(error).__name__})"


_TYPE = re.compile(r"'([\w.]+)'")
_TYPE_WORDS = {
    "str": "text",
    "Markup": "text",
    "int": "a number",
    "float": "a number",
    "Decimal": "a number",
    "bool": "true or false",
    "Fields": "a group of fields",
    "dict": "a group of fields",
    "Items": "a list",
    "list": "a list",
    "tuple": "a list",
    "datetime.datetime": "a date",
}

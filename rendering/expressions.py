"""One expression in the sandbox: what conditions and senders of journey files are made of.

Decides its value for given plain values; what the value must be is its caller's question.
The surprising fact: it is compiled as a template of one assignment, for Jinja2 compiles
nothing smaller.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from textwrap import shorten
from typing import Any

from babel import Locale
from jinja2 import Template, nodes
from jinja2.runtime import Context

from engine.localtime import zone
from rendering.bounds import RUN, Run
from rendering.errors import ExpressionFailure
from rendering.formats import Manner
from rendering.grammar import Vocabulary, rewrite
from rendering.sandbox import FAULTS, Sandbox, problem

# An expression is a line of a YAML file; a longer one is a program.
MAX_EXPRESSION = 2_000
_RESULT = "result"

# What comes to an answer for numbers of which only the bounds are known as it does for each.
_ARITHMETIC = (
    nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Add, nodes.Sub, nodes.Mul,
    nodes.Call, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const,
)  # fmt: skip
_COMPARISONS = frozenset({"eq", "ne", "lt", "lteq", "gt", "gteq"})


@cache
def _neutral() -> Manner:
    """Conditions mean the same for everyone: dates in them are written in English, in UTC."""
    utc = zone("UTC")
    assert utc is not None  # tzdata has it
    return Manner(locale=Locale("en"), zone=utc)


@dataclass(frozen=True, eq=False)
class Expression:
    """A compiled expression. Safe to share between threads."""

    text: str
    calls: tuple[nodes.Call, ...]  # the functions it calls, as written
    paths: tuple[tuple[str, ...], ...]  # the names it looks at, each with its first field
    is_arithmetic: bool  # it only adds, subtracts, multiplies and compares (`engine.between`)
    _template: Template
    _globals: Mapping[str, Any]

    def value(self, values: Mapping[str, Any]) -> Any:
        """Its value; `Missing` where there is none. Raises ExpressionFailure."""
        template = self._template
        known = {**self._globals, **values, RUN: Run(_neutral())}
        # Not by `new_context`, which merges its globals anew each time, for half of all the work.
        running = Context(template.environment, known, template.name, {})
        try:
            for _ in template.root_render_func(running):
                pass  # it prints nothing: one assignment
        except FAULTS as error:
            raise ExpressionFailure(f"{quoted(self.text)}: {problem(error)}") from error
        return running.vars[_RESULT]


def compile_expression(text: str, vocabulary: Vocabulary) -> Expression:
    """Raises TemplateError, whose `problem` says what is wrong."""
    sandbox = _sandbox(vocabulary)
    parsed = sandbox.expression(text, "expression")
    sandbox.judge(parsed, "expression")
    result = nodes.Assign(nodes.Name(_RESULT, "store", lineno=1), parsed, lineno=1)
    tree = nodes.Template([result], lineno=1)
    tree.set_environment(sandbox)
    calls, paths = tuple(tree.find_all(nodes.Call)), tuple(_paths(parsed))
    is_arithmetic = _is_arithmetic(parsed)
    rewrite(tree)
    template = sandbox.from_string(tree)
    return Expression(text, calls, paths, is_arithmetic, template, dict(template.globals))


def _is_arithmetic(tree: nodes.Node) -> bool:
    if isinstance(tree, nodes.Operand) and tree.op not in _COMPARISONS:
        return False
    return isinstance(tree, _ARITHMETIC) and all(map(_is_arithmetic, tree.iter_child_nodes()))


def _paths(tree: nodes.Node) -> Iterator[tuple[str, ...]]:
    """Names, and the first field of each where it is written out; functions are none."""
    match tree:
        case nodes.Name():
            yield (tree.name,)
            return
        case nodes.Getattr(node=nodes.Name(name=name)):
            yield (name, tree.attr)
            return
        case nodes.Getitem(node=nodes.Name(name=name), arg=nodes.Const(value=str(field))):
            yield (name, field)
            return
    for child in tree.iter_child_nodes():
        if not (isinstance(tree, nodes.Call) and child is tree.node):
            yield from _paths(child)


def quoted(text: str) -> str:
    """The text in back quotes, cut where nobody would read on."""
    return f"`{shorten(text, 80, placeholder=' …')}`"


@cache
def _sandbox(vocabulary: Vocabulary) -> Sandbox:
    return Sandbox(vocabulary)

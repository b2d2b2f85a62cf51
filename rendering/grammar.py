"""What a template may say: an allow-list walk over its syntax tree, and a few rewritings.

Decides at compile time; what only shows at run time (sizes, amounts of work) is bounded in
`sandbox`. Knows no data. The one surprising fact: `rewrite` changes the tree, so that every
loop pays for its turns, literal `none` is `Missing`, `in` bears missing fields, `~` is
bounded and written lists stay flat; the author notices none of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

# Every stage after this one recurses over the tree; hand-written messages stay below 25.
MAX_TREE_DEPTH = 60
# Above this, a number is not money, a count or a percentage; arithmetic stays exact below it.
MAX_NUMBER = 10**15

# Names that only `rewrite` writes; authors' names may not start with an underscore.
EACH, JOIN, LITERAL, PAY, NONE_NAME = "_each", "_join", "_literal", "_pay", "_none"
_PAID_NAME = "_paid"

_STATEMENTS: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Block,
    nodes.Extends, nodes.Include, nodes.Assign,
)  # fmt: skip
_EXPRESSIONS: tuple[type[nodes.Node], ...] = (
    nodes.Name, nodes.Const, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.Keyword,
    nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Call, nodes.Getattr, nodes.Getitem,
    nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand, nodes.Add, nodes.Sub, nodes.Mul,
    nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Not, nodes.Neg, nodes.Pos, nodes.And, nodes.Or,
)  # fmt: skip
_ALLOWED = frozenset(_STATEMENTS + _EXPRESSIONS)

_SHARE = "`{}` is not allowed: put what messages share into a page of its own, and `include` it"
_INSTEAD: dict[type[nodes.Node], str] = {
    nodes.Import: _SHARE.format("import"),
    nodes.FromImport: _SHARE.format("import"),
    nodes.Macro: _SHARE.format("macro"),
    nodes.CallBlock: "`call` is not allowed: write the text out",
    nodes.FilterBlock: "`filter` blocks are not allowed: use `{{ … | filter }}`",
    nodes.AssignBlock: "`set` blocks are not allowed: use `{% set name = … %}`",
    nodes.With: "`with` is not allowed: use `{% set name = … %}`",
    nodes.Pow: "`**` is not allowed",
    nodes.NSRef: "`set` takes a plain name",
}
_FILTERS_INSTEAD = {
    "safe": "`safe` is not allowed: it would let a customer's name become HTML",
    "e": "`e` is not needed: `.html` files are escaped by themselves",
    "escape": "`escape` is not needed: `.html` files are escaped by themselves",
    "format": "`format` is not allowed: use `~`, `round` or `number`",
    "attr": "`attr` is not allowed: write `customer.name`",
    "map": "`map` is not allowed: use a `for` loop",
    "datetime": "there is no filter `datetime`: use `date` and `time`",
}


@dataclass(frozen=True)
class Vocabulary:
    """The words open to a kind of template."""

    names: frozenset[str]
    functions: frozenset[str]
    filters: frozenset[str]
    tests: frozenset[str]
    closed: tuple[tuple[str, frozenset[str]], ...] = ()  # groups whose fields are all known


class Refusal(NamedTuple):
    """One thing that a template may not say."""

    line: int
    problem: str


def refusals(tree: nodes.Node, vocabulary: Vocabulary) -> list[Refusal]:
    """Everything in the tree that is not allowed, in order of lines; empty if all is well."""
    assigned = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    found = list(_walk(tree, vocabulary, frozenset(assigned), 0))
    return sorted(dict.fromkeys(found), key=lambda refusal: refusal.line)


def _walk(
    node: nodes.Node, words: Vocabulary, assigned: frozenset[str], depth: int
) -> Iterator[Refusal]:
    line = node.lineno or 1
    if type(node) not in _ALLOWED:
        what = type(node).__name__.lower()
        yield Refusal(line, _INSTEAD.get(type(node), f"`{what}` is not allowed"))
        return
    if depth > MAX_TREE_DEPTH:
        yield Refusal(line, "this is nested too deeply")
        return
    if (problem := _problem(node, words, assigned)) is not None:
        yield Refusal(line, problem)
    for child in node.iter_child_nodes():
        # The name of a function is judged with its call; as a value it means nothing.
        if not (isinstance(node, nodes.Call) and child is node.node):
            yield from _walk(child, words, assigned, depth + 1)


def _problem(node: nodes.Node, words: Vocabulary, assigned: frozenset[str]) -> str | None:
    match node:
        case nodes.Name(ctx="load"):
            return _name_problem(node.name, words, assigned)
        case nodes.Name():
            if node.name.startswith("_") or node.name in words.names | words.functions | {"loop"}:
                return f"`{node.name}` can't be set here: take another name"
        case nodes.Const():
            return _const_problem(node.value)
        case nodes.Getattr() if node.attr.startswith("__"):
            return f"`{node.attr}` is not a field"
        case nodes.Getattr(node=nodes.Name(name=group)):
            for name, fields in words.closed:
                if group == name and node.attr not in fields:
                    return _unknown("field", node.attr, fields, f"{name}.")
        case nodes.Getitem(arg=nodes.Const(value=str(key))) if key.startswith("__"):
            return f"`{key}` is not a field"
        case nodes.Call():
            return _call_problem(node, words)
        case nodes.Filter():
            return _filter_problem(node, words)
        case nodes.Test():
            return _unknown("test", node.name, words.tests)
        case nodes.For() if node.recursive:
            return "`recursive` loops are not allowed"
        case nodes.Extends() if not isinstance(node.template, nodes.Const):
            return '`extends` takes a file name in quotes: `{% extends "layout.html" %}`'
        case nodes.Include():
            return _include_problem(node)
        case nodes.Block() if node.name.startswith("_"):
            return f"`{node.name}` can't be a block's name"
    return None


def _include_problem(node: nodes.Include) -> str | None:
    named = isinstance(node.template, nodes.Const) and isinstance(node.template.value, str)
    if not named or node.ignore_missing or not node.with_context:
        return '`include` takes a file name in quotes and no more: `{% include "products.html" %}`'
    return None


def _name_problem(name: str, words: Vocabulary, assigned: frozenset[str]) -> str | None:
    if name in words.functions:
        return f"`{name}` is a function: write `{name}(…)`"
    if name in words.names or name in assigned or name == "loop":
        return None
    known = sorted(words.names | assigned)
    close = get_close_matches(name, known, n=1)
    tail = f"did you mean `{close[0]}`?" if close else f"known are {_listed(known)}"
    return f"there is no `{name}`; {tail}"


def _const_problem(value: object) -> str | None:
    if isinstance(value, int | float) and not abs(value) <= MAX_NUMBER:  # NaN, too
        return "the number is too large"
    return None


def _call_problem(node: nodes.Call, words: Vocabulary) -> str | None:
    if not isinstance(node.node, nodes.Name):
        name = node.node.attr if isinstance(node.node, nodes.Getattr) else "this"
        hint = f": use `| {name}`" if name in words.filters else ""
        return f"`{name}(…)` can't be called{hint}"
    if node.node.name not in words.functions:
        return _unknown("function", node.node.name, words.functions)
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return "`*` in a call is not allowed"
    return None


def _filter_problem(node: nodes.Filter, words: Vocabulary) -> str | None:
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return "`*` in a filter is not allowed"
    if node.name in words.filters:
        return None
    return _FILTERS_INSTEAD.get(node.name) or _unknown("filter", node.name, words.filters)


def _unknown(kind: str, name: str, known: frozenset[str], group: str = "") -> str | None:
    if name in known:
        return None
    close = get_close_matches(name, sorted(known), n=1)
    words = [f"{group}{word}" for word in sorted(known)]
    tail = f"did you mean `{group}{close[0]}`?" if close else f"known are {_listed(words)}"
    return f"there is no {kind} `{group}{name}`; {tail}"


def _listed(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def rewrite(tree: nodes.Node) -> None:
    """Change an allowed tree in place, so that its work is counted and its nones are safe."""
    _Rewriter().visit(tree)


def charge(tree: nodes.Template) -> None:
    """Have a page pay when it begins, so that one that is included in a loop pays each time."""
    cost = nodes.Const(sum(1 for _ in _all(tree)), lineno=1)
    paid = nodes.Name(_PAID_NAME, "store", lineno=1)
    tree.body.insert(0, nodes.Assign(paid, _filter(PAY, cost), lineno=1))


class _Rewriter(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - the visitor's spelling
        # Counted before the children change: a turn costs what its body holds.
        cost = 1 + sum(1 for part in (*node.body, node.test) if part for _ in _all(part))
        self.generic_visit(node)
        node.iter = _filter(EACH, node.iter, nodes.Const(cost, lineno=node.lineno))
        return node

    def visit_Const(self, node: nodes.Const) -> nodes.Node:  # noqa: N802
        if node.value is None:
            return nodes.Name(NONE_NAME, "load", lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(JOIN, nodes.List(node.nodes, lineno=node.lineno))

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if node.expr2 is None:  # `{{ 'a' if b }}` says nothing otherwise
            node.expr2 = nodes.Const("", lineno=node.lineno)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            # So that an error may name the field, which it may not if the name is data.
            return nodes.Getattr(node.node, node.arg.value, "load", lineno=node.lineno)
        return node

    def visit_List(self, node: nodes.List | nodes.Tuple | nodes.Dict) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        flat = all(isinstance(item, nodes.Const) for item in node.items)
        return node if flat else _filter(LITERAL, node)

    visit_Dict = visit_List  # noqa: N815

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        return self.visit_List(node) if node.ctx == "load" else node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if len(node.ops) == 1 and node.ops[0].op in ("in", "notin"):
            test = nodes.Test(
                node.expr, "in", [node.ops[0].expr], [], None, None, lineno=node.lineno
            )
            return nodes.Not(test, lineno=node.lineno) if node.ops[0].op == "notin" else test
        return node


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _all(child)


def _filter(name: str, node: Any, *args: Any) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)

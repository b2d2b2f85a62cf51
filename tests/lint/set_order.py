"""Finds sets that are iterated where order matters.

A set of texts has another order in every process (PYTHONHASHSEED), so a workflow that walks
one issues its commands in another order on replay. `sorted(…)` is the way out; so are `any`,
`sum` and the like, whose answer does not depend on the order.

It knows set displays, `set(…)`, set arithmetic, and the names and fields that were assigned
or annotated as sets in the same file; it does not follow values across files.
"""

import ast
from dataclasses import dataclass, field

from tests.lint.findings import Finding

WHY = "a set's order differs between processes: iterate over `sorted(…)` or keep a tuple"

_MAKERS = frozenset({"frozenset", "set"})
_TYPES = _MAKERS | {"AbstractSet", "FrozenSet", "MutableSet", "Set"}
_METHODS = frozenset({"difference", "intersection", "symmetric_difference", "union"})
_OPERATORS = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)
_ORDER_FREE = frozenset({"all", "any", "frozenset", "len", "max", "min", "set", "sorted", "sum"})
_ORDERED = frozenset({"dict", "enumerate", "filter", "iter", "list", "map", "tuple", "zip"})
_ORDERED_METHODS = frozenset({"extend", "fromkeys", "join"})


def find_iterated_sets(source: str) -> list[Finding]:
    """Every place of one module where the order of a set would show."""
    visitor = _Visitor()
    visitor.visit(ast.parse(source))
    return sorted(set(visitor.findings))


@dataclass
class _Visitor(ast.NodeVisitor):
    findings: list[Finding] = field(default_factory=list)
    # Names that hold sets, one layer a function; fields that were declared as sets.
    names: list[set[str]] = field(default_factory=lambda: [set()])
    fields: set[str] = field(default_factory=set)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            match statement:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation) if _is_set_type(
                    annotation
                ):
                    self.fields.add(name)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        sets = {each.arg for each in arguments if each.annotation and _is_set_type(each.annotation)}
        self.names.append(sets)
        self.generic_visit(node)
        self.names.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._remember(target.id, self._is_set(node.value))
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._remember(node.target.id, _is_set_type(node.annotation))
        elif isinstance(node.target, ast.Attribute) and _is_set_type(node.annotation):
            self.fields.add(node.target.attr)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self._check(node.iter)
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        self._check(node.value)
        self.generic_visit(node)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> None:
        self._check(node.value)
        self.generic_visit(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._check_generators(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._check_generators(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._check_generators(node)

    def visit_Call(self, node: ast.Call) -> None:
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.GeneratorExp() as inner, *rest]) if (
                name in _ORDER_FREE
            ):
                # Into the generator, past its own order.
                self.generic_visit(inner)
                for each in [*rest, *node.keywords]:
                    self.visit(each)
                return
            case ast.Call(func=ast.Name(id=name)) if name in _ORDERED:
                self._check_all(node.args)
            case ast.Call(func=ast.Attribute(attr=name)) if name in _ORDERED_METHODS:
                self._check_all(node.args)
        self.generic_visit(node)

    def _check_generators(self, node: ast.ListComp | ast.DictComp | ast.GeneratorExp) -> None:
        self._check_all([each.iter for each in node.generators])
        self.generic_visit(node)

    def _check_all(self, nodes: list[ast.expr]) -> None:
        for node in nodes:
            self._check(node)

    def _check(self, node: ast.expr) -> None:
        if self._is_set(node):
            self.findings.append(Finding(node.lineno, f"iterates `{ast.unparse(node)}`", WHY))

    def _is_set(self, node: ast.expr) -> bool:
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Call(func=ast.Name(id=name)):
                return name in _MAKERS
            case ast.Call(func=ast.Attribute(attr=name)):
                return name in _METHODS
            case ast.BinOp(op=operator, left=left, right=right):
                return isinstance(operator, _OPERATORS) and (
                    self._is_set(left) or self._is_set(right)
                )
            case ast.IfExp(body=body, orelse=orelse):
                return self._is_set(body) or self._is_set(orelse)
            case ast.Name(id=name):
                return any(name in layer for layer in self.names)
            case ast.Attribute(attr=name):
                return name in self.fields
        return False

    def _remember(self, name: str, is_set: bool) -> None:
        if is_set:
            self.names[-1].add(name)
        else:
            self.names[-1].discard(name)


def _is_set_type(annotation: ast.expr) -> bool:
    base = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", None)
    return name in _TYPES

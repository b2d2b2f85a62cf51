"""Where a page prints what a customer may not have, with nothing to stand in for it.

Decides by the syntax tree: a trait is safe under `| default(…)`, or where an `if` has seen
it. Knows no customer, so whether a trait is ever missing is not its business. The surprising
fact: it follows `{% set name = customer.first_name %}`, but not the items of a list, whose
fields are nobody's promise.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from jinja2 import nodes

# `customer.company.name`, or the name that a `set` gave to such a thing.
Path = tuple[str, ...]
_NOTHING: frozenset[Path] = frozenset()
# Filters whose value may be missing although they were given one, or bear a missing one.
_PASSING = frozenset({"web_link", "first", "last"})
_STANDING_IN = frozenset({"default", "d"})


@dataclass(frozen=True)
class Bare:
    """A trait that is needed on this line: `customer.first_name`."""

    line: int
    trait: str


def bare_traits(tree: nodes.Template, known: Iterable[str] = ()) -> list[Bare]:
    """Every trait that would stop the message if it were missing, by line; each line once.

    `known` are traits that nobody without them is sent the page.
    """
    walk = _Walk()
    walk.body(tree.body, frozenset(("customer", trait) for trait in known))
    return sorted(dict.fromkeys(walk.found), key=lambda bare: bare.line)


@dataclass(frozen=True)
class _Set:
    """What a name stands for: the traits that it needs, the fields that are there if it is."""

    traits: tuple[str, ...]
    fields: frozenset[Path]


@dataclass
class _Walk:
    """One pass over a page, in the order in which it is rendered."""

    found: list[Bare] = field(default_factory=list)
    _set: dict[str, _Set] = field(default_factory=dict)

    def body(self, body: Iterable[nodes.Node], known: frozenset[Path]) -> None:
        for node in body:
            self._statement(node, known)

    def _statement(self, node: nodes.Node, known: frozenset[Path]) -> None:
        match node:
            case nodes.Output():
                for part in node.nodes:
                    self._need(part, known)
            case nodes.If():
                self._if(node, known)
            case nodes.For():
                self._need(node.iter, known)
                if node.test is not None:
                    self._judge(node.test, known)
                self.body(node.body, known)
                self.body(node.else_, known)
            case nodes.Assign(target=nodes.Name(name=name)):
                self._assign(name, node.node, known)
            case nodes.Block():
                self.body(node.body, known)

    def _if(self, node: nodes.If, known: frozenset[Path]) -> None:
        self._judge(node.test, known)
        self.body(node.body, known | self._if_true(node.test))
        rest = known | self._if_false(node.test)
        for each in node.elif_:
            self._judge(each.test, rest)
            self.body(each.body, rest | self._if_true(each.test))
            rest |= self._if_false(each.test)
        self.body(node.else_, rest)

    def _assign(self, name: str, value: nodes.Node, known: frozenset[Path]) -> None:
        """Giving a name to what is missing harms nobody: that is found where it is used."""
        before = len(self.found)
        self._judge(value, known)
        if len(self.found) > before:
            self._set[name] = _Set((), _NOTHING)  # told already
            return
        self._need(value, known)
        traits = tuple(bare.trait for bare in self.found[before:])
        del self.found[before:]
        self._set[name] = _Set(traits, self._seen(value))

    # -- what an expression needs -----------------------------------------------------------

    def _need(self, node: nodes.Node, known: frozenset[Path]) -> None:
        """The value itself is used: printed, computed with, gone through."""
        match node:
            case nodes.Name(name=name) if name in self._set:
                if (name,) not in known:
                    self.found += [Bare(node.lineno, each) for each in self._set[name].traits]
            case nodes.Getattr() | nodes.Getitem():
                self._need_field(node, known)
            case nodes.Filter(name=name) if name in _STANDING_IN and node.node is not None:
                self._judge(node.node, known)
                self._need_all(node.args, known)
            case nodes.CondExpr():
                self._judge(node.test, known)
                self._need(node.expr1, known | self._if_true(node.test))
                if node.expr2 is not None:
                    self._need(node.expr2, known | self._if_false(node.test))
            case nodes.Or():
                self._judge(node.left, known)
                self._need(node.right, known | self._if_false(node.left))
            case nodes.And():
                self._need(node.left, known)
                self._need(node.right, known | self._if_true(node.left))
            case nodes.Not() | nodes.Test() | nodes.Compare():
                self._judge(node, known)
            case _:
                self._need_all(node.iter_child_nodes(), known)

    def _need_all(self, children: Iterable[nodes.Node], known: frozenset[Path]) -> None:
        for child in children:
            self._need(child, known)

    def _need_field(self, node: nodes.Getattr | nodes.Getitem, known: frozenset[Path]) -> None:
        path = _path(node)
        if path is None or path[0] != "customer" or len(path) == 1:
            self._need_all(node.iter_child_nodes(), known)
        elif path not in known:
            self.found.append(Bare(node.lineno, ".".join(path)))

    def _judge(self, node: nodes.Node, known: frozenset[Path]) -> None:
        """The value is asked about: a field may be missing, what is made of one may not."""
        match node:
            case nodes.Name() | nodes.Getattr() | nodes.Getitem() | nodes.Const():
                pass
            case nodes.Filter(name=name) if name in _PASSING and node.node is not None:
                self._judge(node.node, known)
                self._need_all(node.args, known)
            case nodes.Filter():
                self._need(node, known)
            case nodes.And():
                self._judge(node.left, known)
                self._judge(node.right, known | self._if_true(node.left))
            case nodes.Or():
                self._judge(node.left, known)
                self._judge(node.right, known | self._if_false(node.left))
            case nodes.Not() | nodes.Test() | nodes.Compare() | nodes.Operand():
                for child in node.iter_child_nodes():
                    self._judge(child, known)
            case _:
                self._need(node, known)

    # -- what a test has seen ---------------------------------------------------------------

    def _if_true(self, node: nodes.Node) -> frozenset[Path]:
        """What is there, given that this holds."""
        match node:
            case nodes.Not():
                return self._if_false(node.node)
            case nodes.And():
                return self._if_true(node.left) | self._if_true(node.right)
            case nodes.Or():
                return self._if_true(node.left) & self._if_true(node.right)
            case nodes.Test(name="undefined" | "none"):
                return _NOTHING
            case nodes.Test():
                return self._seen(node.node)
            case nodes.Compare(ops=[nodes.Operand(op="ne" | "notin")]):
                return _NOTHING
            case nodes.Compare():
                # Equal to something, or ordered: only what is there is.
                sides = [node.expr, *(operand.expr for operand in node.ops)]
                none = any(isinstance(side, nodes.Const) and side.value is None for side in sides)
                return _NOTHING if none else self._seen_all(sides)
            case _:
                return self._seen(node)

    def _if_false(self, node: nodes.Node) -> frozenset[Path]:
        """What is there, given that this does not hold."""
        match node:
            case nodes.Not():
                return self._if_true(node.node)
            case nodes.Or():
                return self._if_false(node.left) | self._if_false(node.right)
            case nodes.And():
                return self._if_false(node.left) & self._if_false(node.right)
            case nodes.Test(name="undefined" | "none"):
                return self._seen(node.node)
            case _:
                return _NOTHING

    def _seen_all(self, sides: Iterable[nodes.Node]) -> frozenset[Path]:
        # Two fields may both be missing, and then they are equal.
        seen = [each for side in sides if (each := self._seen(side))]
        return seen[0] if len(seen) == 1 else _NOTHING

    def _seen(self, node: nodes.Node) -> frozenset[Path]:
        """This field, and all that it is in."""
        path = _path(node)
        if path is None:
            match node:
                case nodes.Filter(name=name, node=nodes.Node() as inner) if (
                    name not in _STANDING_IN
                ):
                    return self._seen(inner)
            return _NOTHING
        found = frozenset(path[:length] for length in range(1, len(path) + 1))
        if len(path) == 1 and path[0] in self._set:
            return found | self._set[path[0]].fields
        return found


def _path(node: nodes.Node) -> Path | None:
    """`customer.company["name"]` as its names; None for anything computed."""
    match node:
        case nodes.Name():
            return (node.name,)
        case nodes.Getattr():
            inner = _path(node.node)
            return None if inner is None else (*inner, node.attr)
        case nodes.Getitem(arg=nodes.Const(value=key)):
            inner = _path(node.node)
            return None if inner is None else (*inner, str(key))
    return None

"""Finds clocks, randomness and I/O in rooms whose code must do the same on every replay.

Temporal replays a workflow's code against its history, and simulator and workflow must agree
to the instant: a due time that differs by half a second on replay is a non-determinism error
that holds up an enrollment for good. The SDK's sandbox would catch clocks, but the rooms are
passed through it for speed, so this linter is the guard.

It follows imports and dotted names, no further: it is a net for slips, not for sabotage.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.lint.findings import Finding

CLOCK = "the time is a parameter: take `now` (in a workflow: `workflow.now()`)"
RANDOM = "the same inputs must give the same decisions: use a stable hash (engine/sampling.py)"
IDENTITY = "ids are built from stable parts (engine/keys.py), so that a retry finds them again"
ENVIRONMENT = "settings are handed down from entry points"
IO = "this room does no I/O: take the content as a parameter"
WAIT = "waiting is one timer that a person can read: `workflow.sleep(…, summary=…)`"
HASH = "it differs between processes (PYTHONHASHSEED): use hashlib"
ORDER = "it gives tasks in no fixed order: use `workflow.wait` or `workflow.as_completed`"

# A name bans itself and everything under it: `time` bans `time.monotonic`.
IMPURE: Mapping[str, str] = {
    "asyncio.as_completed": ORDER,
    "asyncio.sleep": WAIT,
    "asyncio.wait": ORDER,
    "datetime.date.today": CLOCK,
    "datetime.datetime.now": CLOCK,
    "datetime.datetime.today": CLOCK,
    "datetime.datetime.utcnow": CLOCK,
    "io": IO,
    "os": IO,
    "pathlib": IO,
    "random": RANDOM,
    "secrets": RANDOM,
    "shutil": IO,
    "socket": IO,
    "subprocess": IO,
    "tempfile": IO,
    "temporalio.workflow.random": RANDOM,
    "temporalio.workflow.uuid4": IDENTITY,
    "threading": IO,
    "time": CLOCK,
    "urllib.request": IO,
    "uuid": IDENTITY,
}

# Only as calls: `id` and `hash` are good names for fields.
IMPURE_CALLS: Mapping[str, str] = {
    "hash": HASH,
    "id": HASH,
    "input": IO,
    "open": IO,
    "print": IO,
}

READS_ENVIRONMENT: Mapping[str, str] = {"os.environ": ENVIRONMENT, "os.getenv": ENVIRONMENT}


def find_impure(source: str) -> list[Finding]:
    """Every clock, source of randomness and I/O that one module names."""
    return _find(source, IMPURE, IMPURE_CALLS)


def find_environment_reads(source: str) -> list[Finding]:
    """Where a module reads the environment. Setting a variable, for child processes, is none."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            node.value = ast.Constant(None)
    return _find(tree, READS_ENVIRONMENT, {})


def imported_packages(source: str) -> set[str]:
    """The top-level packages a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _find(
    source: str | ast.Module, names: Mapping[str, str], calls: Mapping[str, str]
) -> list[Finding]:
    visitor = _Visitor(names, calls)
    visitor.visit(source if isinstance(source, ast.Module) else ast.parse(source))
    return sorted(set(visitor.findings))


@dataclass
class _Visitor(ast.NodeVisitor):
    names: Mapping[str, str]
    calls: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    # What a local name stands for: `dt` → `datetime`, `nap` → `time.sleep`.
    imported: dict[str, str] = field(default_factory=dict)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            self.imported[alias.asname or top] = alias.name if alias.asname else top
            self._check(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            full = f"{node.module or ''}.{alias.name}"
            self.imported[alias.asname or alias.name] = full
            self._check(node, full)

    def visit_Name(self, node: ast.Name) -> None:
        self._check(node, self._full_name(node))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._check(node, self._full_name(node))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in self.calls and name not in self.imported:
            self.findings.append(Finding(node.lineno, f"`{name}(…)`", self.calls[name]))
        self.generic_visit(node)

    def _check(self, node: ast.stmt | ast.expr, full: str | None) -> None:
        for banned, why in self.names.items():
            if full and (full == banned or full.startswith(f"{banned}.")):
                self.findings.append(Finding(node.lineno, f"`{full}`", why))

    def _full_name(self, node: ast.expr) -> str | None:
        """`dt.now` → `datetime.datetime.now`; None for what starts with a local value."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id)
        if isinstance(node, ast.Attribute) and (owner := self._full_name(node.value)):
            return f"{owner}.{node.attr}"
        return None

"""`engine` and `workflows` do the same whenever and wherever they run."""

import sys

import pytest

from tests.lint.banned_names import find_environment_reads, find_impure, imported_packages
from tests.lint.checkout import ROOMS, ROOT, python_files
from tests.lint.set_order import find_iterated_sets

PURE_ROOMS = ("engine", "workflows")
# design.md, "Rooms": the engine imports the standard library, pydantic and tzdata.
ENGINE_MAY_IMPORT = {"engine", "pydantic", "tzdata"} | sys.stdlib_module_names


def test_pure_rooms_have_no_clock_no_randomness_and_no_io() -> None:
    assert [
        f"{path.relative_to(ROOT)}, {finding}"
        for path in python_files(*PURE_ROOMS)
        for finding in find_impure(path.read_text(encoding="utf-8"))
    ] == []


def test_pure_rooms_iterate_no_set() -> None:
    assert [
        f"{path.relative_to(ROOT)}, {finding}"
        for path in python_files(*PURE_ROOMS)
        for finding in find_iterated_sets(path.read_text(encoding="utf-8"))
    ] == []


def test_the_engine_imports_only_what_its_room_may() -> None:
    imported = {
        f"{path.relative_to(ROOT)} imports {package}"
        for path in python_files("engine")
        for package in imported_packages(path.read_text(encoding="utf-8")) - ENGINE_MAY_IMPORT
    }
    assert imported == set()


def test_only_settings_reads_the_environment() -> None:
    assert [
        f"{path.relative_to(ROOT)}, {finding}"
        for path in python_files(*ROOMS)
        for finding in find_environment_reads(path.read_text(encoding="utf-8"))
    ] == []


def test_the_linters_look_at_something() -> None:
    assert len(list(python_files("engine"))) > 5
    assert all(list(python_files(room)) for room in ROOMS)


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\nstart = datetime.now()",
        "from datetime import datetime as moment, UTC\nmoment.now(UTC)",
        "import datetime\ndatetime.datetime.utcnow()",
        "import datetime as dt\ndt.date.today()",
        "from datetime import datetime\nfield(default_factory=datetime.now)",
        "import time\ntime.time()",
        "from time import monotonic as tick",
        "import random",
        "from random import choice",
        "import uuid",
        "from uuid import uuid4",
        "import secrets",
        "from temporalio import workflow\nworkflow.uuid4()",
        "from temporalio import workflow\nworkflow.random().random()",
        "import asyncio\nasync def f(): await asyncio.sleep(1)",
        "from asyncio import sleep",
        "import asyncio\nasync def f(): await asyncio.wait([])",
        "import os\nos.environ['X']",
        "from os import getenv",
        "def f():\n    import pathlib",
        "open('journey.yaml')",
        "hash('cust_42')",
        "print('sent')",
    ],
)
def test_a_clock_randomness_or_io_is_found(source: str) -> None:
    assert find_impure(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime, time\ndef f(now: datetime) -> datetime: return now",
        "from temporalio import workflow\nworkflow.now()",
        "from datetime import datetime, UTC\ndatetime.fromtimestamp(0, UTC)",
        "class Step:\n    id: str\n    hash: str\ndef f(step): return step.id, step.hash",
        "def f(row): return row.time.now(), row.random",
        "import hashlib\nhashlib.sha256(b'')",
    ],
)
def test_what_only_looks_like_a_clock_is_allowed(source: str) -> None:
    assert find_impure(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "for x in {1, 2}: pass",
        "for x in set(steps): pass",
        "[x for x in frozenset(steps)]",
        "{x: 1 for x in {y for y in steps}}",
        "names = {'a'}\nfor x in names: pass",
        "def f(names: frozenset[str]):\n    for x in names: pass",
        "class A:\n    names: set[str]\ndef f(a):\n    return [x for x in a.names]",
        "class A:\n    def __init__(self):\n        self.open: set[str] = set()\n"
        "    def f(self):\n        return list(self.open)",
        "for x in set(a) - set(b): pass",
        "for x in a.union(b): pass",
        "list({1})",
        "tuple(set(steps))",
        "next(iter({1}))",
        "', '.join({'a'})",
        "f(*{1})",
        "first, *rest = (*{1},)",
        "def f(): yield from {1}",
        "dict.fromkeys({1})",
        "for i, x in enumerate({1}): pass",
        "any(x for y in z for x in [v for v in {1}])",
    ],
)
def test_an_iterated_set_is_found(source: str) -> None:
    assert find_iterated_sets(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "for x in sorted({1, 2}): pass",
        "any(x > 1 for x in {1, 2})",
        "sorted(x for x in {1, 2})",
        "{x for x in {1, 2}}",
        "'a' in {'a'}",
        "names = {'a'}\nnames = ['a']\nfor x in names: pass",
        "def f():\n    names = {1}\ndef g(names):\n    for x in names: pass",
        "len(set(steps))",
    ],
)
def test_a_set_whose_order_does_not_show_is_allowed(source: str) -> None:
    assert find_iterated_sets(source) == []


@pytest.mark.parametrize(
    "source",
    ["import os\nos.environ.get('X')", "import os\nos.getenv('X')", "from os import environ"],
)
def test_reading_the_environment_is_found(source: str) -> None:
    assert find_environment_reads(source) != []


def test_setting_a_variable_for_child_processes_is_allowed() -> None:
    assert find_environment_reads("import os\nos.environ['PYTHONTZPATH'] = ''") == []

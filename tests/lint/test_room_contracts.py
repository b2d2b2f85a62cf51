"""The import contracts of pyproject.toml hold, and each of them can fail.

They are tried on a tree of empty rooms: once as the design allows, once with every import
that it forbids.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.lint.checkout import ROOMS, ROOT

# The "may import" column of design.md's table, beside the room itself.
MAY_IMPORT = {
    "engine": set[str](),
    "rendering": {"engine"},
    "authoring": {"engine", "rendering"},
    "store": {"engine"},
    "activities": {"store", "rendering", "engine"},
    "workflows": {"engine"},
    "api": {"store", "authoring", "rendering", "engine", "settings"},
    "worker": {*ROOMS, "settings"} - {"benchmarks"},
    "cli": {*ROOMS, "settings"} - {"benchmarks"},
}
EVERYTHING = {*MAY_IMPORT, "settings"}


def empty_rooms(root: Path) -> None:
    for room in MAY_IMPORT:
        (root / room).mkdir()
        (root / room / "__init__.py").touch()
    (root / "activities" / "names.py").touch()
    (root / "settings.py").touch()
    (root / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())


def lint_imports(root: Path) -> tuple[int, str]:
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"],
        cwd=root,
        # The checkout is installed where this Python looks; the rooms meant are the empty ones.
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def test_the_imports_that_the_design_allows_keep_every_contract(tmp_path: Path) -> None:
    empty_rooms(tmp_path)
    for room, allowed in MAY_IMPORT.items():
        lines = [f"import {other}\n" for other in sorted(allowed - {room})]
        (tmp_path / room / "allowed.py").write_text("".join(lines))
    (tmp_path / "workflows" / "names.py").write_text("from activities import names\n")
    code, output = lint_imports(tmp_path)
    assert code == 0, output
    assert "0 broken" in output


def test_each_import_that_the_design_forbids_breaks_a_contract(tmp_path: Path) -> None:
    empty_rooms(tmp_path)
    forbidden = [
        (room, other)
        for room, allowed in MAY_IMPORT.items()
        for other in sorted(EVERYTHING - allowed - {room})
    ]
    for room, other in forbidden:
        # A module of its own for each: one import must not hide another.
        (tmp_path / room / f"wants_{other}.py").write_text(f"import {other}\n")
    code, output = lint_imports(tmp_path)
    assert code == 1, output
    missed = [pair for pair in forbidden if f"{pair[0]}.wants_{pair[1]} -> {pair[1]}" not in output]
    assert missed == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("engine/bad.py", "import temporalio"),
        ("engine/bad.py", "import sqlmodel"),
        ("engine/bad.py", "import jinja2"),
        ("engine/bad.py", "import httpx"),
        ("workflows/bad.py", "import sqlalchemy"),
        ("workflows/bad.py", "from activities import deliver"),
        ("store/bad.py", "import temporalio"),
        ("activities/names.py", "import activities.deliver"),
    ],
)
def test_a_forbidden_library_or_back_door_breaks_a_contract(
    tmp_path: Path, module: str, line: str
) -> None:
    empty_rooms(tmp_path)
    (tmp_path / "activities" / "deliver.py").write_text("import store\nimport httpx\n")
    (tmp_path / module).write_text(line + "\n")
    code, output = lint_imports(tmp_path)
    assert code == 1, output


def test_every_contract_is_one_of_the_design() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    assert {contract["id"] for contract in contracts} == {*MAY_IMPORT, "activity-names"} - {
        "cli",
        "worker",
    }

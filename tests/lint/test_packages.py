"""What pyproject.toml installs is what the tree holds."""

from pathlib import Path

import pytest
from setuptools import find_packages

from tests.lint.checkout import ROOMS, ROOT, project

# Folders with Python that are not installed: the tests, what setuptools built, what is hidden
# (virtual environments, caches).
NOT_INSTALLED = {"build", "tests"}


def packages_in(root: Path) -> set[str]:
    """The dotted name of every folder that holds Python, `__init__.py` or not."""
    return {
        ".".join(folder.parts)
        for path in root.rglob("*.py")
        if (folder := path.relative_to(root).parent).parts
        and folder.parts[0] not in NOT_INSTALLED
        and not any(part.startswith(".") for part in folder.parts)
    }


def installed_packages(root: Path) -> set[str]:
    include = project()["tool"]["setuptools"]["packages"]["find"]["include"]
    return set(find_packages(str(root), include=include))


def test_every_package_in_the_tree_is_installed() -> None:
    assert installed_packages(ROOT) == packages_in(ROOT)


def test_every_room_is_installed() -> None:
    assert {*ROOMS} - installed_packages(ROOT) == set()


def test_every_file_that_is_not_python_is_installed_with_its_package() -> None:
    patterns = project()["tool"]["setuptools"]["package-data"]["*"]
    kinds = {pattern.rpartition(".")[2] for pattern in patterns} | {"py", "pyc"}
    left_out = [
        path
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix[1:] not in kinds
    ]
    assert left_out == []


def test_every_room_is_type_checked_and_every_room_but_benchmarks_has_a_contract() -> None:
    tools = project()["tool"]
    assert set(tools["mypy"]["files"]) == {*ROOMS, "settings.py", "tests"}
    assert set(tools["importlinter"]["root_packages"]) == {*ROOMS} - {"benchmarks"}


def test_a_package_that_is_not_installed_is_found(tmp_path: Path) -> None:
    for folder in ("engine", "activities/providers", "newroom", ".venv/lib", "tests/engine"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.py").touch()
    for folder in ("engine", "activities", "newroom"):
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "settings.py").touch()
    assert packages_in(tmp_path) == {"engine", "activities", "activities.providers", "newroom"}
    assert installed_packages(tmp_path) == {"engine", "activities"}


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "benchmarks"])
def test_a_room_without_its_own_rules_may_import_everything(room: str) -> None:
    """`worker` and `cli` are wiring; every other room has a contract of its own."""
    sources = [
        contract["source_modules"] for contract in project()["tool"]["importlinter"]["contracts"]
    ]
    assert ([room] in sources) is (room not in {"cli", "worker"})

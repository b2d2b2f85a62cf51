"""Runs the `parcours` command as a person does: a process of its own, and what came of it."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cli.main import run
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


def parcours_here(*arguments: str | Path, **settings: str) -> Ran:
    """Run it in this process: a hundredth of the time, for commands that start nothing.

    Not from a test that is a coroutine: a command brings an event loop of its own.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["parcours", *map(str, arguments)]),
        patch.dict(os.environ, environment(**settings), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = run()
    return Ran(code, out.getvalue(), err.getvalue())

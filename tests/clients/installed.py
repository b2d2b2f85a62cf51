"""The Segment clients of the tests: which there are, where they lie, how one is run.

`make clients` installs each from its lock file, into a folder of its own. A client that is
not there skips its tests, but fails them in CI, which must have it. The one surprising
fact: how often a client tries a wrong key is a fact about the client, kept here, and what
the tests hold us to is that no answer of ours makes it more.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.lint.checkout import ROOT

HERE = ROOT / "tests" / "clients"
_FOLDER = ROOT / ".venv" / "clients"

# The slowest honest run waits out a Retry-After and a client's own backoff, a few seconds.
_RUN_S = 60.0


@dataclass(frozen=True)
class Said:
    """What the client told its caller, and which version it is."""

    errors: tuple[str, ...]
    version: str


@dataclass(frozen=True)
class Client:
    """One version of one client. `name` is its folder's and its lock file's.

    `module` is what a Python program imports, `host_is` what it calls the host.
    """

    name: str
    module: str | None = None
    host_is: str = "host"
    tries_of_a_wrong_key: int = 1

    @property
    def is_python(self) -> bool:
        return self.module is not None

    def locked_version(self) -> str:
        """The version that its lock file pins."""
        if self.is_python:
            lines = (HERE / "python" / f"{self.name}.lock").read_text(encoding="utf-8").splitlines()
            pins = dict(line.split(" ")[0].split("==") for line in lines if line[0] != " ")
            return str(pins.get("segment-analytics-python") or pins["rudder-sdk-python"])
        lock = HERE / "node" / self.name / "package-lock.json"
        packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
        return str(packages["node_modules/@segment/analytics-node"]["version"])

    async def make(self, calls: Sequence[Mapping[str, Any]], host: str, key: str) -> Said:
        """Make the calls in a process of its own, and flush."""
        order = {
            "module": self.module,
            "hostIs": self.host_is,
            "host": host,
            "key": key,
            "calls": calls,
        }
        process = await asyncio.create_subprocess_exec(
            *self._command(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Nothing else: a proxy from outside would take the calls elsewhere.
            env={"PATH": os.environ["PATH"], **self._environment()},
        )
        try:
            async with asyncio.timeout(_RUN_S):
                out, err = await process.communicate(json.dumps(order).encode())
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        assert process.returncode == 0, err.decode()
        said = json.loads(out)
        return Said(tuple(said["errors"]), said["version"])

    def _command(self) -> tuple[str, ...]:
        if self.is_python:
            # -S: without our own site-packages, where another version lies.
            return sys.executable, "-S", "-B", str(HERE / "drivers" / "python_client.py")
        return node(), str(HERE / "drivers" / "node_client.cjs")

    def _environment(self) -> dict[str, str]:
        folder = installation(self.name)
        if self.is_python:
            return {"PYTHONPATH": str(folder)}
        return {"NODE_PATH": str(folder / "node_modules")}


CLIENTS = (
    Client("segment-2.2.3", "segment.analytics"),
    Client("segment-2.3.4", "segment.analytics"),
    Client("segment-newest", "segment.analytics"),
    Client("rudder", "rudderstack.analytics", host_is="dataPlaneUrl"),
    # It tries again whatever is neither a success nor a 400, three times.
    Client("analytics-node-2.3.0", tries_of_a_wrong_key=4),
    Client("analytics-node-newest"),
)


def installation(name: str) -> Path:
    """The folder of an installed client."""
    folder = _FOLDER / name
    if not (folder / ".installed").is_file():
        if not (HERE / "python" / f"{name}.lock").exists():
            program("npm", "npm")
        missing(f"the client {name} is not installed: `make clients`")
    return folder


def node() -> str:
    """The program that runs the clients for Node."""
    return program("node", "nodejs")


def program(name: str, package: str) -> str:
    """Where a program of the machine is."""
    found = shutil.which(name)
    if found is None:
        missing(f"there is no {name}: `apt install {package}`, then `make clients`")
    return found


def missing(trouble: str) -> NoReturn:
    """Skips the test that needs something which is not there, and in CI fails it."""
    if os.environ.get("CI") == "true":
        pytest.fail(trouble)
    pytest.skip(trouble)

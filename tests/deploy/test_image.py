"""The image has what the processes need: its lock file is all that they may import."""

import re
import subprocess
import sys

import pytest

from tests.lint.checkout import ROOT

# Imports what each service of docker-compose.yml imports, and makes both kinds of database,
# with everything out of reach that the named distributions do not bring.
_PROCESSES = """
import importlib, re, sys
from importlib.metadata import packages_distributions
brought = set(sys.argv[1].split())
def spelled(name): return re.sub(r"[-_.]+", "-", name.lower())
away = {
    package for package, by in packages_distributions().items()
    if not brought & {spelled(each) for each in by} and "parcours" not in by
}
class Away:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in away:
            raise ModuleNotFoundError(f"not in the image: {name}", name=name)
sys.meta_path.insert(0, Away())
assert "pytest" in away, "nothing is kept away"
for name in (
    "cli.main", "cli.store", "authoring.folder", "store.journeys", "store.migrating", "store.keys",
    "worker.logs", "worker.connection", "worker.desk", "worker.running", "worker.stopping",
    "worker.web", "api.services", "asyncpg", "uvicorn",
):
    importlib.import_module(name)
from store.database import Database
Database("postgresql+asyncpg://parcours:x@postgresql/parcours")
Database("sqlite+aiosqlite:///nowhere.db")
"""


def brought() -> set[str]:
    """The distributions that requirements-image.lock installs."""
    lock = (ROOT / "requirements-image.lock").read_text(encoding="utf-8")
    return set(re.findall(r"(?m)^([a-z0-9][a-z0-9.-]*)==", lock))


def processes(distributions: set[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _PROCESSES, " ".join(distributions)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_image_has_all_that_its_processes_import() -> None:
    run = processes(brought())
    assert run.returncode == 0, run.stderr


# The first is asked for by an extra of sqlalchemy, and came by a tool of the tests only.
@pytest.mark.parametrize("missing", ["greenlet", "asyncpg", "uvicorn"])
def test_a_distribution_that_is_missing_in_the_image_is_found(missing: str) -> None:
    run = processes((brought() | {"greenlet"}) - {missing})
    assert run.returncode != 0
    assert missing in run.stderr

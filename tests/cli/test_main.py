"""The command as a whole: quick to help, clear about errors, explicit about leaving."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from authoring.mistakes import JourneysInvalid
from cli.errors import TroubleError, WrongInputError, exit_code, in_words
from cli.options import JOURNEYS
from settings import Settings, SettingsError, variable
from store.database import Database, DatabaseUrlError, StoreAwayError
from tests.cli.running import environment, parcours
from tests.lint.checkout import ROOT
from worker.connection import TemporalUnreachableError
from worker.errors import MissingBinaryError

# Each costs a third of a second, and no help text needs any.
HEAVY = ("sqlmodel", "sqlalchemy", "fastapi", "temporalio", "jinja2", "ruamel", "pydantic_settings")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom cli.main import run\nsys.argv = ['parcours', '--help']\nrun()\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "simulate" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "HEAVY []"


def test_help_takes_less_than_a_third_of_a_second_of_work() -> None:
    """The best of several, since the machine may be busy with other things."""
    times = []
    for _ in range(5):
        began = time.monotonic()
        assert parcours("--help").code == 0
        times.append(time.monotonic() - began)
    assert min(times) < 0.3


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WrongInputError("x"), 2),
        (TroubleError("x"), 1),
        (JourneysInvalid([]), 2),
        (SettingsError("x"), 2),
        (DatabaseUrlError("x"), 2),
        (TemporalUnreachableError("x"), 1),
        (MissingBinaryError("x"), 1),
        (ConnectionRefusedError("x"), 1),
        (StoreAwayError("x"), 1),
        (KeyError("a bug"), None),
    ],
)
def test_whose_an_error_is_decides_the_code(error: Exception, code: int | None) -> None:
    assert exit_code(error) == code


async def test_a_store_that_is_away_is_told_in_one_line(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'parcours.db'}")
    with pytest.raises(Exception, match="unable to open") as caught:
        await database.schema_is_current()
    await database.dispose()
    assert exit_code(caught.value) == 1
    assert len(in_words(caught.value).splitlines()) == 1


def test_the_variables_that_options_read_are_those_of_the_settings(tmp_path: Path) -> None:
    assert Settings.model_fields["journeys_dir"].default == JOURNEYS
    assert variable("journeys_dir") == "PARCOURS_JOURNEYS_DIR"
    ran = parcours("check", PARCOURS_JOURNEYS_DIR=str(tmp_path / "elsewhere"))
    assert (ran.code, "elsewhere" in ran.err) == (2, True)


@pytest.mark.parametrize("command", ["api", "worker"])
def test_a_process_without_its_settings_names_what_is_missing(command: str) -> None:
    ran = parcours(command)
    assert ran.code == 2
    assert "PARCOURS_SECRET_KEY" in ran.err
    assert "Traceback" not in ran.err


def test_a_worker_without_a_temporal_server_says_where_it_looked(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'p.db'}"
    assert parcours("db", "upgrade", PARCOURS_DATABASE_URL=url).code == 0
    ran = parcours(
        "worker",
        PARCOURS_SECRET_KEY="k" * 64,
        PARCOURS_TEMPORAL_ADDRESS="127.0.0.1:9",
        PARCOURS_DATABASE_URL=url,
    )
    assert ran.code == 1
    assert "127.0.0.1:9" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("command", ["publish", "api", "worker"])
def test_a_store_that_was_not_upgraded_is_told_what_to_run(command: str, tmp_path: Path) -> None:
    ran = parcours(
        command,
        PARCOURS_SECRET_KEY="k" * 64,
        PARCOURS_DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path / 'p.db'}",
    )
    assert ran.code == 1
    assert "`parcours db upgrade`" in ran.err
    assert not (tmp_path / "p.db").exists()

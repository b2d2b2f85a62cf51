"""`parcours import`: files in, what was done out, every refused row with its line."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from authoring.folder import load_journeys
from cli.publish import publish_loaded
from store import customers
from store.database import Database
from store.tables import Customer
from tests.cli.running import Ran, environment, parcours
from tests.lint.checkout import ROOT

FILE = "id;email;plan\nc1;ada@example.com;pro\n;x;\nc2;bea@example.com;\n"


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A store in which the journeys are published, and nobody is known."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'parcours.db'}"
    database = Database(url)
    database.upgrade()
    await publish_loaded(database, load_journeys(ROOT / "journeys"), "test")
    await database.dispose()
    return url


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text(FILE)
    return path


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def import_(url: str, *arguments: str | Path) -> Ran:
    return parcours("import", *arguments, PARCOURS_DATABASE_URL=url)


def import_from(url: str, stdin: bytes, *more: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "cli", "import", "customers", "-", *more],
        cwd=ROOT,
        env=environment(PARCOURS_DATABASE_URL=url),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
    )


async def known(url: str) -> dict[str, dict[str, object]]:
    database = Database(url)
    async with database.reading() as session:
        found = {row.id: row.traits for row in await session.scalars(select(Customer))}
    await database.dispose()
    return found


async def test_what_was_refused_is_told_with_its_line_and_the_code_is_one(
    url: str, file: Path
) -> None:
    ran = import_(url, "customers", file)
    assert (ran.code, ran.out) == (
        1,
        "3 rows of customers: 2 new, 0 known already, 1 refused\n",
    )
    assert f"{file}:3: `id` is missing" in ran.err
    assert "1 of 3 rows were refused" in ran.err
    assert await known(url) == {
        "c1": {"email": "ada@example.com", "plan": "pro"},
        "c2": {"email": "bea@example.com"},
    }


async def test_a_trial_writes_nothing_and_the_code_is_zero_where_all_is_well(
    url: str, file: Path
) -> None:
    written(file, FILE.replace(";x;\n", ""))
    ran = import_(url, "customers", file, "--dry-run")
    assert ran == Ran(
        0, "2 rows of customers: 2 new, 0 known already, 0 refused; nothing was written\n", ""
    )
    assert await known(url) == {}


async def test_the_outcome_can_be_read_by_programs(url: str, file: Path) -> None:
    (told,) = import_(url, "customers", file, "--json").lines
    assert told == {
        "kind": "customers",
        "file": str(file),
        "dry_run": False,
        "rows": 3,
        "new": 2,
        "known": 0,
        "refused": 1,
        "codes": {"no_id": 1},
    }


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
async def test_a_report_has_every_refused_row_and_why(
    url: str, file: Path, tmp_path: Path, suffix: str
) -> None:
    report = tmp_path / f"report{suffix}"
    written(file, "id,a\n" + ",x\n" * 30)
    ran = import_(url, "customers", file, "--report", report)
    assert f"… and 10 more, all of them in {report}" in ran.err
    if suffix == ".csv":
        with report.open(newline="") as told:
            rows = [{**row, "row": json.loads(row["row"])} for row in csv.DictReader(told)]
    else:
        rows = [json.loads(line) for line in report.read_text().splitlines()]
    assert len(rows) == 30
    assert {**rows[0], "line": int(rows[0]["line"])} == {
        "file": str(file),
        "line": 2,
        "code": "no_id",
        "message": "`id` is missing: a customer is known by it",
        "row": {"a": "x"},
    }


async def test_standard_input_can_be_imported(url: str) -> None:
    ran = import_from(url, b'{"user": 7, "vip": true}\n{"user": ""}\n', "--map", "user=id")
    assert (ran.returncode, b"standard input:2: `id` is missing" in ran.stderr) == (1, True)
    assert await known(url) == {"7": {"vip": True}}


async def test_consents_and_suppressions_come_from_files_as_well(
    url: str, file: Path, tmp_path: Path
) -> None:
    import_(url, "customers", file)
    consents = tmp_path / "consents.csv"
    consents.write_text(
        "email,topic,channel,state,at\n"
        "ada@example.com,offers,email,subscribed,2026-01-02\n"
        "c@example.com,offers,email,subscribed,2026-01-02\n"
    )
    ran = import_(url, "consents", consents)
    assert ran.out == "2 rows of consents: 1 new, 0 known already, 1 refused\n"
    assert f"{consents}:3: no customer has the address `c@example.com`" in ran.err
    suppressions = tmp_path / "suppressions.jsonl"
    suppressions.write_text('{"channel": "email", "address": "x@example.com"}\n')
    ran = import_(url, "suppressions", suppressions)
    assert ran == Ran(0, "1 rows of suppressions: 1 new, 0 known already, 0 refused\n", "")


@pytest.mark.parametrize(
    ("kind", "content", "options", "told"),
    [
        ("customers", "email\na@example.com\n", (), "no column `id`"),
        ("consents", "id,topic,state\nc1,offers,subscribed\n", (), "no column `at`"),
        ("suppressions", "address\na@example.com\n", (), "no column `channel`"),
        ("customers", "id,a\nc1,2\n", ("--map", "b=c"), "there is no column `b`"),
        ("customers", "id,a\nc1,2\n", ("--report", "x.txt"), "must end in `.csv` or `.jsonl`"),
        ("customers", "id,a\nc1,2\n", ("--report", "no/such/x.csv"), "can't be written"),
    ],
)
async def test_a_file_that_can_not_be_used_is_refused_as_a_whole(
    url: str, tmp_path: Path, kind: str, content: str, options: tuple[str, ...], told: str
) -> None:
    path = tmp_path / "file.csv"
    path.write_text(content)
    ran = import_(url, kind, path, *options)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert len(ran.err.splitlines()) == 1
    assert await known(url) == {}


async def test_consents_need_topics_that_are_published(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'bare.db'}"
    Database(url).upgrade()
    path = tmp_path / "consents.csv"
    path.write_text("id,topic,state,at\nc1,offers,subscribed,2026-01-02\n")
    ran = import_(url, "consents", path)
    assert (ran.code, "`parcours publish` first" in ran.err) == (2, True)


# A few megabytes hold a block of rows; a hundred thousand would take as many again as this.
_MOST_GROWTH_KB = 40 * 1024


@pytest.mark.long
async def test_a_hundred_thousand_rows_need_no_more_memory_than_a_thousand(
    url: str, tmp_path: Path
) -> None:
    def import_so_many(rows: int) -> int:
        """The most memory it had, in KB."""
        path = tmp_path / f"{rows}.csv"
        with path.open("w") as file:
            file.write("id,email,about\n")
            for number in range(rows):
                file.write(f"c{number},c{number}@example.com,{'x' * 500}\n")
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "import", "customers", path],
            cwd=ROOT,
            env=environment(PARCOURS_DATABASE_URL=url),
            stdout=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_maxrss

    small = import_so_many(1_000)
    assert import_so_many(100_000) < small + _MOST_GROWTH_KB
    database = Database(url)
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Customer)) == 100_000
        last = await customers.get(session, "c99999")
    await database.dispose()
    assert last is not None
    assert last.traits["email"] == "c99999@example.com"

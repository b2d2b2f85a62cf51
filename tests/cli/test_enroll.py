"""`parcours enroll`: a look first, then those on the list, a few a second."""

import os
import pty
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.accept import accept
from api.services import Services
from authoring.folder import load_journeys
from cli.publish import publish_loaded
from engine.calls import Identify
from settings import load
from store import enrollments
from store.database import Database
from store.tables import Enrollment
from tests.cli.running import Ran, environment, parcours
from tests.lint.checkout import ROOT

DAY = timedelta(days=1)


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A store with ten customers, whose trials end in nine days and a half."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'parcours.db'}"
    database = Database(url)
    database.upgrade()
    await publish_loaded(database, load_journeys(ROOT / "journeys"), "test")
    services = Services(database=database, settings=load(database_url=url, secret_key="k" * 64))
    now = datetime.now(UTC)
    ends = (now + 9.5 * DAY).isoformat()
    calls = [
        Identify(
            customer_id=f"c{number}",
            at=now - 30 * DAY,
            message_id=f"m{number}",
            traits={"email": f"c{number}@example.com", "trial_ends_at": ends},
        )
        for number in range(10)
    ]
    await accept(services, calls, now)
    await database.dispose()
    return url


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A list of the ten, who began three weeks ago, and of somebody whom nobody knows."""
    began = (datetime.now(UTC) - 21 * DAY).isoformat()
    path = tmp_path / "list.csv"
    names = [f"c{number}" for number in range(10)]
    path.write_text("id,start_at\n" + "".join(f"{name},{began}\n" for name in [*names, "x"]))
    return path


def enroll(url: str, file: Path, *more: str, journey: str = "trial-onboarding") -> Ran:
    return parcours("enroll", journey, "--list", file, *more, PARCOURS_DATABASE_URL=url)


def command(file: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "cli", "enroll", "trial-onboarding", "--list", str(file), *more]


def started(url: str, file: Path, *more: str) -> "subprocess.Popen[str]":
    """The command, under way."""
    return subprocess.Popen(
        command(file, *more),
        cwd=ROOT,
        env=environment(PARCOURS_DATABASE_URL=url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def listing(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def entered(url: str) -> list[Enrollment]:
    database = Database(url)
    async with database.reading() as session:
        found = await enrollments.found(session)
    await database.dispose()
    return found


async def test_a_look_says_what_it_would_come_to_and_enrolls_nobody(url: str, file: Path) -> None:
    ran = enroll(url, file, "--dry-run")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0] == (
        "10 would enter `trial-onboarding`, 0 are there by this list, 1 are refused. "
        "At 20 a second: 1 s."
    )
    table = {words[0]: words[1:] for words in map(str.split, lines[2:-1])}
    assert table == {
        "thanks": ["10", "–", "–", "–", "–", "–"],
        "tip": ["10", "–", "–", "–", "–", "–"],
        "demo": ["10", "–", "–", "–", "–", "–"],
        "coupon": ["–", "–", "–", "10", "–", "–"],
    }
    assert f"{file}:12: there is no customer `x`" in ran.err
    assert await entered(url) == []


async def test_those_on_the_list_enter_once_however_often_it_is_typed(
    url: str, file: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.jsonl"
    ran = enroll(url, file, "--yes", "--rate", "500", "--report", str(report))
    assert (ran.code, ran.out.splitlines()[-1]) == (1, "10 enrolled, 0 were before, 1 refused")
    assert report.read_text().count("no_such_customer") == 1
    rows = await entered(url)
    assert {(row.next_step, row.entered_at - row.start_at > 20 * DAY) for row in rows} == {
        ("thanks", True)  # it is settled as expired when the workflow starts
    }
    again = enroll(url, file, "--yes")
    assert "0 would enter `trial-onboarding`, 10 are there by this list" in again.out
    assert len(await entered(url)) == 10


async def test_it_keeps_to_its_rate_and_stops_in_order_when_told(url: str, file: Path) -> None:
    process = started(url, file, "--yes", "--rate", "0.1")
    while not await entered(url):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "1 enrolled, 0 were before, 0 refused" in out
    assert "type the same again" in err
    assert len(await entered(url)) == 1  # the second would have come ten seconds later
    ran = enroll(url, file, "--yes", "--rate", "500")
    assert ran.out.splitlines()[-1] == "9 enrolled, 1 were before, 1 refused"


async def test_somebody_at_a_terminal_is_asked(url: str, file: Path) -> None:
    def answered(answer: bytes) -> tuple[int, str]:
        terminal, theirs = pty.openpty()
        os.write(terminal, answer)
        ran = subprocess.run(
            command(file, "--rate", "500"),
            cwd=ROOT,
            env=environment(PARCOURS_DATABASE_URL=url),
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        os.close(terminal)
        os.close(theirs)
        return ran.returncode, ran.stdout + ran.stderr

    code, told = answered(b"n\n")
    assert (code, "Enroll 10? [y/N]" in told, "nobody was enrolled" in told) == (1, True, True)
    assert await entered(url) == []
    code, told = answered(b"y\n")
    assert "10 enrolled, 0 were before" in told
    assert len(await entered(url)) == 10


async def test_a_time_for_all_and_a_named_column(url: str, file: Path) -> None:
    ago = f"{datetime.now(UTC) - 12 * timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    listing(file, "who\nc1\n")
    ran = enroll(url, file, "--map", "who=id", "--start-at", ago, "--yes")
    assert ran.code == 0
    listing(file, f"id,since\nc2,{ago}\n")
    assert enroll(url, file, "--start-at", "since", "--yes").code == 0
    rows = {row.customer_id: f"{row.start_at:%Y-%m-%dT%H:%M:%SZ}" for row in await entered(url)}
    assert rows == {"c1": ago, "c2": ago}


@pytest.mark.parametrize(
    ("options", "journey", "told"),
    [
        ((), "trial-onboarding", "add `--yes`"),
        (
            ("--yes",),
            "trail",
            "there is no journey `trail`; published: `confirm-subscription`, `trial-onboarding`",
        ),
        (("--yes", "--start-at", "since"), "trial-onboarding", "no column `since`"),
        (("--yes", "--list", "-"), "trial-onboarding", "it is read twice"),
        (("--yes", "--list", "nothing.csv"), "trial-onboarding", "can't be read"),
    ],
)
async def test_what_makes_no_sense_is_told_before_anybody_is_enrolled(
    url: str, file: Path, options: tuple[str, ...], journey: str, told: str
) -> None:
    ran = enroll(url, file, *options, journey=journey)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert await entered(url) == []

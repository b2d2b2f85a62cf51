"""A PostgreSQL server of the tests' own: temporary, on a Unix socket, gone when they end.

It uses the binaries on PATH or in Debian's folder, no server that may be running. The one
surprising fact: PostgreSQL refuses to run as root, so root starts it as another user.
Import `postgres_server` into a room's `conftest.py`; one process has one server, however
many conftests do.
"""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

import pytest

_NEEDED = ("initdb", "pg_ctl", "createdb")
# Of the server's first process: it ends without waiting for those who are connected.
FAST_STOP = signal.SIGINT

_SERVER_OPTIONS = (
    # Nothing here outlives the tests, so nothing has to survive a power cut.
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off "
    # Many short-lived databases at once, each with a small pool.
    "-c max_connections=200 "
    # A lock that is waited for longer than this is a deadlock of the tests' making.
    "-c lock_timeout=20s "
    "-c listen_addresses="
)


class NoPostgresError(Exception):
    """PostgreSQL is not installed, or would not start; the message says which."""


@dataclass(frozen=True)
class PostgresServer:
    """A running server. `socket_dir` is also where its data are."""

    socket_dir: Path
    bin_dir: Path
    _numbers: "count[int]" = field(default_factory=count)

    def url(self, database: str) -> str:
        """The URL of one of its databases, for `store.database.Database`."""
        return f"postgresql+asyncpg://parcours@/{database}?host={self.socket_dir}"

    def create_database(self, template: str = "template1") -> str:
        """Make a database, empty or like another one; its name."""
        name = f"test_{next(self._numbers)}"
        run(
            self.bin_dir / "createdb", "-h", self.socket_dir, "-U", "parcours",
            "-T", template, name, cwd=self.socket_dir,
        )  # fmt: skip
        return name


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """The server; skips where there is no PostgreSQL, but fails in CI, which must have one."""
    try:
        return _started()
    except NoPostgresError as trouble:
        if os.environ.get("CI") == "true":
            pytest.fail(str(trouble))
        pytest.skip(str(trouble))


@cache
def _started() -> PostgresServer:
    bin_dir = binaries()
    # A Unix socket's path has at most 107 bytes, so not pytest's own long temporary path.
    home = Path(tempfile.mkdtemp(prefix="parcours-pg-"))
    if (other := owner()) is not None:
        shutil.chown(home, other)
    data = home / "data"
    run(
        bin_dir / "initdb", "-D", data, "-U", "parcours", "-A", "trust", "-E", "UTF8",
        "--locale=C", "--no-sync", cwd=home,
    )  # fmt: skip
    # `-w` waits until it answers; without a log file the server would hold our pipes open.
    run(
        bin_dir / "pg_ctl", "-D", data, "-w", "-l", home / "log",
        "-o", f"{_SERVER_OPTIONS} -k {home}", "start", cwd=home,
    )  # fmt: skip
    _stop_when_we_end(bin_dir, data, home)
    return PostgresServer(socket_dir=home, bin_dir=bin_dir)


def _stop_when_we_end(bin_dir: Path, data: Path, home: Path) -> None:
    """Leave a process behind that waits for us to end, however we do, and cleans up.

    It reads from a pipe of which only we hold the other end: also `kill -9` closes that.
    """
    keeper = subprocess.Popen(
        ["sh", "-c", 'read _; "$0" -D "$1" -m immediate stop; rm -rf "$2"',
         bin_dir / "pg_ctl", data, home],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        cwd="/", user=owner(), start_new_session=True,
    )  # fmt: skip
    atexit.register(keeper.communicate)


def binaries() -> Path:
    """The folder that has all we need: of PATH, else Debian's, the newest version first."""
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True
    )
    for folder in [*on_path, *debian]:
        if all((folder / name).is_file() for name in _NEEDED):
            return folder
    raise NoPostgresError(
        "PostgreSQL is not installed (no initdb on PATH or under /usr/lib/postgresql): "
        "`apt install postgresql` to run these tests"
    )


def owner() -> str | None:
    """Whom to run the server as, where we may not ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise NoPostgresError("PostgreSQL refuses to run as root, and there is no user to run it as")


def run(*command: str | Path, cwd: Path) -> None:
    """Run one of its programs to the end, as whom it may run as. Raises NoPostgresError."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        user=owner(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NoPostgresError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")

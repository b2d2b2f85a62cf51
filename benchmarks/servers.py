"""A Temporal dev server, a PostgreSQL server and our own processes, gone when the benchmarks end.

Settings are those of `parcours dev`, so that what is measured is what people run. Each process
can be killed and started again as it was, the Temporal server with what it had written.
"""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SCRIPTS = Path(sysconfig.get_path("scripts"))

# The server answers within 2 s on an idle machine; this one may be busy.
_START_TIMEOUT_S = 60.0


@dataclass
class Process:
    """A command that can be killed and started again, with the same environment."""

    command: list[str]
    environment: dict[str, str] | None = None
    _life: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """Of its present life, or of its last."""
        assert self._life is not None  # started by whoever made it
        return self._life.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._life is not None and self._life.poll() is None

    def start(self) -> None:
        """Begin a life of it."""
        self._life = subprocess.Popen(
            self.command,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """`kill -9`."""
        assert self._life is not None
        self._life.kill()
        self._life.wait()

    def stop(self) -> None:
        """End it in peace."""
        assert self._life is not None
        self._life.terminate()
        self._life.wait()


@dataclass
class TemporalServer(Process):
    """A dev server, which has started when it answers."""

    address: str = ""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        super().start()
        deadline = time.monotonic() + _START_TIMEOUT_S
        health = [str(SCRIPTS / "temporal"), "operator", "cluster", "health"]
        while time.monotonic() < deadline:
            asked = subprocess.run(
                [*health, "--address", self.address], capture_output=True, check=False
            )
            if asked.returncode == 0:
                return
            if not self.is_running:
                raise RuntimeError("the Temporal dev server ended by itself")
            time.sleep(0.2)
        raise TimeoutError(f"the Temporal dev server did not answer within {_START_TIMEOUT_S} s")


@contextmanager
def temporal_server() -> Iterator[TemporalServer]:
    """The dev server with its database in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="parcours-bench-") as folder:
        port = free_port()
        command = [
            *(str(SCRIPTS / "temporal"), "server", "start-dev", "--headless", "--port", str(port)),
            *("--db-filename", f"{folder}/temporal.db", "--log-level", "never"),
            # Without these two the server does half the work.
            *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
            # A lone timer may else fire a second late, and every gap would be a second longer.
            *("--dynamic-config-value", 'history.timerProcessorMaxTimeShift="50ms"'),
            *("--search-attribute", "CustomerId=Keyword"),
            *("--search-attribute", "JourneyVersion=Keyword"),
        ]
        server = TemporalServer(command, address=f"127.0.0.1:{port}")
        with _alive(server):
            yield server


@contextmanager
def postgres_server() -> Iterator[str]:
    """A PostgreSQL cluster with the settings of a fresh installation; yields a database's URL."""
    bin_dir = _postgres_binaries()
    owner = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    # A Unix socket's path has at most 107 bytes, so a short folder.
    home = Path(tempfile.mkdtemp(prefix="parcours-bench-pg-"))
    if owner is not None:
        shutil.chown(home, owner)
    data = home / "data"

    def run(*command: str | Path) -> None:
        subprocess.run([str(c) for c in command], cwd=home, user=owner, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip

    run(bin_dir / "initdb", "-D", data, "-U", "parcours", "-A", "trust", "-E", "UTF8")
    options = f"-c listen_addresses= -k {home}"
    run(bin_dir / "pg_ctl", "-D", data, "-w", "-l", home / "log", "-o", options, "start")
    try:
        yield f"postgresql+asyncpg://parcours@/postgres?host={home}"
    finally:
        run(bin_dir / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(home)


def cpu_s(pid: int) -> float:
    """CPU seconds that the process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory of the process that is not shared with others."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/status has no RssAnon")


def _postgres_binaries() -> Path:
    """The folder with `initdb`: of PATH, else Debian's newest. Raises FileNotFoundError."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found is None and not debian:
        raise FileNotFoundError("PostgreSQL is not installed: `apt install postgresql`")
    return Path(found or debian[-1]).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def parcours(command: str, environment: dict[str, str]) -> Iterator[Process]:
    """One of our processes, `api` or `worker`, in that environment."""
    process = Process([sys.executable, "-m", "cli", command], environment)
    with _alive(process):
        yield process


@contextmanager
def _alive(process: Process) -> Iterator[None]:
    try:
        process.start()
        yield
    finally:
        process.stop()

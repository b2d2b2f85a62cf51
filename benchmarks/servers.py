"""A Temporal dev server and a PostgreSQL server of the benchmarks' own, gone when they end.

Settings are those of `parcours dev`, so that what is measured is what people run.
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
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(sysconfig.get_path("scripts"))

# The server answers within 2 s on an idle machine; this one may be busy.
_START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class TemporalServer:
    """A running dev server."""

    address: str
    pid: int


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
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            address = f"127.0.0.1:{port}"
            _wait_for(address, process)
            yield TemporalServer(address=address, pid=process.pid)
        finally:
            process.terminate()
            process.wait()


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


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    health = [str(SCRIPTS / "temporal"), "operator", "cluster", "health", "--address", address]
    while time.monotonic() < deadline:
        if subprocess.run(health, capture_output=True, check=False).returncode == 0:
            return
        if server.poll() is not None:
            raise RuntimeError(f"the Temporal dev server ended with {server.returncode}")
        time.sleep(0.2)
    raise TimeoutError(f"the Temporal dev server did not answer within {_START_TIMEOUT_S} s")


@contextmanager
def parcours(command: str, environment: dict[str, str]) -> Iterator[int]:
    """One of our processes, `api` or `worker`, in that environment; its pid."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()

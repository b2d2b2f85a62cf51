"""Temporal's dev server as a child of ours: started, waited for, and ended with us.

Decides its settings. The surprising facts: its output goes to a file, because a pipe that
nobody reads fills up and stops it; and it gets a session of its own, because Ctrl-C in a
terminal reaches every process there, and the server must outlive the worker's last send.
"""

import asyncio
import contextlib
import ctypes
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from worker.binaries import TEMPORAL, installed
from worker.errors import PortInUseError, ServerFailedError

HOST = "127.0.0.1"

# It answers within two seconds on an idle machine.
_START_TIMEOUT = timedelta(seconds=60)
_START_POLL = timedelta(milliseconds=50)

# It ends within a second; what is left then is ended hard. Its database bears that.
_STOP_TIMEOUT = timedelta(seconds=10)

_LAST_LINES = 3  # of its log, in an error


@dataclass(frozen=True)
class DevServerSettings:
    """`folder` holds its database and its log. `timer_shift` is how late timers may fire."""

    folder: Path
    port: int = 7233
    ui_port: int = 8233
    search_attributes: tuple[str, ...] = ()
    # By default timers are up to a second late, which is a quarter of a day in a demo.
    timer_shift: timedelta = timedelta(milliseconds=50)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def ui_url(self) -> str:
        return f"http://{HOST}:{self.ui_port}"

    @property
    def log(self) -> Path:
        return self.folder / "temporal.log"


@asynccontextmanager
async def dev_server(settings: DevServerSettings) -> AsyncIterator[asyncio.subprocess.Process]:
    """The server, answering, until the block is left.

    Raises MissingBinaryError, PortInUseError, ServerFailedError.
    """
    program = installed(TEMPORAL)
    settings.folder.mkdir(parents=True, exist_ok=True)
    with settings.log.open("ab") as log:
        server = await asyncio.create_subprocess_exec(
            program,
            *_arguments(settings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    try:
        await _until_answering(server, settings)
        yield server
    finally:
        await _end(server)


def check_free(ports: Iterable[tuple[int, str]], host: str = HOST) -> None:
    """Raise PortInUseError for the first port that is taken; each comes with its option."""
    for port, option in ports:
        if not is_free(port, host):
            raise PortInUseError(
                f"port {port} is in use, perhaps by another `parcours dev`: stop that, or "
                f"choose another with `{option} {port + 1}`"
            )


def is_free(port: int, host: str = HOST) -> bool:
    """Whether we could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _arguments(settings: DevServerSettings) -> list[str]:
    shift = f'"{settings.timer_shift // timedelta(milliseconds=1)}ms"'
    arguments = ["server", "start-dev", "--ip", HOST]
    arguments += ["--port", str(settings.port), "--ui-port", str(settings.ui_port)]
    arguments += ["--ui-disable-news-fetch", "--log-level", "warn"]
    arguments += ["--db-filename", str(settings.folder / "temporal.db")]
    # Without these it sends half as fast.
    arguments += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
    arguments += ["--dynamic-config-value", f"history.timerProcessorMaxTimeShift={shift}"]
    for name in settings.search_attributes:
        arguments += ["--search-attribute", f"{name}=Keyword"]
    return arguments


def _end_with_parent() -> None:
    """Have the kernel end it should we be killed, so that it does not keep its ports.

    Linux only (prctl(2), PR_SET_PDEATHSIG = 1); elsewhere a killed parent leaves it behind.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


async def _until_answering(server: asyncio.subprocess.Process, settings: DevServerSettings) -> None:
    try:
        async with asyncio.timeout(_START_TIMEOUT.total_seconds()):
            while not await _answers(settings.port) or not await _answers(settings.ui_port):
                if server.returncode is not None:
                    raise ServerFailedError(_why(settings, f"ended with {server.returncode}"))
                await asyncio.sleep(_START_POLL.total_seconds())
    except TimeoutError:
        raise ServerFailedError(_why(settings, f"did not answer in {_START_TIMEOUT}")) from None


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def _end(server: asyncio.subprocess.Process) -> None:
    if server.returncode is not None:
        return
    server.terminate()
    try:
        async with asyncio.timeout(_STOP_TIMEOUT.total_seconds()):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()


def _why(settings: DevServerSettings, what: str) -> str:
    lines = settings.log.read_text(encoding="utf-8", errors="replace").splitlines()
    last = " / ".join(line.strip() for line in lines[-_LAST_LINES:])
    return f"the Temporal dev server {what}; the end of {settings.log}: {last}"

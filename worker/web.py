"""The web server around the API, as one task among others of a process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

import uvicorn

from api.app import create_app
from api.services import Services
from worker.errors import PortInUseError

# For requests under way when the server stops: they take milliseconds.
_GRACE = timedelta(seconds=5)


class _Server(uvicorn.Server):
    """One that leaves signals to the process around it, and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(services: Services) -> AsyncIterator[asyncio.Task[None]]:
    """The API, answering, until the block is left. The task ends early only if it fails.

    Raises PortInUseError.
    """
    settings = services.settings
    config = uvicorn.Config(
        create_app(services),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(_GRACE.total_seconds()),
    )
    server = _Server(config)
    # Bound here, so that a port in use is an error and not an exit from inside uvicorn.
    with _bound(settings.api_host, settings.api_port) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]), name="api")
        try:
            up = asyncio.create_task(server.up.wait())
            await asyncio.wait({up, task}, return_when=asyncio.FIRST_COMPLETED)
            up.cancel()
            yield task
        finally:
            server.should_exit = True
            await asyncio.wait([task])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortInUseError(
            f"the API can't listen on {host}:{port}: {error.strerror}; stop who does, or choose "
            "another port (PARCOURS_API_PORT)"
        ) from None
    return listening

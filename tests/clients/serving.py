"""The API on a port of its own, by the real clock, and what it saw.

Clients are real, so everything they touch is: HTTP, the store, the time. The one surprising
fact: the port listens before the server runs, so nobody has to ask whether it is up.
"""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import uvicorn
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.app import create_app
from api.scopes import Scope as KeyScope
from api.services import Services
from store.database import Database
from store.tables import Event, EventKind
from tests.api.given import kept_events, load_settings, make_key

# What the key in every copy of an app may do.
WRITE = KeyScope.EVENTS_WRITE

# A call waits this long at most between the clock that is read for `sentAt` and ours.
NEAR = timedelta(seconds=2)


@dataclass
class Counted:
    """An application, the requests it saw, and answers to give in place of its own.

    With one of `answers` the application is not asked at all; with one of `lost_answers` it
    has done what it was asked, and the client hears otherwise. Both by request.
    """

    app: ASGIApp
    requests: list[str] = field(default_factory=list)  # `POST /v1/batch`
    answers: dict[str, list[Response]] = field(default_factory=dict)
    lost_answers: dict[str, list[Response]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = f"{scope['method']} {scope['path']}"
        self.requests.append(request)
        answer: ASGIApp = self.app
        if instead := self.answers.get(request):
            answer = instead.pop(0)
        elif lost := self.lost_answers.get(request):
            await self.app(scope, receive, _nowhere)
            answer = lost.pop(0)
        await answer(scope, receive, send)


def store_away() -> Response:
    """What the API says while it can't write; a second is the shortest wait it can ask for."""
    content = {"success": False, "code": "store_unavailable", "message": "not now"}
    headers = {"Retry-After": "1", "Access-Control-Allow-Origin": "*"}
    return JSONResponse(content, status_code=503, headers=headers)


async def _nowhere(_: Message) -> None:
    """A connection that broke on the way back."""


@dataclass(frozen=True)
class Serving:
    """A running API. `key` may write events and nothing else."""

    services: Services
    counted: Counted
    host: str
    key: str

    async def events(self) -> Sequence[Event]:
        """What apps sent, without what Parcours reports itself, in the order it happened."""
        kept = await kept_events(self.services.database)
        sent = [event for event in kept if event.kind is not EventKind.SYSTEM]
        return sorted(sent, key=lambda event: event.occurred_at)


@asynccontextmanager
async def serving(migrated: Path, folder: Path) -> AsyncIterator[Serving]:
    """Serve a copy of a migrated store from `folder`."""
    path = folder / "store.db"
    shutil.copy(migrated, path)
    url = f"sqlite+aiosqlite:///{path}"
    port = _port()
    services = Services(
        database=Database(url), settings=load_settings(url, public_url=_host_of(port))
    )
    counted = Counted(create_app(services))
    try:
        key = await make_key(services.database, WRITE)
        async with listening(counted, port) as host:
            yield Serving(services, counted, host, key)
    finally:
        await services.database.dispose()


@asynccontextmanager
async def listening(app: ASGIApp, port: socket.socket | None = None) -> AsyncIterator[str]:
    """Serve an application on a port of its own; yields its address."""
    port = port or _port()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    running = asyncio.create_task(server.serve(sockets=[port]))
    try:
        yield _host_of(port)
    finally:
        server.should_exit = True
        await running


def _port() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def _host_of(port: socket.socket) -> str:
    return f"http://127.0.0.1:{port.getsockname()[1]}"

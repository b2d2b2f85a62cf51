"""The world outside, which survives our crashes: what it was asked, and what readers got."""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from tests.temporal import free_port


@dataclass
class Log:
    """`asked`: every request's key (or recipient); `delivered`: what readers have got.

    `asked_at` says of each request when it came, in Unix seconds.
    """

    port: int = 0
    asked: list[str] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)


@asynccontextmanager
async def resend() -> AsyncIterator[Log]:
    """Honours keys as Resend does: the same answer to the same body, 409 to another."""
    log = Log(port=free_port())
    known: dict[str, str] = {}
    app = FastAPI()

    @app.post("/emails")
    async def send(request: Request) -> JSONResponse:
        body = await request.body()
        key, content = request.headers["Idempotency-Key"], hashlib.sha256(body).hexdigest()
        log.asked.append(key)
        log.asked_at.append(time.time())
        if known.setdefault(key, content) != content:
            return JSONResponse({"name": "invalid_idempotent_request"}, 409)
        if log.asked.count(key) == 1:
            log.delivered += json.loads(body)["to"]
        return JSONResponse({"id": f"id-of-{key}"})

    config = uvicorn.Config(app, port=log.port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        yield log
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def smtp() -> AsyncIterator[Log]:
    """A mail server: it delivers whatever it is given, as often as it is given."""
    log = Log()

    class Handler:
        async def handle_DATA(  # noqa: N802 - aiosmtpd's name
            self, server: SMTP, session: Any, envelope: Any
        ) -> str:
            log.asked += envelope.rcpt_tos
            log.asked_at += [time.time()] * len(envelope.rcpt_tos)
            log.delivered += envelope.rcpt_tos
            return "250 taken"

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: SMTP(Handler(), hostname="mx.example", loop=loop), "127.0.0.1", 0
    )
    log.port = listening.sockets[0].getsockname()[1]
    try:
        yield log
    finally:
        listening.close()
        await listening.wait_closed()

"""What stands in for Resend: it honours keys as Resend does, and counts what readers have got.

It runs in the process that measures, which nobody kills: so what it was handed is known
whatever dies, and does not hang on the store that is asked too.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from benchmarks.servers import free_port


@dataclass
class Handed:
    """`delivered`: how often each address has had a mail; `repeated`: how many were handed over
    again with the key they had, which no reader sees.
    """

    address: str
    delivered: Counter[str] = field(default_factory=Counter)
    repeated: int = 0


@asynccontextmanager
async def resend() -> AsyncIterator[Handed]:
    """`POST /emails`, until the block is left."""
    port = free_port()
    handed = Handed(f"http://127.0.0.1:{port}")
    config = uvicorn.Config(_app(handed), port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        yield handed
    finally:
        server.should_exit = True
        await serving


def _app(handed: Handed) -> FastAPI:
    known: dict[str, bytes] = {}
    app = FastAPI()

    async def send(request: Request) -> JSONResponse:
        body, key = await request.body(), request.headers["Idempotency-Key"]
        digest = hashlib.sha256(body).digest()
        if key not in known:
            known[key] = digest
            handed.delivered.update(json.loads(body)["to"])
        elif known[key] == digest:
            handed.repeated += 1
        else:
            return JSONResponse({"name": "invalid_idempotent_request"}, 409)
        return JSONResponse({"id": f"id-of-{key}"})

    app.add_route("/emails", send, methods=["POST"])  # without the cost of a typed one
    return app

"""A process that answers HTTP on a socket it inherits: our whole API, or next to nothing.

`python -m benchmarks.listening FD [DATABASE_URL]`. Run by `benchmarks.ingesting`.
"""

import asyncio
import json
import socket
import sys

import uvicorn
from fastapi import FastAPI, Request

from api.app import create_app
from api.services import Services
from settings import load
from store.database import Database
from worker.garbage import collect_seldom

# No limit: what is measured is how much there can be.
_NO_LIMIT = 0


def _ours(url: str) -> FastAPI:
    settings = load(
        database_url=url,
        secret_key="a key of thirty-two characters .",
        rate_limit=_NO_LIMIT,
        api_port=1,
    )
    return create_app(Services(database=Database(url), settings=settings))


def _empty() -> FastAPI:
    app = FastAPI()

    @app.post("/v1/{kind}")
    async def parse(request: Request) -> dict[str, bool]:
        json.loads(await request.body())
        return {"success": True}

    return app


async def _serve(fd: int, app: FastAPI) -> None:
    config = uvicorn.Config(app, log_config=None, access_log=False)
    await uvicorn.Server(config).serve(sockets=[socket.socket(fileno=fd)])


if __name__ == "__main__":
    collect_seldom()  # as `parcours api` does
    asyncio.run(_serve(int(sys.argv[1]), _ours(sys.argv[2]) if len(sys.argv) > 2 else _empty()))

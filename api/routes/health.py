"""Whether the process lives, and whether it can do its work; without a key.

The one surprising fact: with Temporal away the API is ready all the same. It accepts
events, and keeps what Temporal must hear; taken out of service it would lose them.
"""

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from temporalio.service import RPCError

from api.given import Given
from api.services import Services
from store import outbox
from store.outbox import Backlog

router = APIRouter(tags=["Health"])

# Somebody asks every few seconds, and gives up after about as many.
_PATIENCE = timedelta(seconds=3)

_OK = "ok"


class Alive(BaseModel):
    """The process answers."""

    status: str = _OK


class Readiness(BaseModel):
    """What works. Each is `ok`, or says what is down; `ready` hangs on the store alone."""

    ready: bool
    store: str
    temporal: str
    dispatcher: str
    waiting: int | None = Field(description="How much Temporal has yet to hear.")
    oldest_s: float | None = Field(description="For how many seconds the oldest of it has waited.")
    parked: int | None = Field(description="How much was put aside for a person.")


def _dispatcher_state(request: Request) -> str:
    state: str = request.app.state.dispatcher_state()
    return state


@router.get("/healthz")
async def alive() -> Alive:
    """The process answers; nothing else was looked at."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def ready(
    services: Given, response: Response, dispatcher: Annotated[str, Depends(_dispatcher_state)]
) -> Readiness:
    """What works and what is down; 503 if events can't be accepted."""
    store, temporal = await asyncio.gather(_soon(_store(services)), _soon(_temporal(services)))
    backlog = await _backlog(services) if store == _OK else None
    response.status_code = 200 if store == _OK else 503
    return Readiness(
        ready=store == _OK,
        store=store,
        temporal=temporal,
        dispatcher=dispatcher,
        waiting=backlog.pending if backlog is not None else None,
        oldest_s=_waited_s(backlog, services.wall()),
        parked=backlog.parked if backlog is not None else None,
    )


async def _soon(check: Awaitable[str]) -> str:
    try:
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            return await check
    except TimeoutError:
        return f"no answer within {_PATIENCE.total_seconds():g} s"


async def _store(services: Services) -> str:
    try:
        if await services.database.schema_is_current():
            return _OK
    except (SQLAlchemyError, OSError) as error:
        # Without the driver's text: it may name hosts and users, and nobody has shown a key.
        return f"down: {type(error).__name__}"
    return "its schema is not the newest: run `parcours db upgrade`"


async def _backlog(services: Services) -> Backlog | None:
    """None if the store was there a moment ago and does not tell."""
    try:
        async with (
            asyncio.timeout(_PATIENCE.total_seconds()),
            services.database.reading() as session,
        ):
            return await outbox.backlog(session)
    except (SQLAlchemyError, OSError):  # a TimeoutError is one
        return None


def _waited_s(backlog: Backlog | None, now: datetime) -> float | None:
    if backlog is None or backlog.oldest_at is None:
        return None
    return max(0.0, round((now - backlog.oldest_at).total_seconds(), 1))


async def _temporal(services: Services) -> str:
    if services.temporal is None:
        return "not connected"
    try:
        healthy = await services.temporal.service_client.check_health(timeout=_PATIENCE)
    except RPCError as error:
        return f"down: {error.status.name}"
    except RuntimeError:  # a lazy client's first connection
        return "down: it can't be reached"
    return _OK if healthy else "down: it says it is not serving"

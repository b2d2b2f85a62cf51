"""Forgetting what nobody needs any more: what Temporal heard long ago, and old refusals.

Runs beside the dispatcher, a few rows at a time, so that it is never in anybody's way: what
it leaves for later costs a little room. Events, decisions and the audit log stay.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.errors import kind_of
from api.services import Services
from store import outbox, refusals

_log = structlog.get_logger("parcours.pruning")

# Longer than anybody asks of an event whether Temporal has heard of it.
KEPT_FOR = timedelta(days=30)

_EVERY = timedelta(minutes=10)

# A few milliseconds a transaction, in which SQLite's other writers wait.
_AT_ONCE = 500

# Between two transactions, so that those who wait come first; still some 5,000 rows a second.
_BREATH = timedelta(milliseconds=100)

# For a transaction under way when the process stops.
_LAST = timedelta(seconds=2)


async def prune(services: Services, at_once: int = _AT_ONCE) -> tuple[int, int]:
    """Forget all that is old enough; how many rows of the outbox, and how many refusals.

    Raises what the store raises.
    """
    return await _prune_outbox(services, at_once), await _prune_refusals(services, at_once)


@asynccontextmanager
async def pruning(services: Services) -> AsyncIterator[None]:
    """Prune now and then meanwhile."""
    stopping = asyncio.Event()
    task = asyncio.create_task(_prune_until(stopping, services), name="pruning")
    try:
        yield
    finally:
        stopping.set()
        _, late = await asyncio.wait([task], timeout=_LAST.total_seconds())
        for each in late:
            each.cancel()
            await asyncio.wait([each])


async def _prune_until(stopping: asyncio.Event, services: Services) -> None:
    while not stopping.is_set():
        # At first a wait: a process that starts has better things to do.
        with suppress(TimeoutError):
            async with asyncio.timeout(_EVERY.total_seconds()):
                await stopping.wait()
                return
        try:
            rows, refused = await prune(services)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("could not prune", error=kind_of(error))
            continue
        if rows or refused:
            _log.info("pruned", outbox=rows, refused_calls=refused)


async def _prune_outbox(services: Services, at_once: int) -> int:
    before, total = services.wall() - KEPT_FOR, 0
    after = 0
    while True:
        async with services.database.transaction() as session:
            gone, last = await outbox.prune(session, before, after, at_once)
        total += gone
        if last is None:
            return total
        after = last
        await asyncio.sleep(_BREATH.total_seconds())


async def _prune_refusals(services: Services, at_once: int) -> int:
    before, total = services.now() - KEPT_FOR, 0
    while True:
        async with services.database.transaction() as session:
            gone = await refusals.prune(session, before, at_once)
        total += gone
        if gone < at_once:
            return total
        await asyncio.sleep(_BREATH.total_seconds())

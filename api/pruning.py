"""Forgetting what nobody needs any more: what Temporal heard long ago, and old refusals.

Runs beside the dispatcher, a few rows at a time, so that it is never in anybody's way: what
it leaves for later costs a little room. Events, decisions and the audit log stay.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.beside import beside, stops_within
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


async def prune(services: Services, at_once: int = _AT_ONCE) -> tuple[int, int]:
    """Forget all that is old enough; how many rows of the outbox, and how many refusals.

    Raises what the store raises.
    """
    return await _prune_outbox(services, at_once), await _prune_refusals(services, at_once)


def pruning(services: Services) -> AbstractAsyncContextManager[None]:
    """Prune now and then meanwhile."""
    return beside(partial(_prune_until, services), "pruning")


async def _prune_until(services: Services, stopping: asyncio.Event) -> None:
    # At first a wait: a process that starts has better things to do.
    while not await stops_within(stopping, _EVERY):
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

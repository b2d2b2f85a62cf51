"""Broadcasts as they go, on a Temporal server that skips time, for their histories.

Everything is real but the API: the store, the pages, `deliver` with the mailbox. Each course
says what is asked for and what a person does to it meanwhile.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle, WorkflowHistory
from temporalio.common import WorkflowIDConflictPolicy

from activities.desk import Desk
from activities.providers.outcome import Accepted, Mail, NotTaken, Refused
from api.broadcasting.asked import Asked
from api.broadcasting.orders import Broadcasting
from api.broadcasting.telling import Teller
from api.services import Services
from engine.broadcasts import PageDone
from engine.keys import BROADCAST, broadcast_workflow_id
from rendering.links import Links
from settings import load
from store.database import Database
from tests.api.broadcasting import known, publish
from tests.api.given import trial
from tests.temporal import time_skipping_server
from worker.running import build_worker

_ZONES = ("Pacific/Auckland", "Europe/Paris", "America/Los_Angeles")
_CUSTOMERS = 12

# Some seconds for all of them, with a timer between two pages.
_SLOWLY = 4.0

# Tried so often before the provider takes anything: pages that find trouble, and again.
_REFUSALS = 3 * _CUSTOMERS

_PATIENCE_S = 60.0


@dataclass
class Going:
    """A broadcast under way."""

    services: Services
    name: str
    teller: Teller
    handle: WorkflowHandle[Any, Any]

    async def until(self, holds: Callable[[PageDone], bool]) -> None:
        """Until the last page was such."""
        async with asyncio.timeout(_PATIENCE_S):
            while not holds(await self._page()):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.05)

    async def _page(self) -> PageDone:
        page: PageDone = await self.handle.query("progress", result_type=PageDone)
        return page

    async def order(self, order: str) -> None:
        """`pause`, `resume` or `stop`, of which the workflow hears."""
        await getattr(Broadcasting(self.services, "ann"), order)(self.name)
        await self.teller.tell()


Meanwhile = Callable[[Going], Awaitable[None]]


@dataclass(frozen=True)
class Course:
    """What is asked for, how often the provider refuses before, and what is done meanwhile."""

    asked: Mapping[str, Any]
    meanwhile: Meanwhile | None = None
    refusals: int = 0


async def _pause_and_resume(going: Going) -> None:
    await going.until(lambda page: page.taken > 0)
    await going.order("pause")
    await going.until(lambda page: page.is_paused)
    await going.order("resume")


async def _stop(going: Going) -> None:
    await going.until(lambda page: page.taken > 0)
    await going.order("stop")


async def _cancel(going: Going) -> None:
    await going.until(lambda page: page.taken > 0)
    await going.handle.cancel()


COURSES: Mapping[str, Course] = {
    "a-journey": Course({"journey": "trial", "per_second": _SLOWLY}),
    "a-message": Course({"message": "trial/coupon"}),
    "a-message-in-trouble": Course({"message": "trial/coupon"}, refusals=_REFUSALS),
    "cancelled-in-temporal": Course({"event": "told", "per_second": _SLOWLY}, _cancel),
    "local-time": Course({"message": "trial/coupon", "local_time": "09:00"}),
    "paused-and-resumed": Course(
        {"message": "trial/coupon", "per_second": _SLOWLY}, _pause_and_resume
    ),
    "stopped": Course({"message": "trial/coupon", "per_second": _SLOWLY}, _stop),
}


async def record_broadcast(name: str) -> WorkflowHistory:
    """Let one go its course; what Temporal wrote."""
    course = COURSES[name]
    async with _stage(course.refusals) as services:
        assert services.temporal is not None
        await Broadcasting(services, "ann").start(Asked(name, **course.asked))
        teller = Teller(services, services.temporal)
        await teller.tell()
        # Time is skipped while the result is waited for, but only by who has started it.
        handle: WorkflowHandle[Any, Any] = await services.temporal.start_workflow(
            BROADCAST,
            id=broadcast_workflow_id(name),
            task_queue=services.settings.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        if course.meanwhile is not None:
            await course.meanwhile(Going(services, name, teller, handle))
        with suppress(WorkflowFailureError):  # it was cancelled
            await handle.result()
        return await handle.fetch_history()


@asynccontextmanager
async def _stage(refusals: int) -> AsyncIterator[Services]:
    with tempfile.TemporaryDirectory(prefix="parcours-") as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'store.db'}"
        settings, database = load(database_url=url, secret_key="r" * 64), Database(url)
        database.upgrade()
        async with time_skipping_server() as server:
            services = Services(database=database, settings=settings, temporal=server.client)
            await publish(database, trial(ends_at=None))
            for number in range(_CUSTOMERS):
                zone = _ZONES[number % len(_ZONES)]
                await known(services, f"c{number}", timezone=zone)
            desk = Desk(
                database=database,
                providers={"email": _Provider(refusals)},
                links=Links(settings.public_url, settings.link_keys),
            )
            queue, patience = settings.task_queue, timedelta(seconds=5)
            async with build_worker(server.client, desk, queue, patience, services=services):
                yield services
        await database.dispose()


@dataclass
class _Provider:
    """Takes nothing until it has refused so often."""

    refusals: int
    name: str = "recorded"
    remembers_keys_for: timedelta | None = field(default=timedelta(hours=1))

    async def send(self, mail: Mail) -> Accepted | Refused:
        if self.refusals > 0:
            self.refusals -= 1
            raise NotTaken("503: not just now")
        return Accepted(provider_message_id=mail.key)

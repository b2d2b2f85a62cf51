"""The embedded stack: Temporal's dev server, the worker and the API, all under one process.

Decides the order in which they start and end: the API is the last to come and the first to
go, so whatever it accepts finds somebody to carry it, and the Temporal server is the last
to go, so that a send under way is recorded. The surprising fact: the journey clock is made
when everything else is up, so not a moment of a fast demo passes before anyone can use it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.worker import Worker

from activities.places import e164
from api.services import Services
from api.temporal_names import SEARCH_ATTRIBUTES
from engine.clock import Clock, journey_time
from settings import Settings
from store.database import Database
from worker.connection import connect
from worker.desk import build_desk
from worker.running import build_worker
from worker.temporal_server import DevServerSettings, dev_server
from worker.web import serving

# Makes the journey clock of the moment it is called at; None: journey time is real time.
MakeClock = Callable[[datetime], Clock | None]


@dataclass(frozen=True)
class Embedded:
    """The stack, up. One of `tasks` ending is the end of it all."""

    services: Services
    tasks: tuple[asyncio.Task[None], ...]


def real_time(now: datetime) -> None:
    """The clock of everything but demos."""


@asynccontextmanager
async def embedded(
    settings: Settings,
    database: Database,
    temporal: DevServerSettings,
    make_clock: MakeClock = real_time,
) -> AsyncIterator[Embedded]:
    """The whole stack on this machine, until the block is left. The store must be upgraded.

    Raises what starting its parts raises: WorkerError, TemporalUnreachableError.
    """
    clock: Clock | None = None

    def journey_now() -> datetime:
        return journey_time(clock, datetime.now(UTC))

    async with dev_server(temporal) as server:
        client = await connect(settings)
        desk = build_desk(settings, database, journey_now)
        # Their clock comes with each order, and who is woken by them is the dispatcher below.
        pages = Services(database=database, settings=settings, read_phone=e164)
        worker = build_worker(client, desk, settings.task_queue, settings.graceful_shutdown, pages)
        async with _running(worker) as working:
            clock = make_clock(datetime.now(UTC))
            services = Services(
                database=database,
                settings=settings,
                temporal=client,
                temporal_ui_url=temporal.ui_url,
                clock=clock,
                woken=pages.woken,
                read_phone=e164,
            )
            async with serving(services) as answering:
                watching = asyncio.create_task(_ended(server), name="Temporal dev server")
                try:
                    yield Embedded(services, (answering, working, watching))
                finally:
                    watching.cancel()


@asynccontextmanager
async def _running(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(worker.run(), name="worker")
    try:
        yield task
    finally:
        await worker.shutdown()
        await asyncio.wait([task])


async def _ended(server: asyncio.subprocess.Process) -> None:
    await server.wait()


def search_attributes() -> tuple[str, ...]:
    """Those the dev server must know from its start."""
    return tuple(key.name for key in SEARCH_ATTRIBUTES)

"""Telling Temporal of broadcasts: that there is one, or that it stands otherwise than it did.

Whoever gives an order only writes the broadcast's row, the command line too; this reads the
few rows that are not over, and has each one's workflow run and look. It decides nothing, may
be done twice and by several at once. The surprising fact: it needs no memory. What it told is
forgotten with the process and told again, and a workflow that somebody terminated is begun
anew, for the row says that it goes on.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from api.errors import kind_of
from api.services import Services
from engine.broadcasts import BroadcastInput
from engine.keys import BROADCAST, broadcast_workflow_id
from store import broadcasts
from store.tables import Broadcast, BroadcastState

LOOK_SIGNAL = "look"

_log = structlog.get_logger("parcours.broadcasts")

# As often as the dispatcher looks for what other processes have written.
_POLL = timedelta(seconds=1)

# How soon one goes on whose workflow was terminated: nobody waits for it by the second, and
# to ask costs an action each time.
_RENEWED_AFTER = timedelta(minutes=1)


class Teller:
    """Tells one Temporal namespace."""

    def __init__(self, services: Services, client: Client) -> None:
        self._services = services
        self._client = client
        self._told: dict[str, tuple[datetime, datetime]] = {}  # of which change, and when

    async def run(self) -> None:
        """Tell what comes, for ever."""
        while True:
            try:
                await self.tell()
            except (SQLAlchemyError, OSError, RPCError, RuntimeError) as error:
                # Either is away. What was not told is told next time.
                _log.warning("broadcasts are not told", error=kind_of(error))
            await asyncio.sleep(_POLL.total_seconds())

    async def tell(self) -> int:
        """Tell what is new; how many workflows were told."""
        async with self._services.database.reading() as session:
            rows = await broadcasts.unfinished(session)
        self._told = {row.id: self._told[row.id] for row in rows if row.id in self._told}
        told = 0
        for row in rows:
            changed_at, at = self._told.get(row.id, (None, None))
            now = self._services.wall()
            is_new = changed_at != row.changed_at
            waits = row.state is BroadcastState.PAUSED
            if is_new or (at is not None and not waits and now - at >= _RENEWED_AFTER):
                await self._tell(row, is_new=is_new)
                self._told[row.id] = row.changed_at, now
                told += 1
        return told

    async def _tell(self, row: Broadcast, *, is_new: bool) -> None:
        settings = self._services.settings
        await self._client.start_workflow(
            BROADCAST,
            BroadcastInput(name=row.id, clock=self._services.clock),
            id=broadcast_workflow_id(row.id),
            task_queue=settings.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            start_signal=LOOK_SIGNAL if is_new else None,
            static_summary=f"{row.kind} {broadcasts.what(row)}",
            static_details=_details(row),
            rpc_timeout=settings.rpc_timeout,
        )


@asynccontextmanager
async def telling(services: Services) -> AsyncIterator[None]:
    """Tell meanwhile, if Temporal was given."""
    if services.temporal is None:
        yield
        return
    task = asyncio.create_task(Teller(services, services.temporal).run(), name="broadcasts")
    task.add_done_callback(_report_death)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _report_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("nobody tells of broadcasts any more", exc_info=error)


def _details(row: Broadcast) -> str:
    """What the Temporal UI shows of it for good; Markdown, and nothing about any person.

    Not the audience: somebody's address may stand in it.
    """
    when = f"{row.start_at:%Y-%m-%d %H:%M} UTC"
    if row.local_time is not None:
        when += f", at each one's own {row.local_time}"
    pace = "as fast as it goes" if row.per_second is None else f"{row.per_second:g} a second"
    return f"- {row.kind} `{broadcasts.what(row)}`\n- from {when}\n- {pace}"

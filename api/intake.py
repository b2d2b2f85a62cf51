"""Requests that arrive while others are being written are written together, in one transaction.

Decides nothing about calls: whoever hands some in is answered when they are stored for good,
or hears why they are not. One transaction for twenty requests costs little more than for
one, and two requests about one customer need not wait for each other's lock. The one
surprising fact: nothing ever waits to be joined by others. What has arrived is written at
once; what arrives meanwhile is the next transaction.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from api.accept import Accepted, accept
from api.services import Services
from engine.calls import SegmentCall
from store.away import is_away
from store.tables import RefusedCall

# Of one transaction, if it is of several requests: five full batches of an SDK. A few times as
# many would save little more, and make the first of them wait for the last.
_MOST_CALLS = 500

# Transactions at a time. SQLite takes one; on PostgreSQL a second is prepared here while the
# server works on the first, and a third would only wait for a core.
_WRITERS_ON_POSTGRES = 2


@dataclass(frozen=True)
class _Handed:
    calls: Sequence[SegmentCall]
    refused: Sequence[RefusedCall]
    answer: asyncio.Future[Accepted]


class Intake:
    """The one way in for events of one process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: list[_Handed] = []
        self._most_writers = 1 if services.database.is_sqlite else _WRITERS_ON_POSTGRES
        self._writers = 0
        self._tasks: set[asyncio.Task[None]] = set()  # held, or they might be forgotten

    async def take(
        self, calls: Sequence[SegmentCall], refused: Sequence[RefusedCall] = ()
    ) -> Accepted:
        """Have calls stored; returns once they are. Raises what `accept` raises.

        `refused` is what else was in the request, and is kept with them. What is answered is
        told of everything that was written together.
        """
        handed = _Handed(calls, refused, asyncio.get_running_loop().create_future())
        self._waiting.append(handed)
        if self._writers < self._most_writers:
            self._writers += 1
            task = asyncio.create_task(self._write_all(), name="intake")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        # Whoever goes away has the others' calls written all the same, and their own.
        return await asyncio.shield(handed.answer)

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await self._write(self._next())
        finally:
            # At once, for whoever comes next must know that nobody writes any more.
            self._writers -= 1

    def _next(self) -> list[_Handed]:
        """The requests to be written now: in the order of their arrival, at least one."""
        count = size = 0
        for handed in self._waiting:
            size += len(handed.calls)
            if count and size > _MOST_CALLS:
                break
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def _write(self, together: Sequence[_Handed]) -> None:
        try:
            calls = [call for handed in together for call in handed.calls]
            refused = [row for handed in together for row in handed.refused]
            now = self._services.now()
            accepted = await accept(self._services, calls, now, refused=refused)
        except Exception as error:
            if len(together) == 1 or is_away(error):
                # Each would fail alike, and every one of them after as long as this took.
                for handed in together:
                    _fail(handed, error)
                return
            # One of them may be to blame: the others must not suffer for it.
            for handed in together:
                await self._write([handed])
        except BaseException as error:  # told to stop: nobody must wait for ever
            for handed in together:
                _fail(handed, error)
            raise
        else:
            for handed in together:
                if not handed.answer.done():
                    handed.answer.set_result(accepted)


def _fail(handed: _Handed, error: BaseException) -> None:
    if not handed.answer.done():
        handed.answer.set_exception(error)

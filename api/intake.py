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

# Of one transaction: as much as the largest request may bring. More would make the first
# of them wait for the last.
_MOST_CALLS = 2_500


@dataclass(frozen=True)
class _Handed:
    calls: Sequence[SegmentCall]
    answer: asyncio.Future[Accepted]


class Intake:
    """The one way in for events of one process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: list[_Handed] = []
        self._writing: asyncio.Task[None] | None = None

    async def take(self, calls: Sequence[SegmentCall]) -> Accepted:
        """Have calls stored; returns once they are. Raises what `accept` raises.

        What is answered is told of everything that was written together.
        """
        handed = _Handed(calls, asyncio.get_running_loop().create_future())
        self._waiting.append(handed)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="intake")
        # Whoever goes away has the others' calls written all the same, and their own.
        return await asyncio.shield(handed.answer)

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await self._write(self._next())
        finally:
            self._writing = None

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
            accepted = await accept(self._services, calls, self._services.now())
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

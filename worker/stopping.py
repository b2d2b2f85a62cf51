"""How a process is told to stop: Ctrl-C and SIGTERM, once, in order.

A second Ctrl-C while it is stopping is the operator's impatience, and ends it at once.
"""

import asyncio
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from worker.errors import ServerFailedError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def told_to_stop() -> Iterator[asyncio.Event]:
    """An event that is set at the first signal; at the second the old handlers are back."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def stop() -> None:
        told.set()
        _release(loop)

    for each in _SIGNALS:
        loop.add_signal_handler(each, stop)
    try:
        yield told
    finally:
        _release(loop)


async def until_told(told: asyncio.Event, tasks: Iterable[asyncio.Task[None]]) -> None:
    """Wait for the signal. Raises ServerFailedError if one of the tasks ends before it."""
    waiting = asyncio.create_task(told.wait())
    working = set(tasks)
    try:
        await asyncio.wait({waiting, *working}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    for task in working:
        if task.done() and not told.is_set():
            error = None if task.cancelled() else task.exception()
            raise ServerFailedError(f"the {task.get_name()} ended: {error or 'unasked'}") from error


def _release(loop: asyncio.AbstractEventLoop) -> None:
    for each in _SIGNALS:
        loop.remove_signal_handler(each)

"""Work that goes on beside the requests, for as long as the application runs.

Decides how it ends: it is told to, has a moment for the transaction that is under way, and is
cancelled only after that. Knows nothing of what the work is.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

# For a transaction under way when the process stops, perhaps while the store is away.
_LAST = timedelta(seconds=2)


@asynccontextmanager
async def beside(
    work: Callable[[asyncio.Event], Coroutine[object, object, None]], name: str
) -> AsyncIterator[None]:
    """Have it done meanwhile, until its event says to stop."""
    stopping = asyncio.Event()
    task = asyncio.create_task(work(stopping), name=name)
    try:
        yield
    finally:
        stopping.set()
        _, late = await asyncio.wait([task], timeout=_LAST.total_seconds())
        for each in late:
            each.cancel()
            await asyncio.wait([each])


async def stops_within(stopping: asyncio.Event, span: timedelta) -> bool:
    """Wait so long, or until it is to stop; whether it is."""
    with suppress(TimeoutError):
        async with asyncio.timeout(span.total_seconds()):
            await stopping.wait()
    return stopping.is_set()

"""Doing something here while the database works on something else.

A request's statements wait for one another, and so does the next request that is about one of
its customers; this process would only look on. The one surprising fact: what is done meanwhile
is done even if the database fails, and for nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

_Found = TypeVar("_Found")
_Done = TypeVar("_Done")


async def meanwhile(
    asked: Coroutine[Any, Any, _Found], do: Callable[[], _Done]
) -> tuple[_Found, _Done]:
    """What the database answers, and what `do` comes to, which may not ask it anything.

    Raises what either does, the database's first.
    """
    asking = asyncio.ensure_future(asked)
    try:
        await asyncio.sleep(0)  # it runs until it has to wait: then the database has it
        done = do()
    finally:
        found = await asking
    return found, done


class InTurn:
    """A session that may be busy with one thing: whoever asks it for another gets it after that.

    For work that asks the database seldom, and need not wait for what it does not need.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._under_way: asyncio.Future[None] | None = None

    async def session(self) -> AsyncSession:
        """The session, once it is free. Raises what the database did."""
        if self._under_way is not None:
            await self._under_way
        return self._session

    @asynccontextmanager
    async def busy(self, asked: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
        """Have the database do this during the block, and at its end have it done.

        Raises what either raises, the database's first.
        """
        assert self._under_way is None, "a session does one thing at a time"
        self._under_way = asyncio.ensure_future(asked)
        try:
            await asyncio.sleep(0)  # as in `meanwhile`
            yield
        finally:
            try:
                await self._under_way
            finally:
                self._under_way = None

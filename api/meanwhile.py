"""Doing something here while the database works on something else.

A request's statements wait for one another, and so does the next request that is about one of
its customers; this process would only look on. The one surprising fact: what is done meanwhile
is done even if the database fails, and for nothing.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

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

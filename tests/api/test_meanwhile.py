"""Work done while the database works: what waits for it, and who is told of what went wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from api.meanwhile import InTurn, meanwhile

SESSION = cast(AsyncSession, object())


class BrokenError(Exception):
    """Of the database."""


class Slow:
    """Something the database is asked, that ends when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.end = asyncio.Event()
        self.is_begun = self.is_over = False
        self._error = error

    async def ask(self) -> None:
        self.is_begun = True
        await self.end.wait()
        self.is_over = True
        if self._error is not None:
            raise self._error


async def test_what_is_done_meanwhile_is_done_once_the_database_has_begun() -> None:
    slow = Slow()

    def do() -> bool:
        slow.end.set()
        return slow.is_begun and not slow.is_over

    assert await meanwhile(slow.ask(), do) == (None, True)
    assert slow.is_over


async def test_where_both_fail_it_is_the_database_that_is_told_of() -> None:
    slow = Slow(BrokenError())

    def do() -> None:
        slow.end.set()
        raise ZeroDivisionError

    with pytest.raises(BrokenError):
        await meanwhile(slow.ask(), do)


async def test_a_session_is_free_at_once_where_nothing_is_under_way() -> None:
    assert await InTurn(SESSION).session() is SESSION


async def test_whoever_asks_a_busy_session_waits_and_who_does_not_goes_on() -> None:
    turn, slow = InTurn(SESSION), Slow()
    async with turn.busy(slow.ask()):
        assert (slow.is_begun, slow.is_over) == (True, False)
        waiting = asyncio.create_task(turn.session())
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        slow.end.set()
        assert await waiting is SESSION
        assert slow.is_over
    assert await turn.session() is SESSION


async def during(turn: InTurn, slow: Slow, do: Callable[[], Awaitable[object]]) -> None:
    async with turn.busy(slow.ask()):
        await do()


async def test_the_block_is_not_left_before_the_session_is_free() -> None:
    turn, slow = InTurn(SESSION), Slow()

    async def fail() -> None:
        asyncio.get_running_loop().call_soon(slow.end.set)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await during(turn, slow, fail)
    assert slow.is_over


async def test_what_the_database_refused_is_told_to_who_waits_and_at_the_end() -> None:
    turn, slow = InTurn(SESSION), Slow(BrokenError())
    slow.end.set()

    async def wait() -> None:
        with pytest.raises(BrokenError):
            await turn.session()

    with pytest.raises(BrokenError):
        await during(turn, slow, wait)


async def test_a_database_that_failed_is_told_of_before_what_failed_here() -> None:
    turn, slow = InTurn(SESSION), Slow(BrokenError())

    async def fail() -> None:
        slow.end.set()
        raise ZeroDivisionError

    with pytest.raises(BrokenError):
        await during(turn, slow, fail)

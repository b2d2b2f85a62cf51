"""While a request's events are being counted, nobody else asks the database anything.

One connection does one thing at a time, and its drivers queue in silence whatever comes between:
a part of the code that forgot to wait its turn would show nowhere. So each statement is asked
here whose task it is.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncSession

from api.meanwhile import InTurn
from engine.calls import SegmentCall, Track
from store import events
from store.events import NewEvent
from tests.api.lives import MINUTE, RECEIVED, UNHURRIED, after, lives

# Turns of the event loop: far more than a request takes that waits for nothing.
_TURNS = 300


@contextmanager
def slow_counting(asked: list[str]) -> Iterator[None]:
    """Counting takes long; what another task asks meanwhile is put into `asked`."""
    counting: set[asyncio.Task[Any] | None] = set()
    count = events.count

    async def slow(session: AsyncSession, rows: Sequence[NewEvent], new: Collection[str]) -> None:
        counting.add(asyncio.current_task())
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await count(session, rows, new)
        counting.clear()

    def before(_: Any, __: Any, statement: str, *more: Any) -> None:
        if counting and asyncio.current_task() not in counting:
            asked.append(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "count", slow)
        event.listen(Engine, "before_cursor_execute", before)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", before)


@settings(max_examples=30, **UNHURRIED)
@given(calls=lives(most=20))
def test_whatever_calls_do_they_wait_their_turn(
    published_file: Path, calls: list[SegmentCall]
) -> None:
    half = len(calls) // 2
    asked: list[str] = []
    with slow_counting(asked):
        after(published_file, [calls[half:], calls[:half]])  # so that what comes late is caught up
    assert asked == []


def test_one_who_does_not_wait_would_be_noticed(
    published_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The known-bad control: an exit closes an enrollment without asking for its turn."""

    async def at_once(turn: InTurn) -> AsyncSession:
        return turn._session

    monkeypatch.setattr(InTurn, "session", at_once)
    calls = [
        Track(customer_id="ada", at=RECEIVED - 2 * MINUTE, message_id="m1", event="began"),
        Track(customer_id="ada", at=RECEIVED - MINUTE, message_id="m2", event="left"),
    ]
    asked: list[str] = []
    with slow_counting(asked):
        after(published_file, [calls])
    assert any(statement.startswith("INSERT INTO enrollments") for statement in asked)

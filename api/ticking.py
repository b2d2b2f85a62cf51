"""What time alone changes of customers, as its time comes; and what new definitions ask of all.

Runs beside the dispatcher, in every process: who looks twice at one customer changes nothing.
Asks the store one question a second, however many customers there are; of those whom nothing
awaits it reads nothing. Who fails in a way that nobody foresaw holds up nobody else, and is
tried again after a pause that grows. The one surprising fact: after a publication that computes
something else, every customer is looked at once, a page at a time, and nobody enters or leaves
a segment by it; until then whoever does something is looked at first.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from api.accept import accept_in
from api.beside import beside, stops_within
from api.errors import kind_of
from api.reach import MOST_TRIES
from api.services import Services
from engine.calls import TimePassed
from engine.computed import Computations
from rendering.computed import computations_of
from store import computed, customers, journeys
from store.away import is_away, is_conflict

_log = structlog.get_logger("parcours.ticking")

_EVERY = timedelta(seconds=1)

# A few tens of milliseconds a transaction, in which SQLite's other writers wait.
_AT_ONCE = 50

# Between two pages, so that those who wait come first.
_BREATH = timedelta(milliseconds=20)

# Before somebody is tried again whose look failed: soon enough after what was a moment's
# trouble, and rarely enough in a log that nobody has read yet. It doubles from one to the other.
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True)
class _Trouble:
    """After which pause a customer is tried again, and when that is (real time)."""

    pause: timedelta
    again_at: datetime


class Ticker:
    """Looks at whom it is time to look at.

    `version` is of what is computed now, and `is_made` says whether everybody has been looked
    at for it. With another, those in trouble begin anew.
    """

    def __init__(self, services: Services, at_once: int = _AT_ONCE) -> None:
        self._services = services
        self._at_once = at_once
        self._version: str | None = None
        self._is_made = False
        self._in_trouble: dict[str, _Trouble] = {}

    async def tick(self) -> int:
        """Have all happen that is due now; of how many customers. Raises what the store raises."""
        async with self._services.database.reading() as session:
            published = await journeys.newest_publication(session)
        by = computations_of(published.policy) if published is not None else None
        if by is None or by.is_empty:
            return 0
        if self._version != by.version:
            self._version, self._is_made = by.version, False
            self._in_trouble.clear()
        looked_at = 0
        if not self._is_made:
            looked_at += await self._make_for_all(by)
            self._is_made = True
        looked_at += await self._try_again()
        while found := await self._due(by):
            looked_at += await self._look_at_all(found)
        return looked_at

    async def _due(self, by: Computations) -> Sequence[str]:
        now, limit = self._services.now(), self._at_once + len(self._in_trouble)
        async with self._services.database.reading() as session:
            found = await computed.due(session, by.version, now, limit)
        return [each for each in found if each not in self._in_trouble]

    async def _make_for_all(self, by: Computations) -> int:
        after, made = "", 0
        while True:
            async with self._services.database.reading() as session:
                page = await computed.left_to_compute(session, by.version, after, self._at_once)
            if not page:
                return made
            made += await self._look_at_all([e for e in page if e not in self._in_trouble])
            after = page[-1]
            await asyncio.sleep(_BREATH.total_seconds())

    async def _try_again(self) -> int:
        wall = self._services.wall()
        ready = sorted(each for each, last in self._in_trouble.items() if last.again_at <= wall)
        pages = [ready[n : n + self._at_once] for n in range(0, len(ready), self._at_once)]
        return sum([await self._look_at_all(page) for page in pages])

    async def _look_at_all(self, customer_ids: Sequence[str]) -> int:
        """Look at them; at how many. Raises what a store raises that is away."""
        if not customer_ids:
            return 0
        try:
            await self._look_at(customer_ids)
        except Exception as error:
            if is_away(error):
                raise
            if len(customer_ids) > 1:
                return sum([await self._look_at_all([each]) for each in customer_ids])
            pause = self._put_off(customer_ids[0])
            _log.exception("could not look at a customer", again_in_seconds=pause.total_seconds())
            return 0
        for each in customer_ids:
            self._in_trouble.pop(each, None)
        return len(customer_ids)

    def _put_off(self, customer_id: str) -> timedelta:
        last = self._in_trouble.get(customer_id)
        pause = _FIRST_PAUSE if last is None else min(2 * last.pause, _LONGEST_PAUSE)
        self._in_trouble[customer_id] = _Trouble(pause, self._services.wall() + pause)
        return pause

    async def _look_at(self, customer_ids: Sequence[str]) -> None:
        """Look at them in one transaction; begun anew where another stood against it."""
        for _ in range(MOST_TRIES - 1):
            try:
                await self._look_at_once(customer_ids)
            except DBAPIError as error:
                if not is_conflict(error):
                    raise
            else:
                return
        await self._look_at_once(customer_ids)

    async def _look_at_once(self, customer_ids: Sequence[str]) -> None:
        services, now = self._services, self._services.now()
        async with services.database.transaction() as session:
            there = []
            for each in sorted(customer_ids):
                await customers.hold(session, each)  # from here on nobody erases or joins them
                row = await customers.get(session, each)
                if row is not None and row.merged_into is None:
                    there.append(each)
            calls = [_passed(each, now) for each in there]
            accepted = await accept_in(session, services, calls, now) if calls else None
        if accepted is not None and accepted.carried:
            services.woken.set()


def _passed(customer_id: str, now: datetime) -> TimePassed:
    return TimePassed(
        customer_id=customer_id, at=now, message_id=f"time:{customer_id}:{now.isoformat()}"
    )


def ticking(services: Services) -> AbstractAsyncContextManager[None]:
    """Look every second meanwhile."""
    return beside(partial(_tick_until, Ticker(services)), "ticking")


async def _tick_until(ticker: Ticker, stopping: asyncio.Event) -> None:
    while not await stops_within(stopping, _EVERY):
        try:
            looked_at = await ticker.tick()
        except (SQLAlchemyError, OSError) as error:
            _log.warning("could not look at whom time changes", error=kind_of(error))
            continue
        if looked_at:
            _log.info("looked at whom time changed", customers=looked_at)

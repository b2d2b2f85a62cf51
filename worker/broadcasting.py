"""The pages of broadcasts, as Temporal sees them: taking up is the API's, sending `deliver`'s.

Decides how long one activity goes on. What it does is in the store when it ends, and so is
what an attempt did that died. The surprising fact: it reads no setting and keeps nothing
between two pages; what it must know of the broadcast it reads with each.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.broadcasting import Sending, Sent, send_due
from activities.desk import Desk
from activities.names import BROADCAST_PAGE
from api.broadcasting.orders import Broadcasting, close_left, finish
from api.broadcasting.taking_up import MOST_TAKEN, Taken, take_up
from api.errors import ApiError
from api.services import Services
from engine.broadcasts import PageDone, PageOrder, page_size, span_of
from store import broadcasts, outbox
from store.tables import BroadcastKind, BroadcastState

# One activity costs some 30 ms and six events of history: over this long that is nothing. And
# no longer, so that a person who looks sees it get on.
_WORKS_FOR = timedelta(seconds=5)

# So many may wait for the dispatcher before the next page: two or three seconds of its work,
# so that it never waits for us, and what customers do is carried as soon as ever. A whole
# audience in the outbox would be before every exit that is told meanwhile.
_MOST_WAITING = 200
_AHEAD_S = 0.2

# As of `deliver`: several in the time after which a silent worker is taken for dead.
_HEARTBEAT = timedelta(seconds=3)


class BroadcastActivities:
    """The activity of one worker's broadcasts."""

    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    @activity.defn(name=BROADCAST_PAGE)
    async def page(self, order: PageOrder) -> PageDone:
        """Take up those who come next and send what is due, for some seconds."""
        try:
            async with _signs_of_life():
                return await self._page(order)
        except Exception as error:
            # By its name: its text may quote anything, as databases do.
            activity.logger.error("the page failed", exc_info=error)
            name = type(error).__name__
            raise ApplicationError(f"{name}: the worker's log says more", type=name) from None

    async def _page(self, order: PageOrder) -> PageDone:
        began = time.monotonic()
        # The server's time, not this machine's: a server that skips time has its own.
        started = activity.info().started_time

        def wall() -> datetime:
            return started + timedelta(seconds=time.monotonic() - began)

        services = replace(self._services, clock=order.clock, wall=wall)
        if order.stopped_by is not None:
            with suppress(ApiError):  # it is over already
                await Broadcasting(services, order.stopped_by).stop(order.name)
        sending = Sending(self._desk, wall, services.tolerances, order.clock)
        working = _Working(services, sending, order.name)
        while True:
            done = await working.turn()
            is_long = time.monotonic() - began > _WORKS_FOR.total_seconds()
            if is_long or must_wait(done) or activity.is_worker_shutdown():
                return done.model_copy(update={"lines": await working.lines()})


@dataclass
class _Working:
    """One activity's work on one broadcast; `taken` and `span` add up over its turns."""

    services: Services
    sending: Sending
    name: str
    taken: int = 0
    span: timedelta = timedelta(0)
    last: Taken | None = None
    trouble: str | None = None

    async def turn(self) -> PageDone:
        """Take up a page of customers, and send a page of messages."""
        if await self._is_ahead():
            await asyncio.sleep(_AHEAD_S)
            return PageDone(state=BroadcastState.RUNNING.value, is_over=False, span=self.span)
        taken = self.last = await take_up(self.services, self.name)
        if taken is None:
            return PageDone(state="gone", is_over=True)
        if taken.state is BroadcastState.STOPPED:
            await close_left(self.services, self.name)
            return await self._done(taken, Sent())
        sent = Sent()
        if taken.kind is BroadcastKind.MESSAGE and taken.state is BroadcastState.RUNNING:
            size = page_size(taken.per_second, MOST_TAKEN)
            sent = await send_due(self.sending, self.name, size)
            if taken.all_seen and await finish(self.services, self.name):
                taken = self.last = replace(taken, state=BroadcastState.DONE)
        self.trouble = sent.trouble or self.trouble
        self.taken += max(taken.taken, sent.tried)
        self.span = span_of(self.taken, taken.per_second)
        return await self._done(taken, sent)

    async def _is_ahead(self) -> bool:
        """Whether Temporal has yet to hear of as many as it should have at a time."""
        if self.last is None or self.last.kind is BroadcastKind.MESSAGE:
            return False  # the first page finds out; and of messages it hears nothing
        async with self.services.database.reading() as session:
            return await outbox.is_behind(session, _MOST_WAITING)

    async def lines(self) -> tuple[str, ...]:
        """How far it has got, in Markdown; numbers, and nothing about any person."""
        if self.last is None:
            return ("the store knows no such broadcast",)
        counted = self.last.counted
        lines = [f"- {self.last.state}", f"- taken up: {counted.inside:,}"]
        if self.last.kind is BroadcastKind.MESSAGE:
            async with self.services.database.reading() as session:
                left = await broadcasts.count_open(session, self.name)
            lines.append(f"- yet to be sent: {left:,}")
        if self.trouble is not None:
            lines.append(f"- in trouble, to be tried again: {self.trouble}")
        lines += [f"- {reason}: {number:,}" for reason, number in (counted.out or {}).items()]
        return tuple(lines)

    async def _done(self, taken: Taken, sent: Sent) -> PageDone:
        is_over = taken.state in (BroadcastState.STOPPED, BroadcastState.DONE)
        due_at = None
        if taken.kind is BroadcastKind.MESSAGE and not is_over:
            async with self.services.database.reading() as session:
                due_at = await broadcasts.next_due(session, self.name)
        return PageDone(
            state=taken.state.value,
            is_over=is_over,
            is_paused=taken.state is BroadcastState.PAUSED,
            taken=self.taken,
            span=self.span,
            again_at=None if is_over else self._again_at(taken, due_at),
            is_troubled=0 < sent.tried == sent.troubled,
        )

    def _again_at(self, taken: Taken, due_at: datetime | None) -> datetime | None:
        """When there is something to do; None: now."""
        if not taken.all_seen and taken.again_at is None:
            return None
        times = [at for at in (taken.again_at, due_at) if at is not None]
        first = min(times, default=None)
        return None if first is None or first <= self.services.now() else first


def must_wait(done: PageDone) -> bool:
    """Whether there is nothing more to do just now, or no more at the rate."""
    waits = done.is_paused or done.is_troubled or done.again_at is not None
    return done.is_over or waits or done.span > timedelta(0)


@asynccontextmanager
async def _signs_of_life() -> AsyncIterator[None]:
    async def tell() -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT.total_seconds())
            activity.heartbeat()

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()

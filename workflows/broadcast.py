"""One broadcast, for as long as it lasts: a loop that has pages done and keeps their pace.

It knows nothing but the broadcast's name, and decides nothing but when the next page comes:
each reads from the store whether to go on and with whom. So a signal only says "look", none
of them is missed by being lost, and a run may begin anew anywhere. The one surprising fact:
to cancel it here is a person's stop, and is written to the store first, or whoever reads
there that the broadcast goes on would begin it again.
"""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

from activities.names import BROADCAST_PAGE
from engine.broadcasts import BroadcastInput, PageDone, PageOrder
from engine.clock import journey_time, real_span
from engine.keys import BROADCAST
from workflows.policies import (
    BEHIND_AT_MOST,
    BROADCAST_PAGE_ATTEMPT,
    DELIVER_HEARTBEAT,
    LONGEST_TROUBLED_PAUSE,
    RECORD_RETRY,
    TROUBLED_PAUSE,
)

# Who stops it, as far as the store can know: somebody in the Temporal UI.
_ACTOR = "temporal"


@workflow.defn(name=BROADCAST)
class Broadcast:
    """A broadcast's workflow."""

    @workflow.init
    def __init__(self, given: BroadcastInput) -> None:
        self._given = given
        self._turn_at = given.turn_at or workflow.now()
        self._page = PageDone(state="running", is_over=False)
        self._stirred = False
        self._troubled = 0  # pages in a row in which nobody could be sent anything

    @workflow.run
    async def run(self, given: BroadcastInput) -> str:
        """Until everybody has had it, or it is stopped; how it ended."""
        try:
            while True:
                self._stirred = False
                await self._next_page()
                if self._page.is_over:
                    return self._page.state
                if workflow.info().is_continue_as_new_suggested():
                    workflow.continue_as_new(given.model_copy(update={"turn_at": self._turn_at}))
                await self._wait()
        except asyncio.CancelledError:
            await self._next_page(stopped_by=_ACTOR)
            raise

    @workflow.signal
    def look(self, *args: Any) -> None:
        """The broadcast may stand otherwise now."""
        self._stirred = True

    @workflow.query
    def progress(self) -> PageDone:
        """What the last page came to."""
        return self._page

    async def _next_page(self, stopped_by: str | None = None) -> None:
        began = workflow.now()
        order = PageOrder(name=self._given.name, clock=self._given.clock, stopped_by=stopped_by)
        self._page = await workflow.execute_activity(
            BROADCAST_PAGE,
            order,
            result_type=PageDone,
            summary=self._page.state,
            start_to_close_timeout=BROADCAST_PAGE_ATTEMPT,
            heartbeat_timeout=DELIVER_HEARTBEAT,
            retry_policy=RECORD_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        self._turn_at = max(self._turn_at, began - BEHIND_AT_MOST) + self._page.span
        self._troubled = self._troubled + 1 if self._page.is_troubled else 0
        workflow.set_current_details("\n".join(self._page.lines))

    async def _wait(self) -> None:
        """Until the next page has its turn, or somebody says that things stand otherwise."""
        pause = None if self._page.is_paused else self._pause()
        if pause is not None and pause <= timedelta(0):
            return
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._stirred, timeout=pause, timeout_summary="the next page"
            )

    def _pause(self) -> timedelta:
        now, pauses = workflow.now(), [self._turn_at - workflow.now()]
        if self._page.again_at is not None:
            pauses.append(self._until(self._page.again_at, now))
        if self._troubled:
            doublings = min(self._troubled - 1, 10)  # far beyond the longest
            pauses.append(min(TROUBLED_PAUSE * 2**doublings, LONGEST_TROUBLED_PAUSE))
        return max(pauses)

    def _until(self, at: datetime, now: datetime) -> timedelta:
        """How long it really is until that journey time."""
        return real_span(self._given.clock, at - journey_time(self._given.clock, now))

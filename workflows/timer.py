"""The one timer of an enrollment, with a summary a person can read."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

from engine.enrollment import Wakeup
from engine.progress import local_text


class Timer:
    """Stands for one wake-up at a time; set anew only when its (time, step) changes."""

    def __init__(self, on_fire: Callable[[], None]) -> None:
        self._on_fire = on_fire
        self._task: asyncio.Task[None] | None = None
        self._wake: Wakeup | None = None
        self.fired_for: datetime | None = None  # the latest wake-up it fired for

    def stand_for(self, wake: Wakeup | None, left: timedelta, otherwise: str) -> None:
        """Fire in `left` for this wake-up, or (None) not at all.

        `otherwise` names what the wake-up is for when it is not a step.
        """
        if wake is not None and self._wake is not None and _same(wake, self._wake):
            return
        self.drop()
        if wake is not None:
            what = f"{wake.step} · due" if wake.step is not None else f"{otherwise} · ends"
            summary = f"{what} {local_text(wake.at, wake.zone)}"
            self._wake = wake
            self._task = asyncio.create_task(self._sleep(wake, max(left, timedelta(0)), summary))

    def drop(self) -> None:
        """Fire no more."""
        if self._task is not None:
            self._task.cancel()
        self._task = self._wake = None

    async def _sleep(self, wake: Wakeup, left: timedelta, summary: str) -> None:
        await workflow.sleep(left, summary=summary)
        self._task = self._wake = None
        self.fired_for = wake.at
        self._on_fire()


def _same(one: Wakeup, other: Wakeup) -> bool:
    return (one.at, one.step) == (other.at, other.step)

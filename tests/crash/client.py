"""An app's SDK: sends each call until it is answered with 200, and logs every answer.

What it does is what real ones do: no answer, or one that says *not now*, and the same call
goes out again with the same `messageId`. The one surprising fact: some calls are sent once
more though they were answered, at the same time as the customer's next, for an SDK whose
answer was lost does that.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.crash.lives import Call, Life

# At once, as many as an app with some threads has.
CONNECTIONS = 8

# Longer than any honest answer takes.
_TIMEOUT_S = 15.0

# Real ones wait up to a minute in the end; here the next kill is seconds away.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0

# The share of calls sent again though they were answered.
_REPEATED = 0.05

# What an answer may be: taken, or not now.
_HONEST = frozenset({200, 503})


@dataclass
class Log:
    """What the client knows. `taken` are the calls that got a 200, in that order.

    `odd` are answers that no API should give; `answers` counts them all by what they were.
    `took_s` is how long each answer with 200 took that was the first for its call, by when (on
    the monotonic clock) it was asked for.
    """

    taken: dict[str, Call] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    took_s: list[tuple[float, float]] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, call: Call) -> None:
        """It got a 200."""
        self.taken.setdefault(call.message_id, call)
        self.more.set()

    async def grown_to(self, count: int) -> None:
        """Until that many calls were taken."""
        while len(self.taken) < count:
            self.more.clear()
            await self.more.wait()


@dataclass
class Sender:
    """Sends lives through several connections, at most `rate` calls a second in all."""

    ports: Sequence[int]
    key: str
    chance: random.Random
    rate: float
    connections: int = CONNECTIONS
    is_enough: bool = False  # set, it sends nothing more
    log: Log = field(default_factory=Log)
    _next_at: float = 0.0

    async def send(self, lives: Sequence[Life]) -> None:
        """Send everything; returns once all was taken."""
        headers = {"Authorization": f"Bearer {self.key}"}
        limits = httpx.Limits(max_connections=2 * self.connections)
        async with (
            httpx.AsyncClient(headers=headers, timeout=_TIMEOUT_S, limits=limits) as http,
            asyncio.TaskGroup() as group,
        ):
            for number in range(self.connections):
                group.create_task(self._send_mine(http, lives[number :: self.connections], group))

    async def _send_mine(
        self, http: httpx.AsyncClient, lives: Sequence[Life], group: asyncio.TaskGroup
    ) -> None:
        """One connection's customers, each in order, all of them mixed."""
        left = [list(life.calls) for life in lives]
        while left and not self.is_enough:
            mine = self.chance.choice(left)
            call = mine.pop(0)
            if not mine:
                left.remove(mine)
            await self._paced()
            began = time.monotonic()
            payload = call.payload(datetime.now(UTC))
            await self._until_taken(http, call, payload)
            self.log.took_s.append((began, time.monotonic() - began))
            if self.chance.random() < _REPEATED:
                group.create_task(self._until_taken(http, call, payload))

    async def _paced(self) -> None:
        now = time.monotonic()
        self._next_at = max(now, self._next_at + 1 / self.rate)
        await asyncio.sleep(self._next_at - now)

    async def _until_taken(
        self, http: httpx.AsyncClient, call: Call, payload: dict[str, Any]
    ) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            port = self.chance.choice(self.ports)
            if await self._is_taken(http, f"http://127.0.0.1:{port}/v1/{call.kind}", payload):
                self.log.take(call)
                return
            await asyncio.sleep(pause * self.chance.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _is_taken(self, http: httpx.AsyncClient, url: str, payload: dict[str, Any]) -> bool:
        try:
            answer = await http.post(url, json=payload)
        except httpx.TransportError as error:
            self.log.answers[type(error).__name__] += 1
            return False
        self.log.answers[str(answer.status_code)] += 1
        if answer.status_code not in _HONEST:
            self.log.odd.append(f"{answer.status_code} to {payload}: {answer.text[:200]}")
        return answer.status_code == 200

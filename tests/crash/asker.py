"""Asks at a steady pace, whatever becomes of it, and keeps every answer: no retries here."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

# Longer than SQLite's lock is waited for, twice: who comes while others wait waits after them.
_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Answer:
    """One answer; `asked_at` is on the monotonic clock, `content` its JSON, if it is that."""

    path: str
    message_id: str
    asked_at: float
    took_s: float
    status: int
    retry_after: str | None = None
    content: dict[str, Any] | None = None


def faults(answers: Sequence[Answer], patience_s: float) -> list[str]:
    """All that is wrong with answers to events, as long as a store may be away."""
    return [fault for answer in answers for fault in _faults(answer, patience_s)]


def _faults(answer: Answer, patience_s: float) -> Iterator[str]:
    if answer.took_s > patience_s:
        yield f"{answer.message_id} was answered only after {answer.took_s:.1f} s"
    if answer.status == 200:
        if answer.content != {"success": True}:
            yield f"{answer.message_id}: 200 with {answer.content}"
        return
    if answer.status != 503:
        yield f"{answer.message_id} was answered {answer.status}: {answer.content}"
        return
    if answer.retry_after is None or not answer.retry_after.isdigit():
        yield f"{answer.message_id}: 503 with Retry-After {answer.retry_after}"
    if answer.content is None or answer.content.get("code") != "store_unavailable":
        yield f"{answer.message_id}: 503 with {answer.content}"


@dataclass
class Asker:
    """Sends `rate` events a second to the ports in turn. `answers` are those to events."""

    ports: Sequence[int]
    key: str
    rate: float
    event: str
    answers: list[Answer] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)  # connections that broke

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Ask meanwhile; at the end every answer has come."""
        enough = asyncio.Event()
        asking = asyncio.create_task(self._ask_until(enough))
        try:
            yield
        finally:
            enough.set()
            await asking

    async def look(self, http: httpx.AsyncClient, port: int, path: str) -> Answer:
        """Ask how it is."""
        return await _ask(http.get(f"http://127.0.0.1:{port}{path}"), path)

    async def first_taken_after(self, moment: float) -> Answer:
        """The first event that is taken, of those asked for after this moment."""
        while True:
            for answer in self.answers:
                if answer.status == 200 and answer.asked_at > moment:
                    return answer
            await asyncio.sleep(0.05)

    async def _ask_until(self, enough: asyncio.Event) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        # What waits holds up nobody; and what is idle is closed by us, before the server does
        # so (after 5 s) just as we use it, which would be no answer at all.
        limits = httpx.Limits(max_connections=1000, keepalive_expiry=2.0)
        async with (
            httpx.AsyncClient(headers=headers, timeout=_TIMEOUT_S, limits=limits) as http,
            asyncio.TaskGroup() as group,
        ):
            next_at = time.monotonic()
            for number in count():
                if enough.is_set():
                    return
                group.create_task(self._send(http, number))
                next_at += 1 / self.rate
                await asyncio.sleep(max(0.0, next_at - time.monotonic()))

    async def _send(self, http: httpx.AsyncClient, number: int) -> None:
        customer = f"c{number}"
        payload = {"messageId": f"m-{customer}", "userId": customer, "event": self.event}
        url = f"http://127.0.0.1:{self.ports[number % len(self.ports)]}/v1/track"
        try:
            self.answers.append(await _ask(http.post(url, json=payload), payload["messageId"]))
        except httpx.TransportError as error:
            self.lost[type(error).__name__] += 1


async def _ask(asking: Any, message_id: str) -> Answer:
    asked_at = time.monotonic()
    answer: httpx.Response = await asking
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return Answer(
        path=answer.request.url.path,
        message_id=message_id,
        asked_at=asked_at,
        took_s=time.monotonic() - asked_at,
        status=answer.status_code,
        retry_after=answer.headers.get("retry-after"),
        content=answer.json() if is_json else None,
    )

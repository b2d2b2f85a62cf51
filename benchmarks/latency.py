"""(f) How soon Temporal hears: from an event to its started workflow, from an exit to the end.

The processes of production on one machine: `parcours api` with its dispatcher, `parcours
worker`, the Temporal server, the store. At 50 events a second five concern a journey, of which
half start it and half end it. A time is counted from before the request is sent until what
the workflow's history says, by the same machine's clock.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client, WorkflowExecutionDescription

from benchmarks.connecting import connected
from benchmarks.preparing import prepared
from benchmarks.servers import free_port, parcours, postgres_server, temporal_server
from benchmarks.trial import folder
from engine.keys import enrollment_id

_PER_SECOND = 50
_OF_A_JOURNEY = 10  # one in so many
_SECONDS = 40

# Until an exit follows its start: long enough for the workflow to have begun.
_STAYS_S = 3.0

_P50_S, _P99_S = 0.050, 0.250


@dataclass
class _Told:
    """When what was sent, by workflow id."""

    starts: dict[str, datetime] = field(default_factory=dict)
    ends: dict[str, datetime] = field(default_factory=dict)


async def run() -> None:
    """One run on each store."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parcours-bench-")))
        postgres = stack.enter_context(postgres_server())
        for name, url in (
            ("SQLite", f"sqlite+aiosqlite:///{home}/parcours.db"),
            ("PostgreSQL", postgres),
        ):
            with temporal_server() as server:
                key, port = await prepared(url, folder(), ()), free_port()
                environment = {
                    "PARCOURS_DATABASE_URL": url,
                    "PARCOURS_TEMPORAL_ADDRESS": server.address,
                    "PARCOURS_SECRET_KEY": "a key of thirty-two characters .",
                    "PARCOURS_API_PORT": str(port),
                    "PYTHONTZPATH": "",
                }
                with parcours("worker", environment), parcours("api", environment):
                    told = await _send(f"http://127.0.0.1:{port}", key)
                    client = await connected(server)
                    _print(name, "event to started workflow", await _began(client, told))
                    _print(name, "exit to ended workflow", await _ended(client, told))


def _print(store: str, what: str, seconds: Sequence[float]) -> None:
    p50, p99 = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
    verdict = "yes" if p50 < _P50_S and p99 < _P99_S else "NO"
    print(
        f"{what} ({store}, {len(seconds)})".ljust(58)
        + f" p50 {1000 * p50:4.0f} ms, p99 {1000 * p99:4.0f} ms"
        + f"   under {1000 * _P50_S:.0f} and {1000 * _P99_S:.0f} ms: {verdict}",
        flush=True,
    )


async def _send(host: str, key: str) -> _Told:
    """The events, each at its time whether or not the ones before were answered."""
    told = _Told()
    async with httpx.AsyncClient(base_url=host, auth=(key, ""), timeout=30) as client:
        await _until_up(client)
        await _warm_up(client)
        sent: set[asyncio.Task[Any]] = set()
        began = time.monotonic()
        for number in range(_PER_SECOND * _SECONDS):
            await asyncio.sleep(max(0.0, began + number / _PER_SECOND - time.monotonic()))
            sent.add(asyncio.create_task(_one(client, told, number)))
        await asyncio.gather(*sent)
    await asyncio.sleep(2)  # what is under way
    return told


async def _one(client: httpx.AsyncClient, told: _Told, number: int) -> None:
    if number % _OF_A_JOURNEY:
        await _track(client, f"other_{number % 500}", "report_opened")
        return
    turn, customer = number // _OF_A_JOURNEY, f"cust_{number}"
    if turn % 2 == 0:
        told.starts[_id(customer)] = datetime.now(UTC)
        await _track(client, customer, "trial_started")
        return
    earlier = number - _OF_A_JOURNEY - int(_STAYS_S * _PER_SECOND) // 20 * 20
    if earlier >= 0:
        customer = f"cust_{earlier}"
        told.ends[_id(customer)] = datetime.now(UTC)
        await _track(client, customer, "subscription_purchased")


def _id(customer: str) -> str:
    return enrollment_id("trial-onboarding", customer)


async def _track(client: httpx.AsyncClient, customer: str, event: str) -> None:
    answer = await client.post("/v1/track", json={"userId": customer, "event": event})
    assert answer.status_code == 200, answer.text


async def _until_up(client: httpx.AsyncClient) -> None:
    for _ in range(300):
        try:
            if (await client.get("/healthz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise TimeoutError("the API did not come up")


async def _warm_up(client: httpx.AsyncClient) -> None:
    """One enrollment from its start to its end, so that everything is loaded and connected."""
    for event in ("trial_started", "subscription_purchased"):
        await _track(client, "warm_up", event)
        await asyncio.sleep(5)


async def _began(client: Client, told: _Told) -> list[float]:
    found = await _described(client, told.starts)
    return [(each.start_time - told.starts[each.id]).total_seconds() for each in found]


async def _ended(client: Client, told: _Told) -> list[float]:
    found = await _described(client, told.ends)
    return [
        (each.close_time - told.ends[each.id]).total_seconds() if each.close_time else 60.0
        for each in found
    ]


async def _described(
    client: Client, ids: dict[str, datetime]
) -> list[WorkflowExecutionDescription]:
    return [await client.get_workflow_handle(each).describe() for each in ids]

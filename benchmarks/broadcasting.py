"""(h) Broadcasts: journeys begun a second against a plain client's loop, and a message to many.

`python -m benchmarks.broadcasting 100000` sends the message to that many. The processes of
production on one machine: `parcours api` with its dispatcher, `parcours worker`, the Temporal
server, the store. The loop starts the same workflows with as many calls in flight as the
dispatcher has, and its worker runs them too; what it starts with is made beforehand. A journey
has begun when the worker has taken it up: a loop alone can have the server put that off.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlmodel import col
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from api.accept import accept
from api.broadcasting.asked import Asked
from api.broadcasting.orders import Broadcasting
from api.services import Services
from api.temporal_names import CUSTOMER_ID, JOURNEY_VERSION
from benchmarks.connecting import connected
from benchmarks.preparing import prepared
from benchmarks.ratios import ratio_of
from benchmarks.servers import (
    cpu_s,
    free_port,
    parcours,
    postgres_server,
    resident_bytes,
    temporal_server,
)
from benchmarks.trial import folder, real_trial, traits
from engine.calls import Identify
from settings import load
from store import broadcasts
from store.database import Database
from store.tables import BroadcastState, OutboxRow

_SECRET = "a key of thirty-two characters ."

# What one round starts: some seconds of it, so that the beginning does not count.
_STARTED = 1_000
_ROUNDS = 3

# As many as the dispatcher has in flight (`api.dispatcher`).
_AT_ONCE = 32

# To how many the message goes, if nobody says.
_MANY = 2_000

_LOOK_S = 0.05

# A worker with something to do uses more than a twentieth of so long.
_QUIET_S = 0.4


@dataclass(frozen=True)
class _Stack:
    """Everything, up."""

    services: Services
    client: Client
    pids: dict[str, int]

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each process so far, this one's too."""
        return {name: cpu_s(pid) for name, pid in self.pids.items()} | {"us": time.process_time()}


async def run(many: int = _MANY) -> None:
    """Both, on each store."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parcours-bench-")))
        postgres = stack.enter_context(postgres_server())
        for name, url in (
            ("SQLite", f"sqlite+aiosqlite:///{home}/parcours.db"),
            ("PostgreSQL", postgres),
        ):
            async with _up(url) as up:
                await _message(up, name, many)  # before thousands of workflows are in memory
                await _starts(up, name)


@asynccontextmanager
async def _up(url: str) -> AsyncIterator[_Stack]:
    with temporal_server() as server:
        await prepared(url, folder(), [])
        environment = {
            "PARCOURS_DATABASE_URL": url,
            "PARCOURS_TEMPORAL_ADDRESS": server.address,
            "PARCOURS_SECRET_KEY": _SECRET,
            "PARCOURS_API_PORT": str(free_port()),
            "PYTHONTZPATH": "",
        }
        with parcours("worker", environment) as worker, parcours("api", environment) as api:
            database = Database(url)
            settings = load(database_url=url, secret_key=_SECRET)
            client = await connected(server)
            pids = {"server": server.pid, "worker": worker, "api": api}
            yield _Stack(Services(database=database, settings=settings), client, pids)
            await database.dispose()


async def _starts(up: _Stack, store: str) -> None:
    """Rounds of both, the other way round each time."""
    ours: list[float] = []
    theirs: list[float] = []
    await _loop(up, "warm", 100)
    for number in range(_ROUNDS):
        await _meet(up, f"round{number}", _STARTED)
        if number % 2:
            theirs.append(await _loop(up, f"loop{number}", _STARTED))
        ours.append(await _broadcast(up, f"round{number}"))
        if not number % 2:
            theirs.append(await _loop(up, f"loop{number}", _STARTED))
        print(f"  ours {ours[-1]:5.1f} starts a second, loop {theirs[-1]:5.1f}", flush=True)
    what = f"journeys begun per second ({store}), broadcast / client loop"
    print(ratio_of(what, ours, theirs, at_least=0.8), flush=True)


async def _broadcast(up: _Stack, group: str) -> float:
    """Starts a second, from the order until Temporal has had the last."""
    before, began, cpu = await _heard(up), time.monotonic(), up.cpu()
    asked = Asked(group, journey="trial-onboarding", audience=f"customer.cohort == '{group}'")
    await Broadcasting(up.services, "bench").start(asked)
    while await _heard(up) < before + _STARTED:  # noqa: ASYNC110 - of other processes
        await asyncio.sleep(_LOOK_S)
    took = await _until_quiet(up) - began
    _tell_cpu("broadcast", up, cpu, _STARTED)
    return _STARTED / took


async def _heard(up: _Stack) -> int:
    async with up.services.database.reading() as session:
        counted = select(func.count()).select_from(OutboxRow)
        return await session.scalar(counted.where(col(OutboxRow.done_at).is_not(None))) or 0


async def _loop(up: _Stack, prefix: str, number: int) -> float:
    trial, now = real_trial(), datetime.now(UTC)
    given = iter([trial.input(f"{prefix}-{n}", now) for n in range(number)])
    queue = up.services.settings.task_queue

    async def start_some() -> None:
        for each in given:
            await up.client.start_workflow(
                each.journey,
                each,
                id=each.enrollment_id,
                task_queue=queue,
                search_attributes=TypedSearchAttributes(
                    [
                        SearchAttributePair(CUSTOMER_ID, each.customer_id),
                        SearchAttributePair(JOURNEY_VERSION, each.version),
                    ]
                ),
            )

    began, cpu = time.monotonic(), up.cpu()
    await asyncio.gather(*(start_some() for _ in range(_AT_ONCE)))
    took = await _until_quiet(up) - began
    _tell_cpu("loop", up, cpu, number)
    return number / took


async def _until_quiet(up: _Stack) -> float:
    """When the worker had taken up the last that was started: it works no more since."""
    pid = up.pids["worker"]
    while True:
        at, before = time.monotonic(), cpu_s(pid)
        await asyncio.sleep(_QUIET_S)
        if cpu_s(pid) - before < _QUIET_S / 20:
            return at


def _tell_cpu(what: str, up: _Stack, before: dict[str, float], number: int) -> None:
    """What one start cost in each process: it hangs less on who else is on the machine."""
    each = {name: 1000 * (now - before[name]) / number for name, now in up.cpu().items()}
    told = ", ".join(f"{name} {ms:.1f}" for name, ms in each.items())
    print(f"  {what:<10} CPU of a start, ms: {told}", flush=True)


async def _meet(up: _Stack, group: str, number: int) -> None:
    """So many customers."""
    now = datetime.now(UTC)
    own = {**traits(now), "cohort": group}
    for first in range(0, number, 500):
        calls = [
            Identify(
                customer_id=f"{group}-{n}",
                at=now,
                message_id=f"{group}-{n}",
                traits={**own, "email": f"{group}-{n}@example.com"},
            )
            for n in range(first, min(first + 500, number))
        ]
        await accept(up.services, calls, now)


async def _message(up: _Stack, store: str, many: int) -> None:
    """One message to so many: how many a second, and the worker's memory on the way."""
    await _meet(up, "many", many)
    step = folder().journeys["trial-onboarding"].journey.steps[1].id
    asked = Asked("many", message=f"trial-onboarding/{step}", audience="customer.cohort == 'many'")
    began, early = time.monotonic(), 0
    await Broadcasting(up.services, "bench").start(asked)
    while True:
        async with up.services.database.reading() as session:
            row = await broadcasts.get(session, "many")
        assert row is not None
        if not early and broadcasts.Counted.of(row).inside >= many / 10:
            early = resident_bytes(up.pids["worker"])
        if row.state is BroadcastState.DONE:
            break
        await asyncio.sleep(_LOOK_S)
    took, late = time.monotonic() - began, resident_bytes(up.pids["worker"])
    async with up.services.database.reading() as session:
        sent = (await broadcasts.decided(session, "many")).sent
    print(
        f"a message to {many:,} ({store}): {sent:,} sent, {sent / took:.0f} a second; the "
        f"worker's memory {early / 2**20:.0f} MB at a tenth, {late / 2**20:.0f} MB at the end",
        flush=True,
    )


if __name__ == "__main__":
    asyncio.run(run(*map(int, sys.argv[1:2])))

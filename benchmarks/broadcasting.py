"""(h) Broadcasts: journeys begun a second against a plain client's loop, and a message to many.

`python -m benchmarks.broadcasting message 100000 sqlite` sends a message to that many, on that
store alone (`benchmarks.mailing`). The loop starts the same workflows with as many calls in
flight as the dispatcher has, and its worker runs them too; what it starts with is made
beforehand. A journey has begun when the worker has taken it up: a loop alone can have the
server put that off.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Collection
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlmodel import col
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from api.broadcasting.asked import Asked
from api.broadcasting.orders import Broadcasting
from api.temporal_names import CUSTOMER_ID, JOURNEY_VERSION
from benchmarks.mailing import message
from benchmarks.production import Production, production
from benchmarks.ratios import ratio_of
from benchmarks.servers import cpu_s, postgres_server
from benchmarks.trial import real_trial
from store.tables import OutboxRow

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

_PARTS = ("message", "starts")
_STORES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


async def run(
    many: int = _MANY, parts: Collection[str] = _PARTS, stores: Collection[str] = tuple(_STORES)
) -> None:
    """These parts on each of these stores. Ends the program if a message miscarried."""
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="parcours-bench-"))
        for store in stores:
            if store == "postgresql":
                url = stack.enter_context(postgres_server())
            else:
                url = f"sqlite+aiosqlite:///{Path(home) / 'parcours.db'}"
            async with production(url) as up:
                if "message" in parts:  # before thousands of workflows are in memory
                    await message(up, _STORES[store], many)
                if "starts" in parts:
                    await _starts(up, _STORES[store])


async def _starts(up: Production, store: str) -> None:
    """Rounds of both, the other way round each time."""
    ours: list[float] = []
    theirs: list[float] = []
    await _loop(up, "warm", 100)
    for number in range(_ROUNDS):
        await up.meet(f"round{number}", _STARTED)
        if number % 2:
            theirs.append(await _loop(up, f"loop{number}", _STARTED))
        ours.append(await _broadcast(up, f"round{number}"))
        if not number % 2:
            theirs.append(await _loop(up, f"loop{number}", _STARTED))
        print(f"  ours {ours[-1]:5.1f} starts a second, loop {theirs[-1]:5.1f}", flush=True)
    what = f"journeys begun per second ({store}), broadcast / client loop"
    print(ratio_of(what, ours, theirs, at_least=0.8), flush=True)


async def _broadcast(up: Production, group: str) -> float:
    """Starts a second, from the order until Temporal has had the last."""
    before, began, cpu = await _heard(up), time.monotonic(), up.cpu()
    asked = Asked(group, journey="trial-onboarding", audience=f"customer.cohort == '{group}'")
    await Broadcasting(up.services, "bench").start(asked)
    while await _heard(up) < before + _STARTED:  # noqa: ASYNC110 - of other processes
        await asyncio.sleep(_LOOK_S)
    took = await _until_quiet(up) - began
    _tell_cpu("broadcast", up, cpu, _STARTED)
    return _STARTED / took


async def _heard(up: Production) -> int:
    async with up.services.database.reading() as session:
        counted = select(func.count()).select_from(OutboxRow)
        return await session.scalar(counted.where(col(OutboxRow.done_at).is_not(None))) or 0


async def _loop(up: Production, prefix: str, number: int) -> float:
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


async def _until_quiet(up: Production) -> float:
    """When the worker had taken up the last that was started: it works no more since."""
    pid = up.processes["worker"].pid
    while True:
        at, before = time.monotonic(), cpu_s(pid)
        await asyncio.sleep(_QUIET_S)
        if cpu_s(pid) - before < _QUIET_S / 20:
            return at


def _tell_cpu(what: str, up: Production, before: dict[str, float], number: int) -> None:
    """What one start cost in each process: it hangs less on who else is on the machine."""
    each = {name: 1000 * (now - before[name]) / number for name, now in up.cpu().items()}
    told = ", ".join(f"{name} {ms:.1f}" for name, ms in each.items())
    print(f"  {what:<10} CPU of a start, ms: {told}", flush=True)


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.broadcasting")
    parser.add_argument("part", nargs="?", choices=_PARTS, help="only this one")
    parser.add_argument("many", nargs="?", type=int, default=_MANY, help="customers of a message")
    parser.add_argument("store", nargs="?", choices=_STORES, help="only on this one")
    asked = parser.parse_args()
    parts = [asked.part] if asked.part else _PARTS
    asyncio.run(run(asked.many, parts, [asked.store] if asked.store else tuple(_STORES)))


if __name__ == "__main__":
    main()

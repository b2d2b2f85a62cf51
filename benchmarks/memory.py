"""(b) Memory of a cached, sleeping enrollment: ours against the leanest, with the same runner.

Each has a fresh worker process, to which enrollments are given from here; what its memory
grows by is theirs. The first ones only warm it up.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client, WorkflowHandle

from benchmarks.connecting import connected
from benchmarks.contenders import new_ids
from benchmarks.lean import Lean
from benchmarks.ratios import ratio_of
from benchmarks.servers import TemporalServer, resident_bytes, temporal_server
from benchmarks.trial import real_trial

_WARM_UP = 200
_SLEEPERS = 1_000  # what is fixed is gone after the warm-up; twice as many say the same
_ROUNDS = 2

# A workflow whose first task is done and whose timer runs has these: started, scheduled,
# started, completed, timer started.
_EVENTS_WHEN_ASLEEP = 5
_AT_ONCE = 8


async def run() -> None:
    """Both in turns, each time in a new process."""
    kilobytes: dict[str, list[float]] = {"lean": [], "ours": []}
    with temporal_server() as server:
        client = await connected(server)
        for number in range(_ROUNDS):
            for kind, measured in kilobytes.items():
                queue = f"{kind}-{number}"
                measured.append(await kilobytes_each(client, server, kind, queue))
                print(f"  {kind:<14} {measured[-1]:5.1f} KB each", flush=True)
    mine, theirs = kilobytes["ours"], kilobytes["lean"]
    print(ratio_of("memory of a sleeping one, ours / lean", mine, theirs, at_most=1.3))


async def kilobytes_each(
    client: Client, server: TemporalServer, kind: str, queue: str, runner: str = "as the worker's"
) -> float:
    """What one more sleeping enrollment costs a worker of that kind, in KB."""
    command = [sys.executable, "-m", "benchmarks.sleeper", kind, queue, runner, server.address]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - at once
    try:
        ids = new_ids(queue)
        await _put_to_sleep(client, kind, queue, ids, _WARM_UP)
        before = resident_bytes(worker.pid)
        await _put_to_sleep(client, kind, queue, ids, _SLEEPERS)
        return (resident_bytes(worker.pid) - before) / _SLEEPERS / 1024
    finally:
        worker.terminate()
        worker.wait()


async def _put_to_sleep(
    client: Client, kind: str, queue: str, ids: Iterator[str], how_many: int
) -> None:
    left = iter([next(ids) for _ in range(how_many)])

    async def start_some() -> None:
        for workflow_id in left:
            await _start(client, kind, queue, workflow_id)
            handle = client.get_workflow_handle(workflow_id)
            while not await _is_asleep(handle):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.05)

    await asyncio.gather(*(start_some() for _ in range(_AT_ONCE)))


async def _is_asleep(handle: WorkflowHandle[Any, Any]) -> bool:
    return (await handle.describe()).history_length >= _EVENTS_WHEN_ASLEEP


async def _start(client: Client, kind: str, queue: str, workflow_id: str) -> None:
    if kind == "lean":
        await client.start_workflow(Lean.run, 86_400.0, id=workflow_id, task_queue=queue)
    else:
        given = real_trial().input(workflow_id, datetime.now(UTC))
        await client.start_workflow(given.journey, given, id=workflow_id, task_queue=queue)

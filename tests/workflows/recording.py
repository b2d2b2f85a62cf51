"""Record the histories of all scenarios and broadcasts anew: `python -m tests.workflows.recording`.

Only when what is decided, or the order of commands, changes on purpose: running enrollments
were written by the code before, so such a change also raises `RULES_VERSION`.
"""

import asyncio
import gzip
import os
from pathlib import Path

from temporalio.client import WorkflowHistory

from authoring.folder import load_journeys
from engine.keys import BROADCAST
from tests.workflows.recording_broadcasts import COURSES, record_broadcast
from worker.rehearsal import rehearse

JOURNEYS = Path(__file__).parents[2] / "journeys"
HISTORIES = Path(__file__).with_name("histories")


def file_of(workflow: str, name: str) -> Path:
    """Where the history of a journey's scenario, or of a broadcast's course, is kept."""
    return HISTORIES / workflow / f"{name}.json.gz"


def read(path: Path) -> WorkflowHistory:
    """A recorded history; its workflow id is in its first event."""
    text = gzip.decompress(path.read_bytes()).decode()
    return WorkflowHistory.from_json(path.name.removesuffix(".json.gz"), text)


async def record_all() -> None:
    """Rehearse every scenario and keep what Temporal wrote."""
    loaded = load_journeys(JOURNEYS)
    for named in loaded.journeys.values():
        for scenario in named.scenarios:
            path = file_of(named.journey.journey, scenario.customer_id)

            def keep(history: WorkflowHistory, path: Path = path) -> None:
                _write(history, path)

            await rehearse(named, loaded.policy, scenario.calls, scenario.until, keep)
            print(path.name)
    await record_broadcasts()


async def record_broadcasts() -> None:
    """Let every course of a broadcast go, and keep what Temporal wrote."""
    for name in COURSES:
        _write(await record_broadcast(name), file_of(BROADCAST, name))
        print(name)


def _write(history: WorkflowHistory, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mtime 0: the same history gives the same bytes.
    path.write_bytes(gzip.compress(history.to_json().encode(), mtime=0))


if __name__ == "__main__":
    asyncio.run(record_all())
    os._exit(0)  # a Temporal client may abort a program that ends by itself

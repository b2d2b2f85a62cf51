"""Record the histories of all scenarios anew: `python -m tests.workflows.recording`.

Only when what is decided, or the order of commands, changes on purpose: running enrollments
were written by the code before, so such a change also raises `RULES_VERSION`.
"""

import asyncio
import gzip
import os
from pathlib import Path

from temporalio.client import WorkflowHistory

from authoring.folder import load_journeys
from worker.rehearsal import rehearse

JOURNEYS = Path(__file__).parents[2] / "journeys"
HISTORIES = Path(__file__).with_name("histories")


def file_of(journey: str, customer_id: str) -> Path:
    """Where the history of a scenario is kept."""
    return HISTORIES / journey / f"{customer_id}.json.gz"


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
            path.parent.mkdir(parents=True, exist_ok=True)

            def keep(history: WorkflowHistory, path: Path = path) -> None:
                # mtime 0: the same history gives the same bytes.
                path.write_bytes(gzip.compress(history.to_json().encode(), mtime=0))

            await rehearse(named, loaded.policy, scenario.calls, scenario.until, keep)
            print(path.name)


if __name__ == "__main__":
    asyncio.run(record_all())
    os._exit(0)  # a Temporal client may abort a program that ends by itself

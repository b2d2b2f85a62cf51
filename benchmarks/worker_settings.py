"""The settings a worker could have, against those it has: finished per second, memory, CPU.

What came out, and what follows from it, is in docs/decisions/0001-worker-settings.md. It takes
five minutes, and is run only when it is named.
"""

from typing import Any

from temporalio.worker import PollerBehaviorAutoscaling

from benchmarks.connecting import connected
from benchmarks.contenders import ours
from benchmarks.load import GAP_S, Round, in_turns
from benchmarks.memory import kilobytes_each
from benchmarks.ratios import ratio_of
from benchmarks.runners import RUNNERS
from benchmarks.servers import temporal_server
from benchmarks.trial import fast_trial

_CHOSEN = "as chosen"
_ROUNDS = 2
_WINDOW_S = 4.0

_AUTOSCALING = PollerBehaviorAutoscaling()
_OTHERS: dict[str, dict[str, Any]] = {
    "workflows guarded": RUNNERS["workflows guarded"],
    "unsandboxed": RUNNERS["unsandboxed"],
    "no cache": {"max_cached_workflows": 0},
    "autoscaling": {
        "workflow_task_poller_behavior": _AUTOSCALING,
        "activity_task_poller_behavior": _AUTOSCALING,
    },
}


async def run() -> None:
    """Each in turns with the chosen ones on one server; then the memory of the runners."""
    with temporal_server() as server:
        client = await connected(server)
        trial = fast_trial(GAP_S)
        async with ours(client, trial, _CHOSEN) as chosen:
            for name, changed in _OTHERS.items():
                async with ours(client, trial, name, **changed) as other:
                    rounds = await in_turns([chosen, other], server, _ROUNDS, _WINDOW_S)
                _tell(name, rounds[name], rounds[_CHOSEN])
        for runner in RUNNERS:
            each = await kilobytes_each(client, server, "ours", f"ours {runner}", runner)
            print(f"  memory of a sleeping one, {runner:<20} {each:5.1f} KB")


def _tell(name: str, mine: list[Round], chosen: list[Round]) -> None:
    speeds = [e.per_second for e in mine], [e.per_second for e in chosen]
    cpu_ms = [e.cpu_ms for e in mine], [e.cpu_ms for e in chosen]
    print(ratio_of(f"finished per second, {name} / {_CHOSEN}", *speeds))
    print(ratio_of(f"CPU each, {name} / {_CHOSEN}", *cpu_ms))

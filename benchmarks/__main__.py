"""`python -m benchmarks [NAME …]`: run those benchmarks, or all but `worker-settings`.

They print ratios from one run, side by side, and assert nothing of them, for a shared machine's
seconds say little; what they count must be right, or they fail. Each takes about two minutes.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from benchmarks import (
    broadcasting,
    computing,
    deciding,
    delivering,
    gating,
    ingesting,
    latency,
    memory,
    throughput,
    worker_settings,
)

BENCHMARKS: dict[str, Callable[[], Awaitable[None]]] = {
    "throughput": throughput.run,
    "memory": memory.run,
    "delivering": delivering.run,
    "gating": gating.run,
    "deciding": deciding.run,
    "ingesting": ingesting.run,
    "latency": latency.run,
    "broadcasting": broadcasting.run,
    "computing": computing.run,
    "worker-settings": worker_settings.run,
}

_ONLY_BY_NAME = "worker-settings"  # it compares what could be chosen, not what was


def main(names: list[str]) -> int:
    """Run the named ones; the exit code."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"there is no benchmark `{unknown[0]}`; there are {', '.join(BENCHMARKS)}")
        return 2
    for name in names or [each for each in BENCHMARKS if each != _ONLY_BY_NAME]:
        print(f"\n{name}", flush=True)
        asyncio.run(_run(BENCHMARKS[name]))
    return 0


async def _run(benchmark: Callable[[], Awaitable[None]]) -> None:
    await benchmark()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

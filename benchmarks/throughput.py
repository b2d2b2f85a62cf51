"""(a) Enrollments finished per second: ours against the leanest workflow, activities empty.

Also tells the events and bytes of a finished one's history.
"""

from benchmarks.connecting import connected
from benchmarks.contenders import lean, ours
from benchmarks.load import GAP_S, histories, in_turns
from benchmarks.ratios import ratio_of
from benchmarks.servers import temporal_server
from benchmarks.trial import fast_trial

_ROUNDS = 4
_WINDOW_S = 5.0
_MOST_BYTES = 12 * 1024


async def run() -> None:
    """Both in turns on one server, with the worker's own settings."""
    with temporal_server() as server:
        client = await connected(server)
        async with lean(client) as theirs, ours(client, fast_trial(GAP_S)) as mine:
            rounds = await in_turns([theirs, mine], server, _ROUNDS, _WINDOW_S)
        history = await histories(client, rounds["ours"][-1].finished[:20])
    per_second = {name: [each.per_second for each in of] for name, of in rounds.items()}
    cpu_ms = {name: [each.cpu_ms for each in of] for name, of in rounds.items()}
    print(ratio_of("finished per second, ours / lean", *_pair(per_second), at_least=0.85))
    print(ratio_of("CPU each, server and worker, lean / ours", *_pair(cpu_ms)[::-1]))
    fits = "yes" if history.size_bytes <= _MOST_BYTES else "NO"
    print(
        f"history of one: {history.events:.1f} events, {history.timers:.1f} timers, "
        f"{history.size_bytes / 1024:.1f} KB   at most 12 KB: {fits}"
    )


def _pair(of: dict[str, list[float]]) -> tuple[list[float], list[float]]:
    return of["ours"], of["lean"]

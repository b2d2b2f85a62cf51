"""As many enrollments as the server and one worker can finish, without any step being late.

Whoever finishes is replaced. While hardly any step waits long for the server or the worker
there is room for more, and once several do, for fewer. So nobody is ever idle, and yet no
step comes up before the one before it is done. That matters: our workflow takes two steps
that are due together with one timer, and a simple one could not. The timers of finished
enrollments are counted, to show that it held.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from benchmarks.servers import TemporalServer, cpu_s

STEPS = 4

# Between two steps: long beside the tenths of a second that a loaded server answers in, short
# enough that a round reaches its steady state in some seconds.
GAP_S = 1.0

# How long steps wait for the server or the worker, as a share of the gap: if hardly any for
# this long there is room for more enrollments, if several for that long there are too many.
# On an idle server a step already takes a tenth of a second.
_ROOM, _CROWD = 0.35, 0.65

# What there is room for before anybody has looked.
_AT_FIRST = 40

# How often one more may be let in: it takes a gap until its first step comes up.
_PATIENCE_S = 0.4


@dataclass(frozen=True)
class Contender:
    """Something that lives through four gaps and four activities, with its worker running.

    `start` starts one under that workflow id (of `ids`) at that real time.
    """

    name: str
    start: Callable[[str, datetime], Awaitable[object]]
    watch: "Watch"
    ids: Iterator[str]


@dataclass(frozen=True)
class Round:
    """What one window of one contender measured; CPU is per finished enrollment."""

    per_second: float
    server_ms: float
    worker_ms: float
    lag_s: float
    finished: tuple[str, ...]

    @property
    def cpu_ms(self) -> float:
        return self.server_ms + self.worker_ms


@dataclass
class Watch(Interceptor):
    """Sees the activities that run, and so knows what is overdue and what has finished.

    `room` is how many enrollments may be under way, as far as was found out.
    """

    room: int = _AT_FIRST
    due: dict[str, float] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    lags: list[float] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)

    def began(self, workflow_id: str) -> None:
        """An enrollment is about to be started."""
        self.due[workflow_id] = time.monotonic() + GAP_S
        self.done[workflow_id] = 0

    def did_step(self, workflow_id: str) -> None:
        """One of its activities has run."""
        now, due = time.monotonic(), self.due.pop(workflow_id)
        self.lags.append(now - due)
        self.done[workflow_id] += 1
        if self.done[workflow_id] == STEPS:
            self.finished.append(workflow_id)
        else:
            self.due[workflow_id] = due + GAP_S

    def look(self) -> None:
        """Make room for more or fewer, by how many steps wait for the server or the worker."""
        now = time.monotonic()
        late = [(now - due) / GAP_S for due in self.due.values()]
        if sum(each > _ROOM for each in late) < 3 and len(self.due) >= self.room - 1:
            self.room += 4
        elif sum(each > _CROWD for each in late) > 3:
            self.room = max(4, min(self.room, len(self.due)) - 2)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Seen(self, next)


class _Seen(ActivityInboundInterceptor):
    def __init__(self, watch: Watch, next: ActivityInboundInterceptor) -> None:
        super().__init__(next)
        self._watch = watch

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        result = await super().execute_activity(input)
        workflow_id = activity.info().workflow_id
        assert workflow_id is not None
        self._watch.did_step(workflow_id)
        return result


async def measure(contender: Contender, server: TemporalServer, window_s: float) -> Round:
    """One round: fill up, measure for `window_s`, and let what is under way end."""
    watch = contender.watch
    enough = asyncio.Event()
    feeding = asyncio.create_task(_feed(contender, enough))
    await asyncio.sleep((STEPS + 2) * GAP_S)  # the first have gone all the way
    first, lags = len(watch.finished), len(watch.lags)
    began, server_s, worker_s = time.monotonic(), cpu_s(server.pid), time.process_time()
    await asyncio.sleep(window_s)
    took = time.monotonic() - began
    server_s, worker_s = cpu_s(server.pid) - server_s, time.process_time() - worker_s
    finished = tuple(watch.finished[first:])
    lag_s = statistics.median(watch.lags[lags:])
    enough.set()
    await feeding
    while watch.due:  # noqa: ASYNC110 - nobody is to be woken for each step
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)  # the last workflow task
    return Round(
        per_second=len(finished) / took,
        server_ms=1000 * server_s / len(finished),
        worker_ms=1000 * worker_s / len(finished),
        lag_s=lag_s,
        finished=finished,
    )


async def _feed(contender: Contender, enough: asyncio.Event) -> None:
    """Start enrollments as the module's head says."""
    watch = contender.watch
    for _ in range(watch.room):
        await _start(contender)
        await asyncio.sleep(STEPS * GAP_S / watch.room)
    judged_at = time.monotonic()
    while not enough.is_set():
        await asyncio.sleep(0.01)
        if time.monotonic() - judged_at > _PATIENCE_S:
            judged_at = time.monotonic()
            watch.look()
        if len(watch.due) < watch.room:
            await _start(contender)


async def _start(contender: Contender) -> None:
    workflow_id = next(contender.ids)
    contender.watch.began(workflow_id)
    await contender.start(workflow_id, datetime.now(UTC))


async def in_turns(
    contenders: Sequence[Contender], server: TemporalServer, rounds: int, window_s: float
) -> dict[str, list[Round]]:
    """Rounds of all of them, one after the other, each time the other way round."""
    measured: dict[str, list[Round]] = {each.name: [] for each in contenders}
    for each in contenders:
        if not each.watch.finished:  # warm up, and find out how many there is room for
            await measure(each, server, window_s)
    for number in range(rounds):
        for each in contenders if number % 2 == 0 else reversed(contenders):
            one = await measure(each, server, window_s)
            print(
                f"  {each.name:<14} {one.per_second:5.1f} a second, CPU each: server "
                f"{one.server_ms:.0f} ms, worker {one.worker_ms:.0f} ms, "
                f"steps late by {one.lag_s:.2f} s",
                flush=True,
            )
            measured[each.name].append(one)
    return measured


@dataclass(frozen=True)
class History:
    """The size of finished enrollments' histories, on average."""

    events: float
    size_bytes: float
    timers: float


async def histories(client: Client, workflow_ids: Sequence[str]) -> History:
    """What the server keeps of those enrollments."""
    found = [await client.get_workflow_handle(each).fetch_history() for each in workflow_ids]
    started = [[e.HasField("timer_started_event_attributes") for e in h.events] for h in found]
    return History(
        events=statistics.mean(len(h.events) for h in found),
        size_bytes=statistics.mean(sum(e.ByteSize() for e in h.events) for h in found),
        timers=statistics.mean(sum(each) for each in started),
    )

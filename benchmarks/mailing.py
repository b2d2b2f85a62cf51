"""One message to many, while the worker, the Temporal server and the API are killed.

Whether each had it exactly once is asked of the store and of who carries the mail. The worker's
memory is that of its second life, read at each tenth of what that has to send.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlmodel import col

from api.broadcasting.asked import Asked
from api.broadcasting.orders import Broadcasting
from benchmarks.production import Production, address_of, names
from benchmarks.servers import resident_bytes
from benchmarks.trial import folder
from engine.reasons import Decision
from store import broadcasts
from store.tables import BroadcastState, Enrollment, Message

_GROUP = "many"

# Who is dead from which share of the mails on.
_KILLS = ((1 / 3, "worker"), (1 / 2, "server"), (2 / 3, "api"))

# How long the dead are left alone: a supervisor's first pause.
_DEAD_S = 1.0

# Of each ten in the audience there is one who is not, and must get nothing.
_OTHERS = 10

_LOOK_S = 0.05


@dataclass(frozen=True)
class Miscount:
    """How many had it never, more than once, and who should not have had it at all."""

    never: int
    twice: int
    others: int

    @classmethod
    def of(cls, had: Counter[str], wanted: Collection[str]) -> "Miscount":
        """What is wrong with how often each had it."""
        return cls(
            never=sum(had[each] == 0 for each in wanted),
            twice=sum(number > 1 for number in had.values()),
            others=len(had.keys() - set(wanted)),
        )

    def __str__(self) -> str:
        return f"{self.never} never, {self.twice} twice, {self.others} who should not"


@dataclass
class _Course:
    """How it goes. `memory` is in bytes, of the worker that is not killed any more."""

    up: Production
    many: int
    began: float = field(default_factory=time.monotonic)
    undisturbed: float = 0.0  # mails a second before the first was killed
    memory: list[int] = field(default_factory=list)
    gave_up: Counter[str] = field(default_factory=Counter)

    async def follow(self) -> None:
        """Until the broadcast is done: kill each when its share is out, read the memory."""
        kills = list(_KILLS)
        while not await self._is_done():
            share = len(self.up.handed.delivered) / self.many
            if kills and share >= kills[0][0]:
                self.undisturbed = self.undisturbed or self._rate()
                await self._kill(kills.pop(0)[1])
            await self._revive()
            self._read_memory(share)
            await asyncio.sleep(_LOOK_S)
        if kills:
            sys.exit(f"it was over before {kills[0][1]} was killed: send to more")

    def _rate(self) -> float:
        return len(self.up.handed.delivered) / (time.monotonic() - self.began)

    async def _is_done(self) -> bool:
        async with self.up.services.database.reading() as session:
            return await broadcasts.state_of(session, _GROUP) is BroadcastState.DONE

    async def _kill(self, name: str) -> None:
        process = self.up.processes[name]
        process.kill()
        await asyncio.sleep(_DEAD_S)
        await asyncio.to_thread(process.start)

    async def _revive(self) -> None:
        """Start again, as a supervisor does, whoever ended because another was away."""
        for name, process in self.up.processes.items():
            if not process.is_running:
                self.gave_up[name] += 1
                await asyncio.to_thread(process.start)

    def _read_memory(self, share: float) -> None:
        first = _KILLS[0][0]
        done = (share - first) / (1 - first)  # of what the second life has to send
        tenth = len(self.memory) + 1
        if tenth < 10 and done >= tenth / 10:
            self.memory.append(resident_bytes(self.up.processes["worker"].pid))


async def message(up: Production, store: str, many: int) -> None:
    """Send it, and tell how it went. Ends the program if not everybody had it once."""
    await up.meet(_GROUP, many)
    await up.meet("others", many // _OTHERS)
    step = folder().journeys["trial-onboarding"].journey.steps[1].id
    audience = f"customer.cohort == '{_GROUP}'"
    asked = Asked(_GROUP, message=f"trial-onboarding/{step}", audience=audience)
    course = _Course(up, many)
    await Broadcasting(up.services, "bench").start(asked)
    await course.follow()
    took = time.monotonic() - course.began
    course.memory.append(resident_bytes(up.processes["worker"].pid))
    megabytes = [f"{each / 2**20:.0f}" for each in course.memory]
    print(
        f"a message to {many:,} ({store}): {course.undisturbed:.0f} a second until the first was "
        f"killed, {many / took:.0f} with all that",
        flush=True,
    )
    print(
        f"  the worker's memory at a tenth {megabytes[0]} MB, at the end {megabytes[-1]} MB; "
        f"by tenths {' '.join(megabytes)}",
        flush=True,
    )
    print(f"  handed over again with the same key: {up.handed.repeated}", flush=True)
    if course.gave_up:
        print(f"  ended by themselves: {dict(course.gave_up)}", flush=True)
    await _judge(up, many)


async def _judge(up: Production, many: int) -> None:
    wanted = names(_GROUP, range(many))
    addresses = [address_of(each) for each in wanted]
    by_store = Miscount.of(await _sent(up), wanted)
    by_provider = Miscount.of(up.handed.delivered, addresses)
    told = f"by the store {by_store}; by the provider {by_provider}"
    print(f"  had it otherwise than once: {told}", flush=True)
    if {by_store, by_provider} != {Miscount(0, 0, 0)}:
        sys.exit(f"not everybody had it once: {told}")


async def _sent(up: Production) -> Counter[str]:
    """What the store says was sent, by customer."""
    async with up.services.database.reading() as session:
        found = await session.execute(
            select(col(Message.customer_id), func.count().label("number"))
            .join(Enrollment, col(Enrollment.id) == col(Message.enrollment_id))
            .where(col(Enrollment.broadcast_id) == _GROUP, col(Message.decision) == Decision.SENT)
            .group_by(col(Message.customer_id))
        )
        return Counter({row.customer_id: row.number for row in found})

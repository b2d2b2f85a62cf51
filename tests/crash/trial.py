"""Living through a crash test: something is sent, something dies, and in the end it is judged."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client

from tests.crash.client import CONNECTIONS, Log, Sender
from tests.crash.evidence import Evidence, gather, with_failures
from tests.crash.judge import objections
from tests.crash.lives import BUSY, CALLS, Life, draw_lives
from tests.crash.programs import Supervisor
from tests.crash.stack import Stack
from tests.temporal import connect

# After the last kill: a worker's silence is noticed after 10 s, a dead dispatcher's lease runs
# out after 17 s, the longest pause between attempts is 10 s; then there is a backlog, on a
# machine that is busy with other tests.
_PATIENCE_S = 180.0
_LOOK_EVERY_S = 1.0

# What is quiet must stay so: longer than a second attempt of anything that is under way.
_STILL_S = 4.0

_MOST_SHOWN = 20


@dataclass
class Trial:
    """One crash test: a running stack, the lives that are sent, and who is killed meanwhile."""

    stack: Stack
    supervisor: Supervisor
    sender: Sender
    lives: Sequence[Life]
    chance: random.Random

    @property
    def log(self) -> Log:
        """What the client knows."""
        return self.sender.log

    async def send_while_killing(self, kills: int, victims: Sequence[str]) -> None:
        """Send everything, and kill one of the victims after about every n-th 200."""
        spacing = len(self.lives) * CALLS / (kills + 1)
        deck: list[str] = []
        async with self.sending():
            for number in range(1, kills + 1):
                await self.log.grown_to(round(spacing * (number + self.chance.uniform(-0.4, 0.4))))
                deck = deck or self.chance.sample(victims, len(victims))
                others = [name for name in victims if name != deck[0]]
                killed = self.supervisor.kill([deck.pop(0), *others])
                assert killed is not None, "nobody was alive to be killed"

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send meanwhile; at the end wait until all is sent, unless something is wrong."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.sender.send(self.lives))
            yield

    async def objections(self, temporal: Client) -> tuple[list[str], Evidence]:
        """What is wrong once all is quiet, or still is after a long while."""
        give_up_at = time.monotonic() + _PATIENCE_S
        while True:
            found = await self._gathered(temporal)
            wrong = objections(self.lives, self.log.taken, found)
            if not wrong or time.monotonic() > give_up_at:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        await asyncio.sleep(_STILL_S)
        found = await with_failures(await self._gathered(temporal), temporal)
        return objections(self.lives, self.log.taken, found), found

    async def _gathered(self, temporal: Client) -> Evidence:
        return await gather(self.stack.database, temporal)

    def tracebacks(self) -> list[str]:
        """APIs that logged one. Of a worker it is how an activity says what it tripped over."""
        return [name for name in self.stack.apis if "Traceback" in self.stack.told(name)]


@asynccontextmanager
async def trial(
    stack: Stack,
    seed: int,
    customers: int,
    rate: float,
    *,
    doings: Mapping[str, int] = BUSY,
    connections: int = CONNECTIONS,
) -> AsyncIterator[Trial]:
    """Set one up, its programs watched over until the block is left."""
    chance = random.Random(seed)
    supervisor = Supervisor(stack.programs, chance)
    sender = Sender(stack.ports, stack.key, chance, rate, connections)
    lives = draw_lives(chance, customers, datetime.now(UTC), doings)
    async with supervisor.watching():
        yield Trial(stack, supervisor, sender, lives, chance)


async def judged(trial: Trial) -> Evidence:
    """Wait until all is quiet, and find nothing wrong."""
    temporal = await connect(trial.stack.temporal_address)
    wrong, found = await trial.objections(temporal)
    assert not wrong, "\n".join([f"{len(wrong)} objections:", *wrong[:_MOST_SHOWN]])
    assert trial.log.odd == []
    assert trial.tracebacks() == []
    return found

"""`kill -9` of the worker, of Temporal and of the API while broadcasts go out: everybody gets it
once. On real processes; who got it is counted in the store, in Temporal and in the mailbox.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from temporalio.client import Client

from api.accept import accept
from api.broadcasting.asked import Asked
from api.broadcasting.orders import Broadcasting
from api.services import Services
from engine.calls import Identify
from store import broadcasts
from store.tables import BroadcastState, Enrollment, MailboxMail
from tests.api.given import load_settings
from tests.crash.programs import Supervisor
from tests.crash.stack import Stack, stack
from tests.temporal import connect

VICTIMS = ("worker", "temporal", "api-1")

# After a kill: a worker's silence is noticed after 10 s, a dead dispatcher's lease runs out
# after 17 s. Then the rest of it, at the rate of a machine that is busy with other tests.
PATIENCE_S = 600.0

FEW, MANY = (60, 3), (3_000, 8)
COURSES = [
    pytest.param(*FEW, False, id="few-sqlite"),
    pytest.param(*FEW, True, id="few-postgresql", marks=pytest.mark.long),
    pytest.param(*MANY, False, id="many-sqlite", marks=pytest.mark.long),
    pytest.param(*MANY, True, id="many-postgresql", marks=pytest.mark.wide),
]


async def meet(services: Services, number: int) -> list[str]:
    names = [f"c{n}" for n in range(number)]
    now = datetime.now(UTC)
    for start in range(0, number, 200):
        calls = [
            Identify(
                customer_id=name,
                at=now,
                message_id=f"{name}-is",
                traits={"email": f"{name}@reader.example"},
            )
            for name in names[start : start + 200]
        ]
        await accept(services, calls, now)
    return names


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.1)


async def taken_up(services: Services, name: str) -> int:
    async with services.database.reading() as session:
        row = await broadcasts.get(session, name)
    assert row is not None
    return broadcasts.Counted.of(row).inside


async def is_done(services: Services, *names: str) -> bool:
    async with services.database.reading() as session:
        states = [await broadcasts.state_of(session, name) for name in names]
    return set(states) == {BroadcastState.DONE}


async def started(client: Client) -> int:
    return (await client.count_workflows("WorkflowType = 'trial'")).count


async def kill_while_it_goes_out(
    services: Services, supervisor: Supervisor, number: int, kills: int, chance: random.Random
) -> None:
    """Each victim in turn, whenever another share of them has been taken up."""
    for kill in range(kills):
        share = number * (kill + chance.uniform(0.2, 0.8)) / kills

        async def is_so_far(share: float = share) -> bool:
            return await taken_up(services, "letter") >= share

        await until(is_so_far)
        assert supervisor.kill([VICTIMS[kill % len(VICTIMS)], *VICTIMS]) is not None


async def judge(services: Services, names: list[str], client: Client) -> None:
    async with services.database.reading() as session:
        rows = list(await session.scalars(select(Enrollment)))
        mails = list(await session.scalars(select(MailboxMail.recipient)))  # type: ignore[call-overload]
    joined = Counter(row.customer_id for row in rows if row.broadcast_id is None)
    assert joined == Counter(names)
    assert Counter(mails) == Counter(f"{name}@reader.example" for name in names)
    assert await taken_up(services, "letter") == await taken_up(services, "joining") == len(names)

    async def all_began() -> bool:
        return await started(client) == len(names)

    await until(all_began)


@pytest.mark.parametrize(("number", "kills", "on_postgres"), COURSES)
async def test_everybody_gets_it_once_whatever_is_killed(
    tmp_path: Path,
    seed: int,
    number: int,
    kills: int,
    on_postgres: bool,
    request: pytest.FixtureRequest,
) -> None:
    if on_postgres:
        request.getfixturevalue("postgres_there")
    chance = random.Random(seed)
    async with stack(tmp_path, on_postgres=on_postgres) as found:
        services = Services(database=found.database, settings=load_settings())
        names = await meet(services, number)
        # Slow enough that a few are not over before the first is killed.
        rate = max(number / 12, 20.0)
        orders = Broadcasting(services, "test")
        supervisor = Supervisor(found.programs, chance)
        async with supervisor.watching():
            await orders.start(Asked("joining", journey="trial", per_second=rate))
            letter = {"message": "trial/receipt", "properties": {"order": "A-1"}}
            await orders.start(Asked("letter", per_second=rate, **letter))  # type: ignore[arg-type]
            await kill_while_it_goes_out(services, supervisor, number, kills, chance)
            await until(lambda: is_done(services, "joining", "letter"))
            await judge(services, names, await connect(found.temporal_address))
        assert sum(supervisor.deaths.values()) == kills
        assert _tracebacks(found) == []


def _tracebacks(found: Stack) -> list[str]:
    """APIs that logged one. Of a worker it is how an activity says what it tripped over."""
    return [name for name in found.apis if "Traceback" in found.told(name)]

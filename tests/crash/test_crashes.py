"""Workers killed with -9 at each point of `deliver`: nobody gets a message twice, and with a
provider that honours keys nobody misses one. The provider's own log is the judge.

On a real Temporal server, with real processes. Each customer's message kills one worker.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from engine.reasons import Decision
from store import messages
from store.database import Database
from tests.activities.given import enroll, journey, policy, publish
from tests.crash import stubs
from tests.crash.mortal_worker import Config, Point, point_of
from tests.temporal import connect, dev_server
from tests.workflows.stage import enrollment_input

ROOT = Path(__file__).parents[2]
TASK_QUEUE = "mortal"

# A dead worker is noticed by its silence, 10 s; then everything must be over at once, but
# for a machine that is busy with other tests.
PATIENCE_S = 240.0

# A few that die at each point, in the time of one heartbeat; the long run has more.
FEW = pytest.param(2, id="few")
MANY = pytest.param(20, id="many", marks=pytest.mark.long)

# What becomes of a message whose worker died there, without keys: unknown where a provider
# may have it.
WITHOUT_KEYS = {
    Point.BEFORE_CLAIM: (Decision.SENT, 1),
    Point.AFTER_CLAIM: (Decision.UNKNOWN, 0),
    Point.AFTER_ACCEPT: (Decision.UNKNOWN, 1),
    Point.AFTER_RECORD: (Decision.SENT, 1),
}


@dataclass
class Trial:
    """Customers `c0`, `c1`, …, each with one message due now."""

    customers: int
    database: Database
    folder: Path

    @property
    def names(self) -> list[str]:
        return [f"c{number}" for number in range(self.customers)]

    async def enroll(self, client: Client) -> list[Any]:
        """Enroll them all, as the dispatcher does."""
        now = datetime.now(UTC)
        definition = {
            "journey": "trial",
            "title": "A trial",
            "starts_on": "trial_started",
            "topic": "onboarding",
            "steps": [{"send": "tip", "at": "start"}],
        }
        what = journey(**definition)
        await publish(self.database, what, policy())
        async with self.database.transaction() as session:
            for name in self.names:
                traits = {"email": f"{name}@reader.example", "name": name}
                await enroll(session, what, name, traits, start_at=now, entered_at=now)
        given = [enrollment_input(now, definition, name, {}, "UTC") for name in self.names]
        return [
            await client.start_workflow("trial", each, id=each.enrollment_id, task_queue=TASK_QUEUE)
            for each in given
        ]

    async def decisions(self) -> dict[str, Decision | None]:
        """What the store says became of each customer's message."""
        async with self.database.reading() as session:
            rows = [await messages.of_customer(session, name) for name in self.names]
        return {row.customer_id: row.decision for (row,) in rows}


@contextmanager
def mortal_workers(config: Config, folder: Path) -> Iterator[None]:
    """Workers that die and are born again."""
    path = folder / "config.json"
    path.write_text(config.model_dump_json())
    command = [sys.executable, "-m", "tests.crash.mortal_worker", str(path)]
    with (folder / "workers.log").open("wb") as log:
        nursery = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield
        assert nursery.poll() is None, (folder / "workers.log").read_text()
    finally:
        nursery.terminate()
        nursery.wait(timeout=30)


async def live_through(trial: Trial, provider: str, port: int) -> None:
    """Every customer's worker dies once, and every enrollment completes."""
    deaths = trial.folder / "deaths"
    deaths.mkdir()
    with dev_server(trial.folder) as address:
        config = Config(
            temporal_address=address,
            task_queue=TASK_QUEUE,
            database_url=trial.database.url.render_as_string(hide_password=False),
            provider=provider,
            provider_port=port,
            workers=4,
            deaths=deaths,
        )
        handles = await trial.enroll(await connect(address))
        with mortal_workers(config, trial.folder):
            async with asyncio.timeout(PATIENCE_S):
                results = [await handle.result() for handle in handles]
    assert results == ["completed"] * trial.customers
    assert sorted(each.name for each in deaths.iterdir()) == sorted(trial.names)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}")
    database.upgrade()
    return database


@pytest.mark.parametrize("at_each_point", [FEW, MANY])
async def test_with_keys_nobody_gets_a_message_twice_and_nobody_misses_one(
    database: Database, tmp_path: Path, at_each_point: int
) -> None:
    trial = Trial(at_each_point * len(Point), database, tmp_path)
    async with stubs.resend() as log:
        await live_through(trial, "resend", log.port)
    assert sorted(log.delivered) == sorted(f"{name}@reader.example" for name in trial.names)
    repeated = [name for name in trial.names if log.asked.count(f"trial:{name}/tip/start") > 1]
    assert repeated == [name for name in trial.names if point_of(name) is Point.AFTER_ACCEPT]
    assert set((await trial.decisions()).values()) == {Decision.SENT}
    await database.dispose()


@pytest.mark.parametrize("at_each_point", [FEW, MANY])
async def test_without_keys_nobody_gets_a_message_twice_and_what_is_unclear_is_listed(
    database: Database, tmp_path: Path, at_each_point: int
) -> None:
    trial = Trial(at_each_point * len(Point), database, tmp_path)
    async with stubs.smtp() as log:
        await live_through(trial, "smtp", log.port)
    decisions = await trial.decisions()
    for name in trial.names:
        got = log.delivered.count(f"{name}@reader.example")
        assert (decisions[name], got) == WITHOUT_KEYS[point_of(name)], name
    async with database.reading() as session:
        listed = [row.customer_id for row in await messages.unknown(session)]
    unclear = (Point.AFTER_CLAIM, Point.AFTER_ACCEPT)
    assert sorted(listed) == sorted(name for name in trial.names if point_of(name) in unclear)
    await database.dispose()


async def test_a_dead_worker_is_noticed_by_its_silence() -> None:
    """The reason why these tests are fast, and production recovers fast too."""
    from workflows.policies import DELIVER_ATTEMPT, DELIVER_HEARTBEAT

    assert timedelta(seconds=5) < DELIVER_HEARTBEAT < DELIVER_ATTEMPT / 3

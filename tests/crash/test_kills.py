"""`kill -9` of everything, by chance, while events come in: 0 lost, 0 applied twice, 0 stuck.

Judged by the client's own log of what got a 200. Each test prints its seed; the variable
`CRASH_SEED` has the same lives and the same victims again, though not the same moments.
"""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from store.database import Database
from tests.crash.evidence import gather
from tests.crash.judge import objections
from tests.crash.stack import stack
from tests.crash.trial import Trial, judged, trial
from tests.temporal import connect

# A call every 25 ms, so that the kills fall seconds apart, into all that happens between.
RATE = 40.0


async def live_through(tried: Trial, kills: int, victims: list[str]) -> None:
    """Kill, wait, judge, and say how it was."""
    began = time.monotonic()
    await tried.send_while_killing(kills, victims)
    sent = time.monotonic()
    await judged(tried)
    assert sum(tried.supervisor.deaths.values()) == kills
    assert len(tried.log.taken) == sum(len(life.calls) for life in tried.lives)
    print(
        f"{len(tried.log.taken)} events in {sent - began:.0f} s, quiet after "
        f"{time.monotonic() - sent:.0f} s; killed {dict(tried.supervisor.deaths)}, ended by "
        f"themselves {dict(tried.supervisor.gave_up)}, answers {dict(tried.log.answers)}"
    )


async def test_a_few_kills_lose_nothing_double_nothing_and_leave_nothing_lying(
    tmp_path: Path, seed: int
) -> None:
    async with (
        stack(tmp_path, on_postgres=False) as running,
        trial(running, seed, customers=20, rate=RATE) as tried,
    ):
        await live_through(tried, 3, ["api-1", "worker", "temporal"])
        await assert_that_the_judge_looks(tried)


@pytest.mark.wide
async def test_25_kills_on_sqlite(tmp_path: Path, seed: int) -> None:
    async with (
        stack(tmp_path, on_postgres=False) as running,
        trial(running, seed, customers=300, rate=RATE) as tried,
    ):
        await live_through(tried, 25, ["api-1", "worker", "temporal"])


@pytest.mark.long
async def test_25_kills_on_postgresql_and_of_it(
    tmp_path: Path, seed: int, postgres_there: None
) -> None:
    async with (
        stack(tmp_path, on_postgres=True) as running,
        trial(running, seed, customers=300, rate=RATE) as tried,
    ):
        await live_through(tried, 25, ["api-1", "api-2", "worker", "temporal", "postgres"])


async def assert_that_the_judge_looks(tried: Trial) -> None:
    """Spoil the real store, and it objects: so what it has just passed was looked at."""
    temporal = await connect(tried.stack.temporal_address)
    database = tried.stack.database
    clean = await gather(database, temporal)
    assert objections(tried.lives, tried.log.taken, clean) == []
    mail = clean.mails[0]
    await _do(database, f"DELETE FROM event_stats WHERE customer_id = '{tried.lives[0].customer}'")
    await _do(
        database,
        "INSERT INTO mailbox (key, at, sender, recipient, subject, raw, headers) "
        "SELECT key || '-again', at, sender, recipient, subject, raw, headers FROM mailbox "
        f"WHERE subject = '{mail}'",
    )
    await _do(database, "UPDATE outbox SET done_at = NULL WHERE id = 1")
    wrong = objections(tried.lives, tried.log.taken, await gather(database, temporal))
    for expected in (f"mail {mail}: 2 times, not 1", "count of", "still waits"):
        assert any(expected in each for each in wrong), (expected, wrong)
    lost = replace(clean, events=clean.events[1:])
    assert objections(tried.lives, tried.log.taken, lost)


async def _do(database: Database, statement: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(statement))

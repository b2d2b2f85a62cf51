"""The database down for half a minute: whoever sends is told to come again, and nothing is lost.

Never a 200 that is not stored, never a 500, and nobody has to start anything again.
"""

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from store.database import BUSY_TIMEOUT, Database
from tests.crash.asker import Answer, Asker, faults
from tests.crash.lives import START
from tests.crash.programs import Program
from tests.crash.stack import Stack, stack
from tests.postgres import FAST_STOP

DOWN_S = 30.0
RATE = 20.0

# A refused connection is known at once, and a commit is written in milliseconds; this is for
# a machine whose cores and disk are busy with other tests.
_SOON_S = 8.0

# Until the first event is taken again: PostgreSQL's start, and a second's pause or so.
_BACK_S = 20.0

# Until Temporal has heard of all that was taken: a lease of 17 s may have to run out.
_HEARD_S = 60.0

# Far less than a hundred requests a second that are kept for half a minute would take.
_MOST_MB = 40.0

# Until a request has given up SQLite's lock. All who write wait for it in one queue, so whoever
# comes after the dispatcher, or after others, waits once more after they have given up.
_GIVEN_UP_S = 2 * BUSY_TIMEOUT.total_seconds() + _SOON_S


@pytest.mark.long
async def test_postgresql_down_for_half_a_minute(tmp_path: Path, postgres_there: None) -> None:
    async with stack(tmp_path, on_postgres=True, with_worker=False) as running:
        pids = {name: running.programs[name].pid for name in running.apis}
        asker = Asker(running.ports, running.key, RATE, START)
        server = running.programs["postgres"]
        async with asker.asking(), httpx.AsyncClient() as http:
            await asker.first_taken_after(time.monotonic())
            before_mb = {name: memory_mb(pid) for name, pid in pids.items()}
            down_at = time.monotonic()
            end(server, FAST_STOP)
            while time.monotonic() < down_at + DOWN_S:
                await assert_alive_and_not_ready(asker, http, running.ports)
                await asyncio.sleep(1)
            up_at = time.monotonic()
            server.start()
            async with asyncio.timeout(_BACK_S):
                taken = await asker.first_taken_after(up_at)
            after_mb = {name: memory_mb(pid) for name, pid in pids.items()}
        downtime = [each for each in asker.answers if down_at + 1 < each.asked_at < up_at]
        assert len(downtime) > 0.8 * RATE * DOWN_S - RATE
        assert {each.status for each in downtime} == {503}
        await assert_honest(running, asker)
        assert pids == {name: running.programs[name].pid for name in running.apis}
        grown = {name: after_mb[name] - before_mb[name] for name in pids}
        slowest = max(each.took_s for each in downtime)
        print(
            f"{len(downtime)} answers of 503, the slowest in {slowest:.2f} s; taken again "
            f"{taken.asked_at + taken.took_s - up_at:.1f} s after its start; grown by {grown} MB"
        )
        assert max(grown.values()) < _MOST_MB


@pytest.mark.long
async def test_postgresql_ended_in_every_way_there_is(tmp_path: Path, postgres_there: None) -> None:
    """Told to stop, told to stop at once, killed, and one connection's process killed alone."""
    async with stack(tmp_path, on_postgres=True, with_worker=False) as running:
        asker = Asker(running.ports, running.key, RATE / 2, START)
        server = running.programs["postgres"]
        async with asker.asking():
            for how in (FAST_STOP, signal.SIGQUIT, signal.SIGKILL, None):
                await asker.first_taken_after(time.monotonic())
                if how is None:
                    await kill_one_connection(running.database)
                else:
                    end(server, how)
                    server.start()
                async with asyncio.timeout(_BACK_S):
                    await asker.first_taken_after(time.monotonic() + 1)
        assert {each.status for each in asker.answers} == {200, 503}
        await assert_honest(running, asker)


@pytest.mark.long
async def test_sqlite_locked_for_longer_than_it_is_waited_for(tmp_path: Path) -> None:
    async with stack(tmp_path, on_postgres=False, with_worker=False) as running:
        asker = Asker(running.ports, running.key, RATE / 4, START)
        async with asker.asking(), httpx.AsyncClient() as http:
            await asker.first_taken_after(time.monotonic())
            with locked(tmp_path / "store.db"):
                async with asyncio.timeout(_GIVEN_UP_S):
                    while all(each.status == 200 for each in asker.answers):
                        answer = await asker.look(http, running.ports[0], "/healthz")
                        assert (answer.status, answer.took_s < _SOON_S) == (200, True)
                        await asyncio.sleep(1)
            async with asyncio.timeout(_BACK_S):
                await asker.first_taken_after(time.monotonic())
        assert {each.status for each in asker.answers} == {200, 503}
        await assert_honest(running, asker, patience_s=_GIVEN_UP_S)


async def assert_alive_and_not_ready(
    asker: Asker, http: httpx.AsyncClient, ports: tuple[int, ...]
) -> None:
    for port in ports:
        answer = await asker.look(http, port, "/healthz")
        assert (answer.status, answer.took_s < _SOON_S) == (200, True)
        answer = await asker.look(http, port, "/readyz")
        assert (answer.status, answer.took_s < _SOON_S) == (503, True)
        assert answer.content is not None
        assert answer.content["ready"] is False


async def assert_honest(running: Stack, asker: Asker, patience_s: float = _SOON_S) -> None:
    """Each answer was right, what was taken is there, and Temporal hears of it."""
    assert faults(asker.answers, patience_s) == []
    assert asker.lost == {}
    taken = {each.message_id for each in asker.answers if each.status == 200}
    kept = await _column(running.database, "SELECT message_id FROM events WHERE kind = 'track'")
    assert taken <= kept
    for name in running.apis:
        assert "Traceback" not in running.told(name)
    waiting = "SELECT id FROM outbox WHERE done_at IS NULL"
    async with asyncio.timeout(_HEARD_S):
        while await _column(running.database, waiting):  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.5)


async def _column(database: Database, statement: str) -> set[object]:
    async with database.reading() as session:
        return set(await session.scalars(text(statement)))


async def kill_one_connection(database: Database) -> None:
    """The out-of-memory killer's favourite: the server then ends all others by itself."""
    pids = await _column(
        database, "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'"
    )  # fmt: skip
    os.kill(int(str(min(pids, key=str))), signal.SIGKILL)


def end(server: Program, by: signal.Signals) -> None:
    server.stops_by = by
    server.kill() if by is signal.SIGKILL else server.stop()


def memory_mb(pid: int) -> float:
    """What a process holds (Linux only)."""
    told = Path(f"/proc/{pid}/status").read_text()
    return int(told.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Write, and do not finish: to the API, we are another process."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


_AWAY = Answer(
    path="/v1/track",
    message_id="m",
    asked_at=0.0,
    took_s=0.1,
    status=503,
    retry_after="5",
    content={"success": False, "code": "store_unavailable", "message": "not now"},
)


def test_a_right_answer_has_no_faults() -> None:
    taken = replace(_AWAY, status=200, retry_after=None, content={"success": True})
    assert faults([_AWAY, taken], _SOON_S) == []


@pytest.mark.parametrize(
    "wrong",
    [
        replace(_AWAY, retry_after=None),
        replace(_AWAY, retry_after="soon"),
        replace(_AWAY, content=None),
        replace(_AWAY, content={"code": "internal_error"}),
        replace(_AWAY, status=500),
        replace(_AWAY, status=200),
        replace(_AWAY, took_s=9.0),
    ],
)
def test_a_wrong_answer_is_noticed(wrong: Answer) -> None:
    assert len(faults([wrong], _SOON_S)) == 1

"""Parcours as it runs in earnest: its own commands in processes of their own, killable one by one.

On PostgreSQL two APIs share the work, as replicas behind a load balancer would; on SQLite
there is one. The one surprising fact: this PostgreSQL is no server of the other tests'. Theirs
skips what makes a commit last, and here that is what is asked about.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

from api.scopes import Scope
from authoring.journey_file import load_journey_data
from engine.policy import Policy, Sender, Topic
from rendering.sources import MessageSource
from store import journeys
from store.database import Database
from tests import postgres, temporal
from tests.api.given import SECRET, make_key
from tests.cli.running import environment
from tests.crash.programs import Program
from tests.lint.checkout import ROOT

# Starts take two seconds each, and the machine may be busy.
_START_S = 90.0

# Low, so that what a dead dispatcher had taken is free again after 17 s and not after 35.
RPC_TIMEOUT_S = 1.0

JOURNEY = """
journey: trial
title: A trial with receipts
starts_on: trial_started
ends_on: [trial_cancelled]
goal: subscription_purchased
topic: onboarding
steps:
  - send: receipt
    after_event: order_placed
    repeat: true
  - send: reminder
    at: customer.trial_ends_at - 5 days
"""

_POLICY = Policy(
    sender=Sender(name="Acme", email="hello@acme.example"),
    postal_address="1 Main Street",
    timezone="UTC",
    topics={"onboarding": Topic(title="Getting started", subscribed=True)},
)
_BODY = {"email.html": "<p>Thank you.</p>"}
_MESSAGES = {
    "receipt": MessageSource("receipt", {"subject.txt": "{{ event.order }}", **_BODY}, {}),
    "reminder": MessageSource("reminder", {"subject.txt": "Soon", **_BODY}, {}),
}


@dataclass(frozen=True)
class Stack:
    """Everything, up. `ports` are those of the APIs; `key` writes events."""

    programs: dict[str, Program]
    ports: tuple[int, ...]
    key: str
    database: Database
    temporal_address: str

    def told(self, name: str) -> str:
        """What a program has logged, in all its lives."""
        return self.programs[name].log.read_text(errors="replace")

    @property
    def apis(self) -> list[str]:
        """The names of the APIs."""
        return [name for name in self.programs if name.startswith("api")]


@asynccontextmanager
async def stack(
    folder: Path, *, on_postgres: bool, with_worker: bool = True, niceness: int = 0
) -> AsyncIterator[Stack]:
    """The whole of it, a journey published, until the block is left.

    `niceness` is that of Temporal and of the worker.
    """
    programs: dict[str, Program] = {}
    url = f"sqlite+aiosqlite:///{folder / 'store.db'}"
    with tempfile.TemporaryDirectory(prefix="parcours-pg-") as home, _stopped_at_the_end(programs):
        if on_postgres:
            programs["postgres"], url = _postgres(Path(home))
        port = temporal.free_port()
        programs["temporal"] = Program(
            "temporal",
            temporal.dev_server_command(folder, port),
            folder / "temporal.log",
            niceness=niceness,
        )
        address = f"127.0.0.1:{port}"
        temporal.await_server(address, programs["temporal"].start())
        database = Database(url)
        key = await _prepared(database)
        ports = tuple(temporal.free_port() for _ in range(2 if on_postgres else 1))
        for number, each in enumerate(ports, 1):
            name = f"api-{number}"
            programs[name] = _parcours(name, folder, url, address, each)
        if with_worker:
            programs["worker"] = _parcours("worker", folder, url, address, ports[0])
            programs["worker"].niceness = niceness
        for program in programs.values():
            if not program.is_running:
                program.start()
        for each in ports:
            _await_api(each)
        try:
            yield Stack(programs, ports, key, database, address)
        finally:
            await database.dispose()


def _parcours(name: str, folder: Path, url: str, address: str, port: int) -> Program:
    """`parcours api` or `parcours worker`."""
    settings = environment(
        PARCOURS_DATABASE_URL=url,
        PARCOURS_SECRET_KEY=SECRET,
        PARCOURS_API_PORT=str(port),
        PARCOURS_TEMPORAL_ADDRESS=address,
        PARCOURS_RPC_TIMEOUT=str(RPC_TIMEOUT_S),
        PARCOURS_GRACEFUL_SHUTDOWN="5",
    )
    command = [sys.executable, "-m", "cli", name.partition("-")[0]]
    return Program(name, command, folder / f"{name}.log", settings, ROOT)


def _postgres(home: Path) -> tuple[Program, str]:
    """A server of its own, running, with all that makes a commit last; and its database's URL.

    Raises NoPostgresError.
    """
    bin_dir, data = postgres.binaries(), home / "data"
    if (other := postgres.owner()) is not None:
        shutil.chown(home, other)
    postgres.run(
        bin_dir / "initdb", "-D", data, "-U", "parcours", "-A", "trust", "-E", "UTF8",
        "--locale=C", cwd=home,
    )  # fmt: skip
    command = [str(bin_dir / "postgres"), "-D", str(data), "-k", str(home), "-c"]
    command.append("listen_addresses=")
    server = Program(
        "postgres", command, home / "log", cwd=home, user=other, stops_by=postgres.FAST_STOP
    )
    server.start()
    give_up_at = time.monotonic() + _START_S
    while True:
        try:
            postgres.run(bin_dir / "createdb", "-h", home, "-U", "parcours", "parcours", cwd=home)
            return server, f"postgresql+asyncpg://parcours@/parcours?host={home}"
        except postgres.NoPostgresError:
            if time.monotonic() > give_up_at or not server.is_running:
                server.stop()
                raise
            time.sleep(0.1)


async def _prepared(database: Database) -> str:
    """The schema, the journey and a key, which is returned."""
    database.upgrade()
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=[load_journey_data(JOURNEY, "trial/journey.yaml")],
            policy=_POLICY,
            messages={"trial": {name: each.to_dict() for name, each in _MESSAGES.items()}},
            at=datetime.now(UTC),
            by="test",
        )
    return await make_key(database, Scope.EVENTS_WRITE)


def _await_api(port: int) -> None:
    give_up_at = time.monotonic() + _START_S
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)
        finally:
            connection.close()


@contextmanager
def _stopped_at_the_end(programs: dict[str, Program]) -> Iterator[None]:
    """The last to be started is the first to be stopped."""
    try:
        yield
    finally:
        for program in reversed(programs.values()):
            program.stop()

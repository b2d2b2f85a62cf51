"""Workers that die at a chosen point of `deliver`, once for each customer, and are born again.

Run as a program: `python -m tests.crash.mortal_worker CONFIG`. Production code knows nothing of
it: what `deliver` works with (the links, the store, the provider) is wrapped. The surprising
fact: it loads everything once and forks, for a new life must cost milliseconds.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.desk import Desk
from activities.providers.outcome import Accepted, Mail, Provider, Refused
from activities.providers.resend import ResendProvider
from activities.providers.smtp import SmtpProvider, SmtpServer
from store.database import Database
from worker import running


class Point(StrEnum):
    """Where a worker dies."""

    BEFORE_CLAIM = "before_claim"
    AFTER_CLAIM = "after_claim"
    AFTER_ACCEPT = "after_accept"
    AFTER_RECORD = "after_record"


class Config(BaseModel):
    """What the workers are told. `deaths` is a folder with one file for each death."""

    temporal_address: str
    task_queue: str
    database_url: str
    provider: str
    provider_port: int
    workers: int
    deaths: Path


def point_of(customer_id: str) -> Point:
    """Where the worker dies that has this customer's message: `c0` at the first point, …"""
    points = list(Point)
    return points[int(customer_id.removeprefix("c")) % len(points)]


@dataclass
class Fate:
    """Kills the process once for each customer, at their point."""

    deaths: Path

    def strike(self, point: Point, customer_id: str) -> None:
        if point is not point_of(customer_id):
            return
        try:
            (self.deaths / customer_id).touch(exist_ok=False)
        except FileExistsError:
            return  # this one has been a death already
        os.kill(os.getpid(), signal.SIGKILL)


class MortalProvider:
    """Dies before the provider has the mail, or after."""

    def __init__(self, inner: Provider[Mail], fate: Fate, database: "MortalDatabase") -> None:
        self.name = inner.name
        self.remembers_keys_for = inner.remembers_keys_for
        self._inner = inner
        self._fate = fate
        self._database = database

    async def send(self, mail: Mail) -> Accepted | Refused:
        self._fate.strike(Point.AFTER_CLAIM, mail.customer_id)
        answer = await self._inner.send(mail)
        self._fate.strike(Point.AFTER_ACCEPT, mail.customer_id)
        self._database.recording = mail.customer_id
        return answer


class MortalDatabase(Database):
    """Dies after the commit of what became of a mail."""

    def __init__(self, url: str, fate: Fate) -> None:
        super().__init__(url)
        self.recording: str | None = None  # whose mail has been accepted
        self._fate = fate

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[AsyncSession]:
        async with super().transaction(durable=durable) as session:
            yield session
        if self.recording is not None:
            self._fate.strike(Point.AFTER_RECORD, self.recording)
            self.recording = None


async def live(config: Config) -> None:
    """One life of a worker."""
    fate = Fate(config.deaths)
    database = MortalDatabase(config.database_url, fate)

    def link(customer_id: str, topic: str) -> str:
        fate.strike(Point.BEFORE_CLAIM, customer_id)
        return f"https://acme.example/u/{customer_id}"

    desk = Desk(
        database=database,
        providers={"email": MortalProvider(_provider(config), fate, database)},
        unsubscribe_url=link,
    )
    client = await Client.connect(config.temporal_address, data_converter=pydantic_data_converter)
    # One at a time, so that nobody's death is told for another's.
    running.MAX_CONCURRENT_ACTIVITIES = 1
    worker = running.build_worker(client, desk, config.task_queue, timedelta(seconds=1))
    await worker.run()


def _provider(config: Config) -> Provider[Mail]:
    if config.provider == "smtp":
        return SmtpProvider(SmtpServer("127.0.0.1", config.provider_port, starttls=False))
    return ResendProvider("re_test", f"http://127.0.0.1:{config.provider_port}")


def be_born_again(config: Config) -> None:
    """Keep that many workers alive, until told to stop."""
    alive: set[int] = set()

    def stop(*_: Any) -> None:
        for pid in alive:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        while len(alive) < config.workers:
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                asyncio.run(live(config))
                os._exit(1)  # a worker ends by being killed
            alive.add(pid)
        died, status = os.wait()
        alive.discard(died)
        if not os.WIFSIGNALED(status):
            os._exit(1)  # it failed by itself, which its log tells


if __name__ == "__main__":
    be_born_again(Config.model_validate_json(Path(sys.argv[1]).read_text()))

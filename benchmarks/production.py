"""The processes of production on one machine: `parcours api` with its dispatcher, `parcours
worker`, the Temporal server, the store; and who carries the mail, outside of them.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client

from api.accept import accept
from api.services import Services
from benchmarks.connecting import connected
from benchmarks.preparing import prepared
from benchmarks.servers import Process, cpu_s, free_port, parcours, temporal_server
from benchmarks.standin import Handed, resend
from benchmarks.trial import folder, traits
from engine.calls import Identify
from settings import load
from store.database import Database

_SECRET = "a key of thirty-two characters ."

# Calls in one transaction, as in a large batch of events.
_BATCH = 500


@dataclass(frozen=True)
class Production:
    """Everything, up. `processes` are `server`, `worker` and `api`."""

    services: Services
    client: Client
    processes: Mapping[str, Process]
    handed: Handed

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each process so far, this one's too."""
        used = {name: cpu_s(each.pid) for name, each in self.processes.items()}
        return used | {"us": time.process_time()}

    async def meet(self, group: str, number: int, **own: Any) -> None:
        """So many customers, `GROUP-0` to the last, whose `cohort` is that group."""
        now = datetime.now(UTC)
        shared = {**traits(now), "cohort": group, **own}
        for first in range(0, number, _BATCH):
            calls = [
                Identify(
                    customer_id=name,
                    at=now,
                    message_id=name,
                    traits={**shared, "email": address_of(name)},
                )
                for name in names(group, range(first, min(first + _BATCH, number)))
            ]
            await accept(self.services, calls, now)


def names(group: str, numbers: range) -> list[str]:
    """Ids of the customers of a group."""
    return [f"{group}-{n}" for n in numbers]


def address_of(customer: str) -> str:
    """Where a customer of that id is written to."""
    return f"{customer}@example.com"


@asynccontextmanager
async def production(url: str) -> AsyncIterator[Production]:
    """On that store, which is made, with the journeys folder published."""
    await prepared(url, folder(), [])
    database, settings = Database(url), load(database_url=url, secret_key=_SECRET)
    async with resend() as handed:
        with temporal_server() as server:
            environment = {
                "PARCOURS_DATABASE_URL": url,
                "PARCOURS_TEMPORAL_ADDRESS": server.address,
                "PARCOURS_SECRET_KEY": _SECRET,
                "PARCOURS_API_PORT": str(free_port()),
                "PARCOURS_EMAIL_PROVIDER": "resend",
                "PARCOURS_RESEND_API_KEY": "re_bench",
                "PARCOURS_RESEND_BASE_URL": handed.address,
                "PYTHONTZPATH": "",
            }
            with parcours("worker", environment) as worker, parcours("api", environment) as api:
                yield Production(
                    Services(database=database, settings=settings),
                    await connected(server),
                    {"server": server, "worker": worker, "api": api},
                    handed,
                )
                await database.dispose()

"""What the fuzzers attack: the whole application, in this process, over a store with people in it.

Everything runs on one event loop that is kept from case to case, for a fuzzer is not `async`
and connections belong to a loop. A case that makes the application raise fails at once, with
the application's own traceback.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from sqlalchemy import select

from api.accept import accept
from api.app import create_app
from api.scopes import ALL_SCOPES, Scope
from api.services import Services
from engine.calls import Call
from engine.reasons import Decision, Reason
from rendering.links import Links, Unsubscribe
from store import messages
from store.database import Database
from store.tables import Enrollment
from tests.api.given import (
    A_DAY,
    DAY,
    SECRET,
    Wall,
    identify,
    load_settings,
    make_key,
    publish,
    track,
    trial,
)
from tests.store.given import a_claim

_T = TypeVar("_T")

# Enough that orders find open enrollments long after the first were cancelled.
_PEOPLE = 60

# Ids as apps have them, among them such as an address must quote.
_ODD_PEOPLE = ("ann@acme.example", "a/b", "ü?x=1", "a b", "x/consents", "名前")


@dataclass
class Stage:
    """The application and what can be named in a request to it."""

    services: Services
    runner: asyncio.Runner
    key: str
    ingest_key: str
    customer_ids: list[str] = field(default_factory=list)
    enrollment_ids: list[str] = field(default_factory=list)
    token: str = ""

    def __post_init__(self) -> None:
        self.app = create_app(self.services)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Have it done on the one event loop."""
        return self.runner.run(work)

    def ask(self, *requests: httpx.Request) -> list[httpx.Response]:
        """The answers of the application; of several at once, in their order."""
        return self.run(self._asked(requests))

    async def _asked(self, requests: tuple[httpx.Request, ...]) -> list[httpx.Response]:
        return await asyncio.gather(*(self._client.send(each) for each in requests))

    @property
    def _client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://parcours.test")

    async def people(self) -> None:
        """Journeys, customers inside them, and what they were sent or not."""
        cart = trial(journey="cart", starts_on="cart_left", key="cart_id", reenter="after_exit")
        await publish(self.services.database, trial(), cart)
        self.customer_ids = [*_ODD_PEOPLE, *(f"c{number}" for number in range(_PEOPLE))]
        calls: list[Call] = []
        for each in self.customer_ids:
            calls.append(identify(customer=each, plan="trial", trial_ends_at="2026-12-23"))
            calls.append(track("trial_started", customer=each))
            calls.append(track("cart_left", customer=each, properties={"cart_id": 9}))
        await accept(self.services, calls, A_DAY)
        async with self.services.database.transaction() as session:
            await messages.claim(
                session, a_claim("thanks", decision=Decision.NOT_SENT, reason=Reason.NO_ADDRESS)
            )
            found = await session.scalars(select(Enrollment).order_by(Enrollment.id))
            self.enrollment_ids = [each.id for each in found]
        links = Links(self.services.settings.public_url, [SECRET])
        self.token = links.token(Unsubscribe("c1", "onboarding"))


@contextmanager
def staged(url: str) -> Iterator[Stage]:
    """A stage over the migrated, empty store at that address."""
    with asyncio.Runner() as runner:
        database = Database(url)
        services = Services(
            database=database, settings=load_settings(url, rate_limit=0), wall=Wall(A_DAY + DAY)
        )
        key = runner.run(make_key(database, *ALL_SCOPES))
        ingest_key = runner.run(make_key(database, Scope.EVENTS_WRITE))
        stage = Stage(services, runner, key, ingest_key)
        runner.run(stage.people())
        try:
            yield stage
        finally:
            runner.run(database.dispose())

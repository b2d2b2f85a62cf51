"""A provider that forgets keys after 5 seconds: what it may have is not sent again after that."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from activities.desk import Trouble
from activities.providers.resend import ResendProvider
from engine.enrollment import Outcome
from store.database import Database
from tests.activities.faults.adapters import RESEND
from tests.activities.faults.http_stub import Fault, HttpStub
from tests.activities.given import NOW, Office, journey, open_office
from tests.activities.test_repeats import SENT, UNKNOWN

FORGETS = timedelta(seconds=5)
# A second less, for requests on their way.
REMEMBERS = timedelta(seconds=4)

TAKEN_BUT_LOST = Fault("", RESEND.success, of_reply=0, takes=True)


@dataclass
class Clock:
    """One time for the provider and for us."""

    after: timedelta = timedelta(0)


@dataclass(frozen=True)
class Window:
    office: Office
    stub: HttpStub
    clock: Clock

    async def attempt(self, after: timedelta) -> Outcome:
        self.clock.after = after
        return await self.office.deliver(after=after)

    async def lose_the_first_answer(self) -> None:
        async with self.stub.failing(TAKEN_BUT_LOST):
            with pytest.raises(Trouble, match="nobody knows"):
                await self.attempt(timedelta(0))


@asynccontextmanager
async def window(
    store: Database, remembers: timedelta, transactional: bool = False
) -> AsyncIterator[Window]:
    clock, stub = Clock(), RESEND.stub()
    stub.forgets_after, stub.now = FORGETS, lambda: NOW + clock.after
    async with stub.opened():
        provider = ResendProvider("re_secret", stub.url, remembers_keys_for=remembers)
        kind = {"topic": None, "transactional": True} if transactional else {}
        yield Window(await open_office(store, provider, what=journey(**kind)), stub, clock)
        await provider.close()


async def test_within_the_window_a_repeated_send_is_the_same_message(store: Database) -> None:
    async with window(store, REMEMBERS) as known:
        await known.lose_the_first_answer()
        assert await known.attempt(timedelta(seconds=3.9)) == SENT
        assert len(known.stub.readers) == 1
        assert len(known.stub.asked) == 2


@pytest.mark.parametrize("seconds", [4, 5, 6, 3_600])
async def test_past_the_window_nothing_is_sent_again(store: Database, seconds: int) -> None:
    async with window(store, REMEMBERS) as known:
        await known.lose_the_first_answer()
        assert await known.attempt(timedelta(seconds=seconds)) == UNKNOWN
        assert len(known.stub.asked) == 1


async def test_many_lost_answers_do_not_lengthen_the_window(store: Database) -> None:
    async with window(store, REMEMBERS) as known:
        await known.lose_the_first_answer()
        async with known.stub.failing(TAKEN_BUT_LOST):
            for seconds in (1, 2, 3):
                with pytest.raises(Trouble):
                    await known.attempt(timedelta(seconds=seconds))
        assert await known.attempt(timedelta(seconds=4)) == UNKNOWN
        assert len(known.stub.readers) == 1


async def test_an_attempt_that_never_arrived_does_not_start_the_window(store: Database) -> None:
    async with window(store, REMEMBERS) as known:
        async with known.stub.failing(Fault("", is_away=True)):
            with pytest.raises(Trouble, match="did not take it"):
                await known.attempt(timedelta(0))
        async with known.stub.failing(TAKEN_BUT_LOST):
            with pytest.raises(Trouble, match="nobody knows"):
                await known.attempt(timedelta(seconds=10))
        assert await known.attempt(timedelta(seconds=13)) == SENT
        assert len(known.stub.readers) == 1


async def test_a_transactional_message_goes_once_more_past_the_window_and_no_more(
    store: Database,
) -> None:
    async with window(store, REMEMBERS, transactional=True) as known:
        await known.lose_the_first_answer()
        async with known.stub.failing(TAKEN_BUT_LOST):
            assert await known.attempt(timedelta(seconds=6)) == UNKNOWN
        assert await known.attempt(timedelta(seconds=20)) == UNKNOWN
        assert len(known.stub.readers) == 2


async def test_a_provider_that_promises_more_than_it_keeps_writes_twice(store: Database) -> None:
    """The known-bad control: were the window not kept to, these tests would see it."""
    async with window(store, timedelta(hours=1)) as known:
        await known.lose_the_first_answer()
        assert await known.attempt(timedelta(seconds=6)) == SENT
        assert len(known.stub.readers) == 2

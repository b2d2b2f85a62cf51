"""The keys that this process was shown lately: recognised without a query, and noted as used.

Decides how long an answer of the store holds, and when use is written down. The one
surprising fact: nothing here tells a revoked key from a live one but the clock. Every
process asks the store again after `KNOWN_FOR`, so a revocation is everywhere within that
time, without anybody being told.
"""

import asyncio
from collections import OrderedDict
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.beside import beside, stops_within
from api.errors import kind_of
from store import keys
from store.database import Database
from store.tables import ApiKey

# How long a revoked key may still be taken, on any process: what the documentation promises.
KNOWN_FOR = timedelta(seconds=5)

# Far more keys than an installation has. Wrong ones have a place of their own, so that no
# flood of them pushes out the good; a thousand are enough for an app that insists.
_MOST_KNOWN = 10_000
_MOST_WRONG = 1_000

# `last_used_at` is for finding keys that nobody uses: to a minute is exact enough, and one
# transaction a minute is nothing, however many requests there are.
_NOTE_EVERY = timedelta(minutes=1)

_log = structlog.get_logger("parcours.keys")


@dataclass(frozen=True)
class KnownKey:
    """A key that was shown and is valid. `events_per_second` as in `store.tables.ApiKey`."""

    id: int
    name: str
    scopes: frozenset[str]
    events_per_second: int | None

    @classmethod
    def of(cls, row: ApiKey) -> Self:
        assert row.id is not None  # it comes from the store
        return cls(row.id, row.name, frozenset(row.scopes), row.events_per_second)


@dataclass(frozen=True)
class _Answer:
    """What the store said; None: there is no such key."""

    asked_at: datetime
    key: KnownKey | None


class _Answers:
    """The store's last answers by the keys' hashes, the oldest forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, _Answer] = OrderedDict()

    def get(self, hashed: str, now: datetime) -> _Answer | None:
        """One that still holds; a clock that was set back ends it too."""
        kept = self._kept.get(hashed)
        if kept is None or not timedelta(0) <= now - kept.asked_at < KNOWN_FOR:
            return None
        return kept

    def put(self, hashed: str, answer: _Answer) -> None:
        self.forget(hashed)
        self._kept[hashed] = answer
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, hashed: str) -> None:
        self._kept.pop(hashed, None)


class Keyring:
    """One process's memory of keys. `now` is real time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = _Answers(_MOST_KNOWN)
        self._wrong = _Answers(_MOST_WRONG)
        self._asking: dict[str, asyncio.Task[_Answer]] = {}
        self._used: dict[int, datetime] = {}

    async def find(self, text: str, now: datetime) -> KnownKey | None:
        """The key, unless it is unknown or revoked. Raises what reading the store raises."""
        if not keys.looks_like_one(text):
            return None
        hashed = keys.hash_of(text)
        answer = self._known.get(hashed, now) or self._wrong.get(hashed, now)
        if answer is None:
            answer = await self._ask_once(text, hashed, now)
        return answer.key

    def note_used(self, key: KnownKey, now: datetime) -> None:
        """Remember it for `write_used`; waits for nothing."""
        self._used[key.id] = now

    async def write_used(self) -> None:
        """Write down which keys were used since the last time; what fails is kept for the next."""
        if not self._used:
            return
        used, self._used = self._used, {}
        try:
            async with self._database.transaction() as session:
                await keys.note_used(session, used)
        except (SQLAlchemyError, OSError) as error:
            self._used = {**used, **self._used}
            _log.warning("could not note which keys are in use", error=kind_of(error))

    def noting(self) -> AbstractAsyncContextManager[None]:
        """Write down use every minute meanwhile, and once more at the end."""
        return beside(self._note_until, "use of keys")

    async def _note_until(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await stops_within(stopping, _NOTE_EVERY)
            await self.write_used()

    async def _ask_once(self, text: str, hashed: str, now: datetime) -> _Answer:
        """Ask the store, once for all requests that show the same key at the same moment."""
        asking = self._asking.get(hashed)
        if asking is None:
            asking = asyncio.create_task(self._ask(text, hashed, now))
            self._asking[hashed] = asking
            asking.add_done_callback(lambda done: self._answered(hashed, done))
        return await asyncio.shield(asking)  # one that goes away takes no answer from the others

    async def _ask(self, text: str, hashed: str, now: datetime) -> _Answer:
        async with self._database.reading() as session:
            row = await keys.find_valid(session, text)
        answer = _Answer(now, None if row is None else KnownKey.of(row))
        if answer.key is None:
            self._known.forget(hashed)
            self._wrong.put(hashed, answer)
        else:
            self._known.put(hashed, answer)
        return answer

    def _answered(self, hashed: str, done: asyncio.Task[_Answer]) -> None:
        del self._asking[hashed]
        if not done.cancelled():
            done.exception()  # told to whoever still waits; nobody else has to hear of it

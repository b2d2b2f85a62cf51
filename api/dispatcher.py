"""Moves the outbox to Temporal: in order for each customer, many customers at a time.

Decides when a row is tried, tried again, or put aside for a person; what an answer means
is the courier's to say. It may be killed at any point and run any number of times: rows
are leased, and carrying one twice is harmless. The one surprising fact: one transaction
both writes what has landed and takes what goes next, so a customer's rows follow one
another without waiting for anything else.
"""

import asyncio
import random
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from api.courier import Courier, Declined, Done, Hopeless, Outcome, Trouble
from api.errors import kind_of
from api.own_calls import take_own
from api.services import Services
from api.temporal_names import SKIP
from store import audit, customers, enrollments, outbox
from store.database import Database
from store.tables import AuditEntry, OutboxKind, OutboxRow
from store.waking import listening

_log = structlog.get_logger("parcours.dispatcher")

# Customers served at a time. A local server answers some 200 starts a second at a few
# milliseconds each; 32 in flight also keep a server at 100 ms distance busy.
_AT_ONCE = 32

# While so many are in flight there is a backlog, and then what lands within a moment is written
# together: a transaction costs more than carrying a row. Of a server that takes 60 to 200 starts
# a second that is three to ten rows, and it has the others to work on meanwhile.
_MANY = _AT_ONCE // 2
_GATHERING = timedelta(milliseconds=50)

# How often to look for rows whose time has come, and for those of other processes where the
# database does not tell of them (`store.waking`).
_POLL = timedelta(seconds=1)

# Between attempts: at first a moment, for a hiccup; at most so long that the backlog moves
# soon after Temporal is back.
_FIRST_PAUSE = timedelta(milliseconds=500)
_LONGEST_PAUSE = timedelta(seconds=10)

# As many rows in a row that Temporal did not answer at all: then it is away, and one row a
# second asks whether it is back. To try all that waits again and again would cost those who
# send events dear, the more the longer it lasts.
_AWAY_AFTER = _AT_ONCE

# An error that nobody has foreseen may pass by itself. After some three minutes of pauses
# it is taken for a bug, and the customer's other rows go before it.
_MOST_UNFORESEEN = 20

# Beyond the longest that a row may take, so that a lease runs out only when its owner died.
_LEASE_SLACK = timedelta(seconds=10)

_ACTOR = "parcours"


class Dispatcher:
    """Runs until stopped. Any number of them may run, in one process or in many."""

    def __init__(self, services: Services, client: Client) -> None:
        self._services = services
        self._database: Database = services.database
        self._courier = Courier(
            client,
            partial(take_own, services),
            task_queue=services.settings.task_queue,
            rpc_timeout=services.settings.rpc_timeout,
        )
        self._flying: dict[asyncio.Task[Outcome], OutboxRow] = {}
        self._landed: list[tuple[OutboxRow, Outcome]] = []
        self._unanswered = 0
        self._asked_at: datetime | None = None  # whether it is back
        self._stopping = False

    async def run(self) -> None:
        """Carry what comes, until `stop`."""
        async with listening(self._database, self._services.woken.set):
            await self._run()

    async def _run(self) -> None:
        waker = asyncio.create_task(self._services.woken.wait())
        try:
            while not (self._stopping and not self._flying and not self._landed):
                if waker.done():
                    self._services.woken.clear()
                    waker = asyncio.create_task(self._services.woken.wait())
                try:
                    await self._turn()
                except (SQLAlchemyError, OSError) as error:  # what landed is kept for next time
                    _log.warning("the store is away", error=kind_of(error))
                    if self._stopping:
                        return  # its rows are free when their leases end, and may be carried twice
                    await self._wait(waker, landings=False)
                    continue
                await self._wait(waker, landings=True)
        finally:
            waker.cancel()
            for task in self._flying:
                task.cancel()

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is under way has landed."""
        self._stopping = True
        self._services.woken.set()

    async def drain(self) -> int:
        """Carry everything that can be carried now; how many rows Temporal has heard.

        For tests and simulations, in place of `run`. Rows that met trouble stay for later:
        `store.outbox.backlog` counts them.
        """
        heard = 0
        while True:
            landed = [outcome for _, outcome in self._landed]
            heard += sum(isinstance(outcome, Done | Declined) for outcome in landed)
            if not await self._turn() and not self._flying:
                return heard
            await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
            self._collect()

    async def _turn(self) -> bool:
        """Write what has landed and send off what is next; whether anything was sent off."""
        self._collect()
        now = self._services.wall()
        room = self._room(now)
        if room <= 0 and not self._landed:
            return False  # a transaction for nothing
        # Rows that a crash of the database makes pending again are carried again, harmlessly.
        async with self._database.transaction(durable=False) as session:
            plain = [row.id for row, outcome in self._landed if outcome == Done()]
            if plain:
                await outbox.mark_done(session, [n for n in plain if n is not None], now)
            for row, outcome in self._landed:
                if outcome != Done():
                    await self._write(session, row, outcome, now)
            lease = self._courier.longest + _LEASE_SLACK
            taken = await outbox.heads(session, room, now, lease) if room > 0 else []
            inputs = await outbox.inputs(session, taken)
        for row, outcome in self._landed:
            self._services.metrics.dispatched(row, outcome, now)
        self._landed = []
        for row in taken:
            carrying = self._courier.carry(row, inputs.get(row.enrollment_id or ""))
            self._flying[asyncio.create_task(carrying)] = row
        return bool(taken)

    def _room(self, now: datetime) -> int:
        """How many rows may be sent off now."""
        if self._stopping:
            return 0
        if self._unanswered < _AWAY_AFTER:
            return _AT_ONCE - len(self._flying)
        just_asked = self._asked_at is not None and abs(now - self._asked_at) < _POLL
        if self._flying or just_asked:
            return 0
        self._asked_at = now
        return 1

    def _collect(self) -> None:
        for task in [task for task in self._flying if task.done()]:
            outcome = task.result()
            unanswered = isinstance(outcome, Trouble) and outcome.unanswered
            self._unanswered = self._unanswered + 1 if unanswered else 0
            self._landed.append((self._flying.pop(task), outcome))

    async def _wait(self, waker: asyncio.Task[bool], *, landings: bool) -> None:
        """Until there may be something to do."""
        awaited: set[asyncio.Task[bool] | asyncio.Task[Outcome]] = {waker}
        if landings:
            awaited |= self._flying.keys()
        await asyncio.wait(
            awaited, timeout=_POLL.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
        if landings and len(self._flying) > _MANY:
            await asyncio.sleep(_GATHERING.total_seconds())

    async def _write(
        self, session: AsyncSession, row: OutboxRow, outcome: Outcome, now: datetime
    ) -> None:
        """What became of a row."""
        assert row.id is not None  # it was read
        told = _log.bind(row=row.id, kind=row.kind.value)
        match outcome:
            case Done(note=note):  # one without a note is written with all the others
                told.info("carried, with nothing to do", note=note)
                await outbox.mark_done(session, [row.id], now)
            case Declined(why=why):
                told.info("declined")
                await self._note_declined(session, row, why, now)
                await outbox.mark_done(session, [row.id], now)
            case Trouble(error=error, known=known):
                told.warning("not carried yet", error=_kind(error), attempts=row.attempts + 1)
                if not known and row.attempts + 1 >= _MOST_UNFORESEEN:
                    await outbox.park(session, row.id, now, error)
                else:
                    await outbox.retry_later(session, row.id, now + _pause(row.attempts), error)
            case Hopeless(reason=reason):
                told.error("put aside", reason=_kind(reason))
                await outbox.park(session, row.id, now, reason)
            case _:
                assert_never(outcome)

    async def _note_declined(
        self, session: AsyncSession, row: OutboxRow, why: str, now: datetime
    ) -> None:
        """The person was answered long ago, so the audit log says what came of it."""
        assert row.id is not None  # it was read
        await customers.hold(session, row.customer_id)
        owner = await outbox.owner(session, row.id)
        if owner is None:
            return  # erased meanwhile: nobody is left to note it about
        await customers.hold(session, owner)  # joined with somebody else meanwhile, perhaps
        update, arg = str(row.payload.get("update")), row.payload.get("arg") or {}
        if row.kind is OutboxKind.UPDATE and update == SKIP and row.enrollment_id is not None:
            with suppress(KeyError):
                await enrollments.unskip(session, row.enrollment_id, arg["step"])
        await audit.record(
            session,
            AuditEntry(
                at=now,
                actor=_ACTOR,
                action=f"{update}.declined",
                enrollment_id=row.enrollment_id,
                customer_id=owner,
                details={"why": why, "arg": arg},
            ),
        )


def _kind(told: str) -> str:
    """What a log may say of trouble: the kind before the colon; the row has the whole text."""
    return told.partition(":")[0]


def _pause(attempts: int) -> timedelta:
    """Twice as long each time, and never the same for two rows that failed together."""
    pause = min(_FIRST_PAUSE * 2 ** min(attempts, 10), _LONGEST_PAUSE)
    return timedelta(seconds=pause.total_seconds() * random.uniform(0.5, 1.0))

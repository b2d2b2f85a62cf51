"""Stop buttons as a person uses them: press one, see them, start again.

Pressing is one row and the wait for those who looked before it (`store.overlap`); from the
answer on nothing is claimed. To start again is to lift the row first: who is woken before
that would only be stopped again. Then all who wait and whom no other button stops are given
their turns, a page a transaction. It may be broken off anywhere: whoever starts again goes
on with those who are left, whether or not there is still a button to lift.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.errors import BadRequestError, NotFoundError
from api.services import Services
from engine.clock import journey_time
from engine.stops import Outgoing, StopScope, Target, stops
from store import audit, broadcasts, customers, enrollments, held, journeys, overlap
from store import stops as rows
from store.tables import AuditEntry, OutboxRow, Stop

# How many a second go on by default: what a morning's backlog of a thousand takes a minute
# for, and what providers and the people who answer replies can bear.
RATE = 20.0

# Slower than one in a quarter of an hour is a stop, faster than this nobody sends.
SLOWEST, FASTEST = 0.001, 10_000.0

# In a transaction; some tens of milliseconds, in which SQLite's other writers wait.
_PAGE = 200

# By which a message can be stopped: those of `engine.gate`, traits being no channel.
CHANNELS = ("email", "sms", "post", "webhook")


@dataclass(frozen=True)
class Started:
    """What came of starting again: the buttons that were lifted, and how many go on when."""

    lifted: tuple[Stop, ...]
    woken: int
    last_at: datetime | None  # when the last of them has its turn (wall)


@dataclass(frozen=True)
class Standing:
    """The buttons, those in force first, and how many messages wait."""

    stops: tuple[Stop, ...]
    waiting: int


class Stopping:
    """The buttons, in the hands of one actor."""

    def __init__(self, services: Services, actor: str) -> None:
        self._services = services
        self._actor = actor

    async def stop(self, target: Target, why: str | None) -> Stop:
        """Stop it; it holds when this returns. Raises BadRequestError, NotFoundError.

        StillUnderWayError if it holds, but not yet for all.
        """
        _check_shape(target)
        async with self._services.database.transaction() as session:
            await self._check_exists(session, target)
            row, is_new = await rows.press(session, target, self._services.wall(), self._actor, why)
            if is_new:
                await self._note(session, "stop", row)
        await overlap.end_of_earlier(self._services.database)
        return row

    async def start(self, target: Target, rate: float = RATE) -> Started:
        """Let it go on, `rate` a second. Raises BadRequestError.

        Also wakes those whom an earlier start has left waiting, if nothing stops them.
        """
        _check_shape(target)
        check_rate(rate)
        async with self._services.database.transaction() as session:
            lifted = await rows.lift(session, target, self._services.wall(), self._actor)
            for row in lifted:
                await self._note(session, "start", row)
        # Who has read the button is about to put somebody by, whom the pages must find.
        await overlap.end_of_earlier(self._services.database)
        return await self._wake(lifted, rate)

    async def start_number(self, stop_id: int, rate: float = RATE) -> Started:
        """Lift the button of that number. Raises NotFoundError."""
        async with self._services.database.reading() as session:
            row = await rows.get(session, stop_id)
        if row is None:
            raise NotFoundError(f"there is no stop {stop_id}", code="no_such_stop")
        return await self.start(row.target, rate)

    async def _wake(self, lifted: list[Stop], rate: float) -> Started:
        woken, after, last = 0, 0, None
        waiting: set[str] = set()  # broadcasts that sleep until the grace of these was over
        while True:
            async with self._services.database.transaction() as session:
                page = await held.page(session, after, _PAGE)
                turns = await self._wake_page(session, page, timedelta(seconds=1 / rate))
            waiting.update(filter(None, map(held.broadcast_of, page)))
            woken += len(turns)
            last = max(turns.values(), default=last)
            if turns:
                self._services.woken.set()
            if len(page) < _PAGE:
                await self._wake_broadcasts(waiting)
                return Started(tuple(lifted), woken, last)
            after = _number(page[-1])

    async def _wake_broadcasts(self, names: Collection[str]) -> None:
        """Have them look again. By themselves: their row is held before any customer is."""
        for name in sorted(names):
            async with self._services.database.transaction() as session:
                row = await broadcasts.hold(session, name)
                if row is not None:
                    row.changed_at = self._services.wall()

    async def _wake_page(
        self, session: AsyncSession, page: list[OutboxRow], apart: timedelta
    ) -> dict[int, datetime]:
        """Give those of a page their turns who are free to go on; when each has its own."""
        now = self._services.wall()
        await customers.lock_known(session, {row.customer_id for row in page}, now, make=False)
        mine = await held.still(session, [_number(row) for row in page])
        stopped = await rows.targets(session)
        lapsed = [_number(row) for row in mine if row.not_before_at < now]
        free = [
            row
            for row in mine
            if row.not_before_at >= now and not _is_stopped(held.outgoing(row), stopped)
        ]
        before = await held.last_turn(session)
        first = now if before is None else max(now, before + apart)
        turns = {_number(row): first + n * apart for n, row in enumerate(free)}
        untold = [_number(row) for row in free if held.broadcast_of(row) is not None]
        told = {number: at for number, at in turns.items() if number not in untold}
        await held.let_go(session, told)
        await held.let_lapse(session, [*lapsed, *untold], now)
        for row in free:
            assert row.enrollment_id is not None  # as it was put by
            turn = journey_time(self._services.clock, turns[_number(row)])
            await enrollments.let_go_on(session, row.enrollment_id, turn)
        return turns

    async def _check_exists(self, session: AsyncSession, target: Target) -> None:
        """A slip of the pen must not look like a button that holds."""
        if target.channel is not None and target.channel not in CHANNELS:
            known = ", ".join(f"`{each}`" for each in CHANNELS)
            raise NotFoundError(
                f"there is no channel `{target.channel}`; there are {known}",
                code="no_such_channel",
            )
        if target.journey is None:
            return
        steps = await journeys.steps_ever(session, target.journey)
        if not steps:
            known = ", ".join(f"`{name}`" for name in await journeys.ever(session)) or "none"
            raise NotFoundError(
                f"there never was a journey `{target.journey}`; there is {known}",
                code="no_such_journey",
            )
        if target.step is not None and target.step not in steps:
            known = ", ".join(f"`{name}`" for name in steps)
            raise NotFoundError(
                f"`{target.journey}` has no step `{target.step}`; it has {known}",
                code="no_such_step",
            )

    async def _note(self, session: AsyncSession, action: str, row: Stop) -> None:
        details = {"what": row.target.in_words, "number": row.id}
        if action == "stop" and row.why is not None:
            details["why"] = row.why
        entry = AuditEntry(
            at=self._services.wall(), actor=self._actor, action=action, details=details
        )
        await audit.record(session, entry)


async def standing(services: Services, limit: int = 100) -> Standing:
    """The buttons as they are, and how many messages wait."""
    async with services.database.reading() as session:
        return Standing(
            tuple(await rows.newest(session, limit)), await held.count(session, services.wall())
        )


_NEEDS = {
    StopScope.EVERYTHING: frozenset[str](),
    StopScope.MARKETING: frozenset[str](),
    StopScope.CHANNEL: frozenset({"channel"}),
    StopScope.JOURNEY: frozenset({"journey"}),
    StopScope.STEP: frozenset({"journey", "step"}),
}


def check_rate(rate: float) -> None:
    """Raise BadRequestError for one that makes no sense."""
    if not SLOWEST <= rate <= FASTEST:
        raise BadRequestError(
            f"the rate is how many go on a second: from {SLOWEST:g} to {FASTEST:g}"
        )


def _check_shape(target: Target) -> None:
    needs = _NEEDS[target.scope]
    given = {name for name in ("journey", "step", "channel") if getattr(target, name) is not None}
    if given != needs:
        told = " and ".join(f"`{name}`" for name in sorted(needs)) or "nothing else"
        raise BadRequestError(f"`{target.scope}` needs {told}", code="bad_stop")


def _is_stopped(message: Outgoing, in_force: tuple[Target, ...]) -> bool:
    return any(stops(target, message) for target in in_force)


def _number(row: OutboxRow) -> int:
    assert row.id is not None  # it was read
    return row.id

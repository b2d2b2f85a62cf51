"""Broadcasts: how far each has got, and whom its next page is about.

Decides nothing about customers. Whoever does a page holds the broadcast's row, reads from it
whether to go on, and moves the cursor in the transaction in which the page is done; so a stop
that is committed holds, and a crash repeats nothing. The surprising fact: with a local time
everybody is gone through several times, once for each hour at which somebody is due.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Self

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from engine.keys import is_ours
from engine.reasons import Decision
from store.among import among
from store.inserting import insert_new, sql_table
from store.tables import (
    Broadcast,
    BroadcastState,
    Customer,
    Enrollment,
    EnrollmentState,
    Event,
    Message,
)

# Some kilobytes a row, which nobody here reads.
_WITHOUT_TRAIT_TIMES = defer(col(Customer.trait_times), raiseload=True)  # type: ignore[arg-type]

_IN, _OUT, _ROUND = "in", "out", "round"
_ROUND_TIMES = ("until", "after", "since", "began_at")


@dataclass(frozen=True)
class Round:
    """One time through all customers: those are taken up who are due up to `until`.

    Not those who were due up to `after`: they were in an earlier round, but for those whose
    row has changed `since` that one began, as when they travelled. `ahead` are the times at
    which others are due. `until` None: it has yet to begin. `since` and `began_at` are wall.
    """

    until: datetime | None = None
    after: datetime | None = None
    since: datetime | None = None
    began_at: datetime | None = None
    ahead: tuple[datetime, ...] = ()

    @classmethod
    def of(cls, row: Broadcast) -> Self:
        """The round that a broadcast is in."""
        told = row.counted.get(_ROUND, {})
        ahead = tuple(datetime.fromisoformat(each) for each in told.get("ahead", ()))
        return cls(**{each: _time(told.get(each)) for each in _ROUND_TIMES}, ahead=ahead)

    def kept(self) -> dict[str, Any]:
        """As it is kept."""
        times = ((each, getattr(self, each)) for each in _ROUND_TIMES)
        told: dict[str, Any] = {each: at.isoformat() for each, at in times if at is not None}
        return told | {"ahead": [each.isoformat() for each in self.ahead]}


@dataclass(frozen=True)
class Counted:
    """How many got it so far, and how many of the others did not, by reason."""

    inside: int = 0
    out: Mapping[str, int] | None = None

    @classmethod
    def of(cls, row: Broadcast) -> Self:
        """What a broadcast has counted."""
        return cls(row.counted.get(_IN, 0), dict(row.counted.get(_OUT, {})))


@dataclass(frozen=True)
class Decided:
    """What became of the messages of a broadcast that sends one alone."""

    sent: int
    unknown: int
    not_sent: Mapping[str, int]


async def add(session: AsyncSession, row: Broadcast) -> bool:
    """Begin a broadcast; False if its name is taken."""
    return bool(await insert_new(session, [row], unique="id"))


async def get(session: AsyncSession, name: str) -> Broadcast | None:
    """One broadcast, as it is now."""
    return await session.get(Broadcast, name, populate_existing=True)


async def hold(session: AsyncSession, name: str) -> Broadcast | None:
    """One broadcast, which nobody else changes until the transaction ends."""
    statement = select(Broadcast).where(col(Broadcast.id) == name).with_for_update()
    return await session.scalar(statement.execution_options(populate_existing=True))


async def state_of(session: AsyncSession, name: str) -> BroadcastState | None:
    """How it stands now."""
    return await session.scalar(select(col(Broadcast.state)).where(col(Broadcast.id) == name))


async def newest(session: AsyncSession, limit: int = 100) -> list[Broadcast]:
    """The broadcasts, newest first."""
    newest_first = col(Broadcast.created_at).desc(), col(Broadcast.id)
    return list(await session.scalars(select(Broadcast).order_by(*newest_first).limit(limit)))


async def unfinished(session: AsyncSession) -> list[Broadcast]:
    """Those for which there is something to do, or will be once somebody resumes them."""
    has_open = (
        select(col(Enrollment.id)).where(*_open_of(col(Broadcast.id))).exists()
    )  # of one that was stopped
    found = await session.scalars(
        select(Broadcast).where(
            or_(
                col(Broadcast.state).in_([BroadcastState.RUNNING, BroadcastState.PAUSED]),
                (col(Broadcast.state) == BroadcastState.STOPPED) & has_open,
            )
        )
    )
    return list(found)


def what(row: Broadcast) -> str:
    """What is sent or told, as whoever began it named it."""
    return f"{row.journey}/{row.step}" if row.step is not None else row.journey or row.event or ""


def change(row: Broadcast, state: BroadcastState, at: datetime, by: str) -> None:
    """Have a held broadcast stand so from `at` (wall) on."""
    row.state, row.changed_at, row.changed_by = state, at, by
    if state in (BroadcastState.STOPPED, BroadcastState.DONE):
        row.cursor = None  # it names a customer, and nobody needs it any more


def note(row: Broadcast, taken: int, out: Mapping[str, int], round_: Round) -> None:
    """Add to what a held broadcast has counted."""
    before = Counted.of(row)
    told = dict(before.out or {})
    for reason, number in sorted(out.items()):
        told[reason] = told.get(reason, 0) + number
    row.counted = {_IN: before.inside + taken, _OUT: told, _ROUND: round_.kept()}


async def forget(session: AsyncSession, customer_ids: Collection[str]) -> None:
    """Name none of these, who are erased: the one before them is as good a place to go on."""
    found = await session.scalars(select(Broadcast).where(col(Broadcast.cursor).in_(customer_ids)))
    for row in list(found):
        row.cursor = await session.scalar(
            select(func.max(col(Customer.id))).where(
                col(Customer.id) < row.cursor, col(Customer.id).not_in(customer_ids)
            )
        )
    await session.flush()


# --- Whom the next page is about ----------------------------------------------------------


async def page(session: AsyncSession, after: str | None, limit: int) -> list[Customer]:
    """The next rows by id. Among them may be those whom nothing concerns (`is_somebody`)."""
    statement = select(Customer).options(_WITHOUT_TRAIT_TIMES).order_by(col(Customer.id))
    if after is not None:
        statement = statement.where(col(Customer.id) > after)
    return list(await session.scalars(statement.limit(limit)))


def is_somebody(row: Customer) -> bool:
    """Whether the row is a customer who is known: no other's name, not anonymous, not erased."""
    return row.merged_into is None and row.erased_at is None and not is_ours(row.id)


async def lock(session: AsyncSession, customer_ids: Sequence[str]) -> dict[str, Customer]:
    """Lock those of them who are still somebody, in order of id."""
    statement = _lock(session.get_bind().dialect.name)
    found = await session.scalars(statement, {"ids": sorted(customer_ids)})
    return {row.id: row for row in found if is_somebody(row)}


async def had_as_another(
    session: AsyncSession, customer_ids: Collection[str], event_id: Callable[[str], str]
) -> frozenset[str]:
    """Those who got it before they were joined with the customer whom they are now.

    `event_id` is by which it is known of each id what was done for it.
    """
    statement = _names(session.get_bind().dialect.name)
    names = await session.execute(statement, {"ids": sorted(customer_ids)})
    owners = {event_id(row.id): row.merged_into for row in names}
    if not owners:
        return frozenset()
    told = select(col(Event.message_id)).where(col(Event.message_id).in_(owners))
    enrolled = select(col(Enrollment.start_event_id)).where(
        col(Enrollment.customer_id).in_(set(owners.values())),
        col(Enrollment.start_event_id).in_(owners),
    )
    found = [*await session.scalars(told), *await session.scalars(enrolled)]
    return frozenset(owners[each] for each in found)


@cache
def _lock(dialect: str) -> Select[Customer]:
    statement = select(Customer).where(among(dialect, sql_table(Customer).c.id, "ids"))
    statement = statement.order_by(col(Customer.id)).with_for_update()
    return statement.options(_WITHOUT_TRAIT_TIMES).execution_options(populate_existing=True)


@cache
def _names(dialect: str) -> Select[str, str | None]:
    whose = among(dialect, sql_table(Customer).c.merged_into, "ids")
    return select(col(Customer.id), col(Customer.merged_into)).where(whose)


# --- One message alone --------------------------------------------------------------------


async def due(
    session: AsyncSession, name: str, at: datetime, limit: int
) -> list[tuple[Enrollment, Customer]]:
    """Those of a broadcast's messages whose time has come at `at`, first come first; and to whom.

    Not locked: who sends them looks again.
    """
    found = await session.execute(
        select(Enrollment, Customer)
        .join(Customer, col(Customer.id) == col(Enrollment.customer_id))
        .options(_WITHOUT_TRAIT_TIMES)
        .where(*_open_of(name), col(Enrollment.next_at) <= at)
        .order_by(col(Enrollment.next_at), col(Enrollment.id))
        .limit(limit)
    )
    return [(enrollment, customer) for enrollment, customer in found]


async def next_due(session: AsyncSession, name: str) -> datetime | None:
    """When the next of its open messages is due; None if none is open."""
    return await session.scalar(select(func.min(col(Enrollment.next_at))).where(*_open_of(name)))


async def count_open(session: AsyncSession, name: str) -> int:
    """How many of its messages are yet to be sent."""
    counted = select(func.count()).select_from(Enrollment)
    return await session.scalar(counted.where(*_open_of(name))) or 0


async def open_page(session: AsyncSession, name: str, limit: int) -> list[tuple[str, str]]:
    """Ids of open messages, with whose they are."""
    found = await session.execute(
        select(col(Enrollment.id), col(Enrollment.customer_id))
        .where(*_open_of(name))
        .order_by(col(Enrollment.next_at), col(Enrollment.id))
        .limit(limit)
    )
    return [(row.id, row.customer_id) for row in found]


async def decided(session: AsyncSession, name: str) -> Decided:
    """What became of its messages. Reads all enrollments: for a person who asks, now and then."""
    found = await session.execute(
        select(col(Message.decision), col(Message.reason), func.count())
        .join(Enrollment, col(Enrollment.id) == col(Message.enrollment_id))
        .where(col(Enrollment.broadcast_id) == name, col(Message.decision).is_not(None))
        .group_by(col(Message.decision), col(Message.reason))
    )
    numbers = {(decision, reason): number for decision, reason, number in found}
    return Decided(
        sent=numbers.get((Decision.SENT, None), 0),
        unknown=numbers.get((Decision.UNKNOWN, None), 0),
        not_sent={
            reason.value: number for (_, reason), number in numbers.items() if reason is not None
        },
    )


async def put_off(session: AsyncSession, enrollment_id: str, at: datetime) -> None:
    """Have a message in trouble tried again at `at` (journey time)."""
    await session.execute(
        update(Enrollment)
        .where(col(Enrollment.id) == enrollment_id, col(Enrollment.state) == EnrollmentState.OPEN)
        .values(next_at=at)
        .execution_options(synchronize_session=False)
    )


def _open_of(name: Any) -> tuple[Any, Any]:
    """As the partial index has it."""
    return col(Enrollment.broadcast_id) == name, col(Enrollment.state) == EnrollmentState.OPEN


def _time(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)

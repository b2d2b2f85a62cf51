"""What customers did: accepted once, counted, and looked up by conditions.

Knows nothing of `where` conditions: it hands out the events of a name, and the gate
decides which of them match. All times here are event times.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Executable, Select, and_, bindparam, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.among import among
from store.built_once import run
from store.inserting import insert_for, insert_values, parameters, sql_table, values_of
from store.tables import Customer, Event, EventKind, EventStats

# The calls that count as using the product where a journey does not say which events do.
ACTIVITY = frozenset({EventKind.TRACK, EventKind.PAGE, EventKind.SCREEN})

_TABLE = sql_table(Event)

_SET_DISPOSITION = (
    update(_TABLE)
    .where(_TABLE.c.message_id == bindparam("which"))
    .values(disposition=bindparam("told"))
)

# Those of some names, oldest first. A text for each number of names, which are few, as many as
# journeys ask for at once: only so does the index serve that has the name behind the customer.
_NAMED = (
    select(Event)
    .where(col(Event.name).in_(bindparam("names", expanding=True)))
    .order_by(col(Event.occurred_at), col(Event.message_id))
)


@dataclass(frozen=True)
class EventFilter:
    """Which events to list; None does not filter. `since` is when they were received."""

    customer_id: str | None = None
    kind: EventKind | None = None
    name: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class EventPlace:
    """A place in the list of what was received, newest first: what comes after it is older."""

    received_at: datetime
    occurred_at: datetime
    message_id: str


class NewEvent(NamedTuple):
    """An event to be stored, as `store.tables.Event` describes it.

    Not the row's own class: making one of those takes ten times as long.
    """

    message_id: str
    customer_id: str
    kind: EventKind
    name: str | None
    properties: Mapping[str, Any]
    context: Mapping[str, Any]
    occurred_at: datetime
    received_at: datetime


async def accept(session: AsyncSession, events: Sequence[NewEvent]) -> frozenset[str]:
    """Store events of locked customers and count them; the message ids that were new.

    A repeated message id, also within `events`, changes nothing.
    """
    new = await insert(session, events)
    await count(session, events, new)
    return new


async def insert(session: AsyncSession, events: Sequence[NewEvent]) -> frozenset[str]:
    """`accept` without the counting: that is `count`'s, in the same transaction."""
    values = [event._asdict() for event in events]
    return frozenset(await insert_values(session, Event, values, unique="message_id"))


async def count(session: AsyncSession, events: Sequence[NewEvent], new: Collection[str]) -> None:
    """Add those of the events that are `new`, by message id, to their customers' statistics."""
    first = {event.message_id: event for event in reversed(events) if event.message_id in new}
    counted: dict[tuple[str, str], dict[str, Any]] = {}
    for event in first.values():
        if event.name is None:
            continue
        row = counted.setdefault(
            (event.customer_id, event.name),
            {
                "customer_id": event.customer_id,
                "name": event.name,
                "first_at": event.occurred_at,
                "last_at": event.occurred_at,
                "count": 0,
            },
        )
        row["first_at"] = min(row["first_at"], event.occurred_at)
        row["last_at"] = max(row["last_at"], event.occurred_at)
        row["count"] += 1
    await _add(session, [counted[key] for key in sorted(counted)])


async def get(session: AsyncSession, message_id: str) -> Event | None:
    """One event."""
    return await session.get(Event, message_id)


async def dispositions(
    session: AsyncSession, message_ids: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """What is kept of what these events did; those of which nothing is are left out."""
    statement = _dispositions(session.get_bind().dialect.name)
    rows = await run(session, statement, {"ids": sorted(message_ids)})
    return {row.message_id: row.disposition for row in rows}


async def set_dispositions(
    session: AsyncSession, told: Mapping[str, dict[str, Any] | None]
) -> None:
    """Note what routing made of events, by message id."""
    rows: list[Mapping[str, Any]] = [
        {"which": message_id, "told": each} for message_id, each in sorted(told.items())
    ]
    await run(session, _SET_DISPOSITION, parameters(rows))


async def happened(
    session: AsyncSession,
    customer_id: str,
    names: Collection[str],
    since: datetime | None = None,
) -> list[Event]:
    """The customer's events of these names from `since` on (inclusive), oldest first."""
    statement = _NAMED.where(col(Event.customer_id) == customer_id)
    if since is not None:
        statement = statement.where(col(Event.occurred_at) >= since)
    return list(await session.scalars(statement, {"names": sorted(set(names))}))


async def of_customers(
    session: AsyncSession, customer_ids: Collection[str], names: Collection[str]
) -> dict[str, list[Event]]:
    """The events of these names of each of these customers, oldest first; none is left out."""
    found: dict[str, list[Event]] = {each: [] for each in customer_ids}
    if not found or not names:
        return found
    statement = _of_customers(session.get_bind().dialect.name)
    given = {"ids": sorted(found), "names": sorted(set(names))}
    for row in await session.scalars(statement, given):
        found[row.customer_id].append(row)
    return found


async def of_company(
    session: AsyncSession, company_id: str, names: Collection[str], since: datetime
) -> list[Event]:
    """The events of these names of all present members from `since` on, oldest first."""
    found = await session.scalars(
        select(Event)
        .join(Customer, col(Customer.id) == col(Event.customer_id))
        .where(
            col(Customer.company_id) == company_id,
            col(Event.name).in_(set(names)),
            col(Event.occurred_at) >= since,
        )
        .order_by(col(Event.occurred_at), col(Event.message_id))
    )
    return list(found)


async def last_activity(
    session: AsyncSession, customer_id: str, names: Collection[str]
) -> datetime | None:
    """When the customer last did one of these, by the statistics.

    For journeys that name their activity without a `where` or a `key`; where they name
    none, it is the customer's `last_seen_at`.
    """
    return await session.scalar(
        select(func.max(EventStats.last_at)).where(
            col(EventStats.customer_id) == customer_id, col(EventStats.name).in_(set(names))
        )
    )


async def newest(
    session: AsyncSession,
    customer_id: str,
    *,
    names: Collection[str] | None = None,
    kinds: Collection[EventKind] = ACTIVITY,
    limit: int = 100,
    offset: int = 0,
) -> list[Event]:
    """The customer's events, newest first, a page at a time; of these names if given.

    What a journey with a `where` on its activity, or with a `key`, looks through.
    """
    statement = select(Event).where(
        col(Event.customer_id) == customer_id, col(Event.kind).in_(set(kinds))
    )
    if names is not None:
        statement = statement.where(col(Event.name).in_(set(names)))
    newest_first = col(Event.occurred_at).desc(), col(Event.message_id).desc()
    found = await session.scalars(statement.order_by(*newest_first).limit(limit).offset(offset))
    return list(found)


async def recent(session: AsyncSession, customer_id: str, limit: int = 50) -> list[Event]:
    """The customer's newest events of every kind, for people to look at."""
    return await newest(session, customer_id, kinds=frozenset(EventKind), limit=limit)


async def received(
    session: AsyncSession,
    which: EventFilter,
    *,
    limit: int = 100,
    after: EventPlace | None = None,
) -> list[Event]:
    """Anybody's events in the order they were received, newest first; `after` a place if given.

    What was received at once is in the order in which it happened.
    """
    received_at, occurred_at = col(Event.received_at), col(Event.occurred_at)
    message_id = col(Event.message_id)
    statement = select(Event)
    if which.customer_id is not None:
        statement = statement.where(col(Event.customer_id) == which.customer_id)
    if which.kind is not None:
        statement = statement.where(col(Event.kind) == which.kind)
    if which.name is not None:
        statement = statement.where(col(Event.name) == which.name)
    if which.since is not None:
        statement = statement.where(received_at >= which.since)
    if after is not None:
        statement = statement.where(
            received_at <= after.received_at,  # for the index, which can't see into the rest
            or_(
                received_at < after.received_at,
                occurred_at < after.occurred_at,
                and_(occurred_at == after.occurred_at, message_id < after.message_id),
            ),
        )
    newest_first = received_at.desc(), occurred_at.desc(), message_id.desc()
    found = await session.scalars(statement.order_by(*newest_first).limit(limit))
    return list(found)


@cache
def _dispositions(dialect: str) -> Executable:
    which, told = _TABLE.c.message_id, _TABLE.c.disposition
    return select(which, told).where(among(dialect, which, "ids"), told.is_not(None))


@cache
def _of_customers(dialect: str) -> Select[Event]:
    return _NAMED.where(among(dialect, _TABLE.c.customer_id, "ids"))


async def add_stats(session: AsyncSession, rows: Iterable[EventStats]) -> None:
    """Add these statistics to those there are; one row a customer and name."""
    ordered = sorted(rows, key=lambda row: (row.customer_id, row.name))
    await _add(session, [dict(values_of(row)) for row in ordered])


async def _add(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    connection = await session.connection()
    await connection.execute(_add_up(connection.dialect.name), parameters(rows))


@cache  # putting it together takes as long as running it for a batch
def _add_up(dialect: str) -> Executable:
    stats = sql_table(EventStats).c
    statement = insert_for(dialect, EventStats)
    new = statement.excluded
    # `min` and `max` of two values have other names on PostgreSQL; `case` has one on both.
    return statement.on_conflict_do_update(
        index_elements=["customer_id", "name"],
        set_={
            "first_at": case((new.first_at < stats.first_at, new.first_at), else_=stats.first_at),
            "last_at": case((new.last_at > stats.last_at, new.last_at), else_=stats.last_at),
            "count": stats.count + new.count,
        },
    )

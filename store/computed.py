"""What is computed of customers: one row each, and which of them time alone will change next.

Decides nothing about what is computed; `engine.computed` does. The surprising fact: a row is
right only under the definitions whose version it names. Under others it is as if there were
none, and whoever needs it computes it anew from the customer's events.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Executable, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.computed import Computations, State
from engine.keys import ANONYMOUS
from engine.localtime import zone
from engine.matching import Evaluate, PastEvent
from engine.routing import zone_of
from engine.seen import Seen
from store import events
from store.among import among, rows_given, time_given
from store.built_once import run
from store.inserting import insert_for, sql_table
from store.json_text import json_text
from store.tables import Computed, Customer, Event


class Kept(NamedTuple):
    """What is kept of a customer, as `store.tables.Computed` describes it.

    Not the row's own class: making one of those takes thirty times as long.
    """

    customer_id: str
    by: str
    state: State
    inside: Sequence[str]
    computed_at: datetime
    changes_at: datetime | None

    def given(self, dialect: str) -> dict[str, Any]:
        """The columns, as `store.among` takes them."""
        return {
            "customer_id": self.customer_id,
            "by": self.by,
            "state": self.state,
            "inside": self.inside,
            "computed_at": time_given(dialect, self.computed_at),
            "changes_at": time_given(dialect, self.changes_at),
        }


class WithTraits(NamedTuple):
    """What is kept, and what else of its customer segments hang on: their own traits and zone."""

    kept: Kept
    traits: Mapping[str, Any]
    context_timezone: str | None


async def of_customers(session: AsyncSession, customer_ids: Collection[str]) -> Mapping[str, Kept]:
    """What is kept of these customers, by whatever definitions."""
    if not customer_ids:
        return {}
    statement = _of_customers(session.get_bind().dialect.name)
    found = await run(session, statement, {"ids": sorted(customer_ids)})
    return {row[0]: Kept._make(row) for row in found}


async def with_traits(
    session: AsyncSession, customer_ids: Collection[str]
) -> Mapping[str, WithTraits]:
    """What is kept of these customers, each with the customer's own traits."""
    if not customer_ids:
        return {}
    statement = _with_traits(session.get_bind().dialect.name)
    found = await run(session, statement, {"ids": sorted(customer_ids)})
    return {row[0]: WithTraits(Kept(*row[:6]), *row[6:]) for row in found}


async def seen(
    session: AsyncSession,
    customer: Customer,
    own: Mapping[str, Any],
    row: Kept | Computed | None,
    by: Computations,
    default_zone: str,
    at: datetime,
    evaluate: Evaluate,
) -> Seen:
    """The customer as of `at`, by what is kept of them (`row`), or computed anew.

    `own` are their traits without what is computed, `default_zone` the policy's.
    """
    tz = zone(zone_of(customer.traits, customer.context_timezone, default_zone)[0])
    assert tz is not None  # a customer's zone exists
    if row is not None and row.by == by.version:
        return Seen(by, row.state, own, at, tz, evaluate)
    theirs = await events.of_customers(session, [customer.id], by.events)
    return Seen(by, folded(by, theirs[customer.id], evaluate), own, at, tz, evaluate)


def folded(by: Computations, theirs: Iterable[Event], evaluate: Evaluate) -> State:
    """What is to be remembered of these events."""
    state: State = {}
    for event in theirs:
        past = PastEvent(name=event.name or "", at=event.occurred_at, properties=event.properties)
        state = by.fold(state, past, evaluate)
    return state


def written(session: AsyncSession, rows: Iterable[Kept]) -> str:
    """These rows as `keep` takes them: half of its work, and nothing for the database to do."""
    dialect = session.get_bind().dialect.name
    return json_text([row.given(dialect) for row in rows])


async def keep(session: AsyncSession, rows: str) -> None:
    """Keep this (`written`) of locked customers, in place of what was."""
    if rows != _NONE:
        await run(session, _keep(session.get_bind().dialect.name), {"rows": rows})


async def forget(session: AsyncSession, customer_ids: Iterable[str]) -> None:
    """Nothing is computed of these any more."""
    await session.execute(delete(Computed).where(col(Computed.customer_id).in_(set(customer_ids))))


async def due(session: AsyncSession, version: str, now: datetime, limit: int) -> list[str]:
    """Customers whom time alone changes at `now` or has since, those of longest ago first."""
    found = await session.scalars(
        select(col(Computed.customer_id))
        .where(col(Computed.changes_at) <= now, col(Computed.by) == version)
        .order_by(col(Computed.changes_at), col(Computed.customer_id))
        .limit(limit)
    )
    return list(found)


async def left_to_compute(session: AsyncSession, version: str, after: str, limit: int) -> list[str]:
    """Customers of whom nothing is computed by these definitions, in order of id, from `after` on.

    Of visitors and of what are only names of others nothing is ever computed.
    """
    found = await session.scalars(
        select(col(Customer.id))
        .outerjoin(Computed, col(Computed.customer_id) == col(Customer.id))
        .where(
            col(Customer.id) > after,
            col(Customer.id).not_like(f"{ANONYMOUS}%"),
            col(Customer.first_seen_at).is_not(None),
            col(Customer.merged_into).is_(None),
            col(Customer.erased_at).is_(None),
            or_(col(Computed.by).is_(None), col(Computed.by) != version),
        )
        .order_by(col(Customer.id))
        .limit(limit)
    )
    return list(found)


_NONE = json_text([])
_ROWS, _CUSTOMERS = sql_table(Computed), sql_table(Customer)
_COLUMNS = tuple(_ROWS.c[name] for name in Kept._fields)
# Built once for each dialect: putting one together takes longer than running it.


@cache
def _of_customers(dialect: str) -> Executable:
    return select(*_COLUMNS).where(among(dialect, _ROWS.c.customer_id, "ids"))


@cache
def _with_traits(dialect: str) -> Executable:
    return (
        select(*_COLUMNS, _CUSTOMERS.c.traits, _CUSTOMERS.c.context_timezone)
        .join(_CUSTOMERS, _CUSTOMERS.c.id == _ROWS.c.customer_id)
        .where(among(dialect, _ROWS.c.customer_id, "ids"))
    )


@cache
def _keep(dialect: str) -> Executable:
    columns, rows = [each.name for each in _COLUMNS], rows_given(dialect, _COLUMNS, "rows")
    statement = insert_for(dialect, Computed).from_select(columns, rows)
    changed = ("by", "state", "inside", "computed_at", "changes_at")
    return statement.on_conflict_do_update(
        index_elements=["customer_id"],
        set_={name: statement.excluded[name] for name in changed},
    )

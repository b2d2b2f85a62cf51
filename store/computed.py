"""What is computed of customers: one row each, and which of them time alone will change next.

Decides nothing about what is computed; `engine.computed` does. The surprising fact: a row is
right only under the definitions whose version it names. Under others it is as if there were
none, and whoever needs it computes it anew from the customer's events.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Executable, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.computed import Computations, State
from engine.keys import ANONYMOUS
from engine.matching import Evaluate, PastEvent
from store import events
from store.built_once import run
from store.inserting import insert_for, parameters, values_of
from store.tables import Computed, Customer, Event


async def of_customers(
    session: AsyncSession, customer_ids: Collection[str]
) -> Mapping[str, Computed]:
    """The rows there are of these customers, whatever definitions they are by."""
    if not customer_ids:
        return {}
    found = await session.scalars(
        select(Computed)
        .where(col(Computed.customer_id).in_(set(customer_ids)))
        .execution_options(populate_existing=True)
    )
    return {row.customer_id: row for row in found}


async def state_of(
    session: AsyncSession,
    by: Computations,
    evaluate: Evaluate,
    customer_id: str,
    row: Computed | None,
) -> State:
    """What is remembered of a customer's events: as kept, or computed anew."""
    if row is not None and row.by == by.version:
        return row.state
    theirs = await events.of_customers(session, [customer_id], by.events)
    return folded(by, theirs[customer_id], evaluate)


def folded(by: Computations, theirs: Iterable[Event], evaluate: Evaluate) -> State:
    """What is to be remembered of these events."""
    state: State = {}
    for event in theirs:
        past = PastEvent(name=event.name or "", at=event.occurred_at, properties=event.properties)
        state = by.fold(state, past, evaluate)
    return state


async def keep(session: AsyncSession, rows: Sequence[Computed]) -> None:
    """Write the rows of locked customers, over those there are."""
    if rows:
        dialect = session.get_bind().dialect.name
        await run(session, _keep(dialect), parameters([values_of(row) for row in rows]))


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


@cache  # putting it together takes longer than running it
def _keep(dialect: str) -> Executable:
    statement = insert_for(dialect, Computed)
    changed = ("by", "state", "inside", "computed_at", "changes_at")
    return statement.on_conflict_do_update(
        index_elements=["customer_id"],
        set_={name: statement.excluded[name] for name in changed},
    )

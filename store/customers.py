"""Customers: their row, which is also their lock, their traits and when they were seen.

Everything that writes about a customer locks them first, so that accepting an exit event
and claiming a message can't cross. The one surprising fact: a trait has a time of its own,
and an `identify` that arrives late changes only what nothing newer has set.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.keys import pseudonym
from store.inserting import insert_new, sql_table
from store.tables import Customer

_TABLE = sql_table(Customer).c

# Built once: putting it together takes longer than running it.
_HOLD = select(_TABLE.id).where(_TABLE.id == bindparam("customer_id")).with_for_update()


async def get(session: AsyncSession, customer_id: str) -> Customer | None:
    """The customer as they are now, not locked."""
    return await session.get(Customer, customer_id)


async def by_pseudonym(session: AsyncSession, name: str) -> Customer | None:
    """The customer whom Temporal knows by this name (`CustomerId`)."""
    return await session.scalar(select(Customer).where(col(Customer.pseudonym) == name))


async def recent(session: AsyncSession, limit: int = 50) -> list[Customer]:
    """Those active last, newest first; those never active come last."""
    newest_first = col(Customer.last_seen_at).desc().nulls_last()
    found = await session.scalars(
        select(Customer).order_by(newest_first, col(Customer.id)).limit(limit)
    )
    return list(found)


async def lock(session: AsyncSession, customer_id: str, at: datetime) -> Customer:
    """Lock the customer until the transaction ends; make the row at `at` if there is none.

    A customer whose `first_seen_at` is None was never seen by `record_seen`. On SQLite the
    transaction itself is the lock: only one writes at a time.
    """
    customer = await _locked(session, customer_id)
    if customer is None:
        await insert_new(session, [_new(customer_id, at)], unique="id")
        customer = await _locked(session, customer_id)
    assert customer is not None  # ours, or that of whoever was faster
    return customer


async def hold(session: AsyncSession, customer_id: str) -> None:
    """Lock a customer who exists until the transaction ends, without reading the row.

    For those who read it afterwards, together with others, or not at all.
    """
    if session.get_bind().dialect.name != "sqlite":
        await session.execute(_HOLD, {"customer_id": customer_id})


async def lock_many(
    session: AsyncSession, customer_ids: Collection[str], at: datetime
) -> dict[str, Customer]:
    """Lock several at once, in an order that two batches can't block each other with.

    All missing rows are made before the first lock is taken, both in order of id.
    """
    ordered = sorted(set(customer_ids))
    await insert_new(session, [_new(each, at) for each in ordered], unique="id")
    statement = select(Customer).where(col(Customer.id).in_(ordered)).order_by(col(Customer.id))
    found = await session.scalars(
        statement.with_for_update().execution_options(populate_existing=True)
    )
    return {customer.id: customer for customer in found}


def record_seen(
    customer: Customer,
    at: datetime,
    *,
    activity: bool,
    timezone: str | None = None,
    locale: str | None = None,
) -> None:
    """Note a call of a locked customer, that happened at `at` (event time).

    `activity`: whether it counts as using the product (track, page, screen). An older call
    that arrives late takes back nothing.
    """
    customer.first_seen_at = min(customer.first_seen_at or at, at)
    if activity:
        customer.last_seen_at = max(customer.last_seen_at or at, at)
    if timezone is not None and _is_news(customer.context_timezone_at, at):
        customer.context_timezone, customer.context_timezone_at = timezone, at
    if locale is not None and _is_news(customer.context_locale_at, at):
        customer.context_locale, customer.context_locale_at = locale, at


def merge_traits(customer: Customer, traits: Mapping[str, Any], at: datetime) -> bool:
    """Set a locked customer's traits as of `at` (event time); None clears one.

    A trait already set or cleared later than `at` keeps what it has. Answers whether
    anything changed.
    """
    held, times = dict(customer.traits), dict(customer.trait_times)
    stamp = at.astimezone(UTC).isoformat(timespec="microseconds")  # sorts as text
    for name, value in traits.items():
        if stamp < times.get(name, ""):
            continue
        times[name] = stamp
        if value is None:
            held.pop(name, None)
        else:
            held[name] = value
    changed = held != customer.traits
    # New dicts, for a change inside the old one would not be noticed and not be written.
    customer.traits, customer.trait_times = held, times
    return changed


async def _locked(session: AsyncSession, customer_id: str) -> Customer | None:
    statement = select(Customer).where(col(Customer.id) == customer_id).with_for_update()
    # What this session may have read before it had the lock is stale.
    return await session.scalar(statement.execution_options(populate_existing=True))


def _new(customer_id: str, at: datetime) -> Customer:
    return Customer(id=customer_id, pseudonym=pseudonym(customer_id), created_at=at, updated_at=at)


def _is_news(known_at: datetime | None, at: datetime) -> bool:
    return known_at is None or at >= known_at

"""Customers: their row, which is also their lock, their traits and when they were seen.

Everything that writes about a customer locks them first, so that accepting an exit event
and claiming a message can't cross. The one surprising fact: a row may be but a name of
another customer (`merged_into`); who wants the customer asks for them with `known`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.keys import pseudonym
from store.inserting import insert_new
from store.suppressions import normal_address
from store.tables import Customer


@dataclass(frozen=True)
class Known:
    """Whom an id means."""

    id: str
    is_erased: bool


async def get(session: AsyncSession, customer_id: str) -> Customer | None:
    """The customer as they are now, not locked."""
    return await session.get(Customer, customer_id)


async def known(session: AsyncSession, customer_id: str) -> Customer | None:
    """The customer whom this id means now, not locked."""
    row = await get(session, customer_id)
    return row if row is None or row.merged_into is None else await get(session, row.merged_into)


async def by_pseudonym(session: AsyncSession, name: str) -> Customer | None:
    """The customer whom Temporal knows by this name (`CustomerId`)."""
    row = await session.scalar(select(Customer).where(col(Customer.pseudonym) == name))
    return row if row is None or row.merged_into is None else await get(session, row.merged_into)


async def known_among(session: AsyncSession, ids: Collection[str]) -> dict[str, Known]:
    """Those of the ids that there is a customer for, not locked."""
    found = await session.execute(
        select(col(Customer.id), col(Customer.merged_into), col(Customer.erased_at)).where(
            col(Customer.id).in_(set(ids))
        )
    )
    return {
        name: Known(id=merged_into or name, is_erased=erased_at is not None)
        for name, merged_into, erased_at in found
    }


async def with_email(session: AsyncSession, addresses: Collection[str]) -> dict[str, list[str]]:
    """The ids of customers by their address, as `normal_address` writes it.

    Reads every customer once, for no index holds what is in the traits: ask for many.
    """
    trait = func.lower(col(Customer.traits)["email"].as_string())
    found = await session.execute(
        select(col(Customer.id), col(Customer.traits)["email"].as_string())
        .where(trait.in_({each.lower() for each in addresses}), col(Customer.merged_into).is_(None))
        .order_by(col(Customer.id))
    )
    owners: dict[str, list[str]] = {}
    for customer_id, address in found:
        owners.setdefault(normal_address(address), []).append(customer_id)
    return owners


async def recent(session: AsyncSession, limit: int = 50) -> list[Customer]:
    """Those active last, newest first; those never active come last."""
    newest_first = col(Customer.last_seen_at).desc().nulls_last()
    found = await session.scalars(
        select(Customer)
        .where(col(Customer.merged_into).is_(None), col(Customer.erased_at).is_(None))
        .order_by(newest_first, col(Customer.id))
        .limit(limit)
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
        found = select(col(Customer.id)).where(col(Customer.id) == customer_id)
        await session.execute(found.with_for_update())


async def lock_many(
    session: AsyncSession, customer_ids: Collection[str], at: datetime, *, make: bool = True
) -> dict[str, Customer]:
    """Lock several at once, in an order that two batches can't block each other with.

    With `make` all missing rows are made before the first lock is taken, both in order of id;
    without, those missing are missing in the answer, which saves the insert of all the others.
    """
    ordered = sorted(set(customer_ids))
    statement = select(Customer).where(col(Customer.id).in_(ordered)).order_by(col(Customer.id))
    statement = statement.with_for_update().execution_options(populate_existing=True)
    if make:
        await insert_new(session, [_new(each, at) for each in ordered], unique="id")
    found = {customer.id: customer for customer in await session.scalars(statement)}
    if len(found) < len(ordered) and session.get_bind().dialect.name == "sqlite":
        # Nobody else writes meanwhile, so the order does not matter.
        missing = [_new(each, at) for each in ordered if each not in found]
        await insert_new(session, missing, unique="id")
        found = {customer.id: customer for customer in await session.scalars(statement)}
    return found


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


async def _locked(session: AsyncSession, customer_id: str) -> Customer | None:
    statement = select(Customer).where(col(Customer.id) == customer_id).with_for_update()
    # What this session may have read before it had the lock is stale.
    return await session.scalar(statement.execution_options(populate_existing=True))


def _new(customer_id: str, at: datetime) -> Customer:
    return Customer(id=customer_id, pseudonym=pseudonym(customer_id), created_at=at, updated_at=at)


def _is_news(known_at: datetime | None, at: datetime) -> bool:
    return known_at is None or at >= known_at

"""Customers: their row, which is also their lock, their traits and when they were seen.

Everything that writes about a customer locks them first, so that accepting an exit event
and claiming a message can't cross. The one surprising fact: a row may be but a name of
another customer (`merged_into`); who wants the customer asks for them with `known`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Executable, Select, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import col

from engine.keys import pseudonym
from store.among import among
from store.built_once import run
from store.inserting import insert_new, parameters, sql_table
from store.suppressions import normal_address
from store.tables import Customer

_TABLE = sql_table(Customer)

# Of every request; built once, for putting them together takes longer than running them.
_KNOWN = (
    "id",
    "merged_into",
    "company_id",
    "first_seen_at",
    "last_seen_at",
    "context_timezone",
    "context_timezone_at",
    "context_locale",
    "context_locale_at",
)
_WRITE_LAST_SEEN = (
    update(_TABLE).where(_TABLE.c.id == bindparam("who")).values(last_seen_at=bindparam("last"))
)
_WRITE_SEEN = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("who"))
    .values(
        first_seen_at=bindparam("first"),
        last_seen_at=bindparam("last"),
        context_timezone_at=bindparam("timezone"),
        context_locale_at=bindparam("locale"),
    )
)
_HOLD = select(_TABLE.c.id).where(_TABLE.c.id == bindparam("customer_id")).with_for_update()


@dataclass(frozen=True)
class Meant:
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


async def known_among(session: AsyncSession, ids: Collection[str]) -> dict[str, Meant]:
    """Those of the ids that there is a customer for, not locked."""
    found = await session.execute(
        select(col(Customer.id), col(Customer.merged_into), col(Customer.erased_at)).where(
            col(Customer.id).in_(set(ids))
        )
    )
    return {
        name: Meant(id=merged_into or name, is_erased=erased_at is not None)
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


async def addresses_of_others(
    session: AsyncSession, addresses: Collection[str], but: Collection[str]
) -> frozenset[str]:
    """Those of the addresses that a customer has now, other than those with these ids.

    Reads every customer once, as `with_email` does.
    """
    traits = col(Customer.traits)
    email, phone = traits["email"].as_string(), traits["phone"].as_string()
    asked = {each.lower() for each in addresses}
    found = await session.execute(
        select(func.lower(email), func.lower(phone)).where(
            or_(func.lower(email).in_(asked), func.lower(phone).in_(asked)),
            col(Customer.id).not_in(but),
            col(Customer.merged_into).is_(None),
            col(Customer.erased_at).is_(None),
        )
    )
    theirs = {each for row in found for each in row}
    return frozenset(each for each in addresses if each.lower() in theirs)


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
        await run(session, _HOLD, {"customer_id": customer_id})


@dataclass(frozen=True, slots=True)
class Known:
    """What most calls need of a locked customer: all but the traits."""

    id: str
    merged_into: str | None
    company_id: str | None
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    context_timezone: str | None
    context_timezone_at: datetime | None
    context_locale: str | None
    context_locale_at: datetime | None

    def seen(self, at: datetime, *, timezone: bool, locale: bool) -> "Known":
        """After a call at `at` (event time) that says nothing new, perhaps the same zone or locale.

        As `record_seen` and `record_used`; only for somebody who was seen before.
        """
        assert self.first_seen_at is not None
        return Known(
            self.id,
            self.merged_into,
            self.company_id,
            min(self.first_seen_at, at),
            _later(self.last_seen_at, at),
            self.context_timezone,
            _later(self.context_timezone_at, at if timezone else None),
            self.context_locale,
            _later(self.context_locale_at, at if locale else None),
        )

    def is_but_used(self, after: "Known") -> bool:
        """Whether nothing else is new than when the product was last used."""
        return (
            self.first_seen_at == after.first_seen_at
            and self.context_timezone_at == after.context_timezone_at
            and self.context_locale_at == after.context_locale_at
        )

    @classmethod
    def of(cls, row: Customer) -> "Known":
        """A customer whose whole row was read."""
        return cls(*(getattr(row, name) for name in _KNOWN))

    @property
    def used(self) -> dict[str, Any]:
        """What `_WRITE_LAST_SEEN` writes."""
        return {"who": self.id, "last": self.last_seen_at}

    @property
    def times(self) -> dict[str, Any]:
        """What `_WRITE_SEEN` writes."""
        return {
            "who": self.id,
            "first": self.first_seen_at,
            "last": self.last_seen_at,
            "timezone": self.context_timezone_at,
            "locale": self.context_locale_at,
        }


async def lock_existing(
    session: AsyncSession, customer_ids: Collection[str]
) -> dict[str, Customer]:
    """Lock those of them who exist, in order of id; nobody is made."""
    statement = select(Customer).where(col(Customer.id).in_(set(customer_ids)))
    statement = statement.order_by(col(Customer.id)).with_for_update()
    found = await session.scalars(statement.execution_options(populate_existing=True))
    return {customer.id: customer for customer in found}


async def names_of(session: AsyncSession, customer_id: str) -> frozenset[str]:
    """The ids that are only names of this customer; they stay so while the customer is locked."""
    found = select(col(Customer.id)).where(col(Customer.merged_into) == customer_id)
    return frozenset(await session.scalars(found))


async def lock_known(
    session: AsyncSession, customer_ids: Collection[str], at: datetime, *, make: bool = True
) -> dict[str, Known]:
    """Lock several at once, in an order that two batches can't block each other with.

    With `make` all missing rows are made before the first lock is taken, both in order of id;
    without, those missing are missing in the answer, which saves the insert of all the others.
    """
    ordered = sorted(set(customer_ids))
    if make:
        await insert_new(session, [_new(each, at) for each in ordered], unique="id")
    found = await _lock_ordered(session, ordered)
    if len(found) < len(ordered) and session.get_bind().dialect.name == "sqlite":
        # Nobody else writes meanwhile, so the order does not matter.
        missing = [_new(each, at) for each in ordered if each not in found]
        await insert_new(session, missing, unique="id")
        found = await _lock_ordered(session, ordered)
    return found


async def load_locked(session: AsyncSession, customer_ids: Collection[str]) -> dict[str, Customer]:
    """The rows of customers whom this transaction has locked."""
    if not customer_ids:
        return {}
    statement = _load(session.get_bind().dialect.name)
    found = await session.scalars(statement, {"ids": sorted(set(customer_ids))})
    return {customer.id: customer for customer in found}


async def write_seen(
    session: AsyncSession, seen: Iterable[tuple[Known, Known]], used: Iterable[Customer]
) -> None:
    """Write when locked customers were seen: all of a request in one.

    `seen` are pairs of before and after, as `Known.seen` gave them, `used` those of whom
    `record_used` noted it.
    """
    changed = [(before, after) for before, after in seen if before != after]
    # Nearly always only the last activity is new, and that is half as dear.
    is_all = all(before.is_but_used(after) for before, after in changed)
    written = [*(after for _, after in changed), *map(Known.of, used)]
    rows: list[Mapping[str, Any]] = [each.used if is_all else each.times for each in written]
    if rows:
        await run(session, _WRITE_LAST_SEEN if is_all else _WRITE_SEEN, parameters(rows))


def record_seen(
    customer: Customer, at: datetime, *, timezone: str | None = None, locale: str | None = None
) -> bool:
    """Note a call of a locked customer, that happened at `at` (event time); whether it is news.

    An older call that arrives late takes back nothing.
    """
    is_news = customer.first_seen_at is None or at < customer.first_seen_at
    if is_news:
        customer.first_seen_at = at
    if timezone is not None and _is_news(customer.context_timezone_at, at):
        customer.context_timezone, customer.context_timezone_at = timezone, at
        is_news = True
    if locale is not None and _is_news(customer.context_locale_at, at):
        customer.context_locale, customer.context_locale_at = locale, at
        is_news = True
    return is_news


def record_used(customer: Customer, at: datetime) -> None:
    """Note that a locked customer used the product at `at` (track, page, screen).

    It is for `write_seen` to write, with all the others: the session would take as long for
    each as all the rest of an event. It does not know of it, so where a savepoint is undone
    the row has to be read anew.
    """
    set_committed_value(customer, "last_seen_at", max(customer.last_seen_at or at, at))


async def _lock_ordered(session: AsyncSession, ordered: list[str]) -> dict[str, Known]:
    rows = await run(session, _lock_known(session.get_bind().dialect.name), {"ids": ordered})
    return {row[0]: Known(*row) for row in rows}


@cache
def _load(dialect: str) -> Select[Customer]:
    found = select(Customer).where(among(dialect, _TABLE.c.id, "ids"))
    return found.execution_options(populate_existing=True)


@cache
def _lock_known(dialect: str) -> Executable:
    return (
        select(*(_TABLE.c[name] for name in _KNOWN))
        .where(among(dialect, _TABLE.c.id, "ids"))
        .order_by(_TABLE.c.id)
        .with_for_update()
    )


async def _locked(session: AsyncSession, customer_id: str) -> Customer | None:
    statement = select(Customer).where(col(Customer.id) == customer_id).with_for_update()
    # What this session may have read before it had the lock is stale.
    return await session.scalar(statement.execution_options(populate_existing=True))


def _new(customer_id: str, at: datetime) -> Customer:
    return Customer(id=customer_id, pseudonym=pseudonym(customer_id), created_at=at, updated_at=at)


def _later(known: datetime | None, at: datetime | None) -> datetime | None:
    return at if known is None else known if at is None else max(known, at)


def _is_news(known_at: datetime | None, at: datetime) -> bool:
    return known_at is None or at >= known_at

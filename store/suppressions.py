"""Addresses that nothing is sent to, whosever they are."""

from collections.abc import Collection, Sequence
from functools import cache

from sqlalchemy import Executable, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.addresses import ascii_email
from store.among import among
from store.built_once import run
from store.inserting import insert_into, sql_table, values_of
from store.tables import Suppression

_TABLE = sql_table(Suppression).c


def normal_address(address: str) -> str:
    """The form in which two spellings of one address are the same.

    The local part of a mail address may differ by case in theory (RFC 5321, 2.4); no
    provider in use does so, and writing to one who complained is the worse mistake. A domain
    in other letters is the same in punycode, which is how it comes back in a bounce.
    """
    return (ascii_email(address) or address.strip()).casefold()


async def add(session: AsyncSession, suppression: Suppression) -> bool:
    """Suppress an address; False if it already was, and then its first reason stays."""
    suppression.address = normal_address(suppression.address)
    statement = (
        insert_into(session, Suppression)
        .on_conflict_do_nothing(index_elements=["channel", "address"])
        .returning(col(Suppression.id))
    )
    return (await session.scalar(statement, values_of(suppression))) is not None


async def add_all(session: AsyncSession, rows: Sequence[Suppression]) -> set[tuple[str, str]]:
    """Suppress addresses in one statement; the (channel, normal address) of those that are new."""
    if not rows:
        return set()
    for row in rows:
        row.address = normal_address(row.address)
    # In one order, so that no two batches wait for each other.
    ordered = sorted(rows, key=lambda row: (row.channel, row.address))
    statement = (
        insert_into(session, Suppression)
        .on_conflict_do_nothing(index_elements=["channel", "address"])
        .returning(col(Suppression.channel), col(Suppression.address))
    )
    added = await session.execute(statement, [values_of(row) for row in ordered])
    return {(channel, address) for channel, address in added}


async def is_suppressed(session: AsyncSession, channel: str, address: str) -> bool:
    """Whether nothing may be sent to this address by this channel."""
    return bool(await suppressed_among(session, [(channel, address)]))


async def suppressed_among(
    session: AsyncSession, addresses: Collection[tuple[str, str]]
) -> frozenset[tuple[str, str]]:
    """Those of the (channel, address) pairs, as they were given, that are suppressed."""
    given = {pair: (pair[0], normal_address(pair[1])) for pair in addresses}
    statement = _among(session.get_bind().dialect.name)
    pairs = set(given.values())
    lists = {
        "channels": sorted({channel for channel, _ in pairs}),
        "addresses": sorted({address for _, address in pairs}),
    }
    found = await run(session, statement, lists)
    suppressed = {(channel, address) for channel, address in found}
    return frozenset(pair for pair, normal in given.items() if normal in suppressed)


@cache
def _among(dialect: str) -> Executable:
    """By the channels and by the addresses: more than was asked, if two are swapped.

    Neither database finds a list of pairs by the index of both, as each does two lists.
    """
    channel = among(dialect, _TABLE.channel, "channels")
    address = among(dialect, _TABLE.address, "addresses")
    return select(_TABLE.channel, _TABLE.address).where(channel, address)


async def lift(
    session: AsyncSession, channel: str, address: str, *, source: str | None = None
) -> bool:
    """Allow an address again; False if it was not suppressed, or not by this source."""
    statement = delete(Suppression).where(
        col(Suppression.channel) == channel,
        col(Suppression.address) == normal_address(address),
    )
    if source is not None:
        statement = statement.where(col(Suppression.source) == source)
    return await session.scalar(statement.returning(col(Suppression.id))) is not None


async def newest(session: AsyncSession, limit: int = 100) -> list[Suppression]:
    """The latest suppressions, newest first."""
    found = await session.scalars(
        select(Suppression).order_by(col(Suppression.id).desc()).limit(limit)
    )
    return list(found)

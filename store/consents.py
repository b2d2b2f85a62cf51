"""What customers said about being written to; append-only.

Decides nothing: which of the things said holds is `engine.consent`'s. The surprising fact:
the order is that in which they were said, not in which we heard of them, so that an import
of what was long ago undoes nothing newer.
"""

from collections.abc import Collection
from functools import cache

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine import consent as words
from engine.consent import ConsentState
from store.among import among
from store.inserting import sql_table
from store.tables import Consent


async def append(session: AsyncSession, consent: Consent) -> Consent:
    """Write down what a (locked) customer said."""
    session.add(consent)
    await session.flush()
    return consent


async def of_customer(session: AsyncSession, customer_id: str) -> list[Consent]:
    """Everything the customer said, oldest first."""
    found = await session.scalars(
        select(Consent)
        .where(col(Consent.customer_id) == customer_id)
        .order_by(col(Consent.at), col(Consent.id))
    )
    return list(found)


async def of_customers(
    session: AsyncSession, customer_ids: Collection[str]
) -> dict[str, list[Consent]]:
    """What `of_customer` answers, for many at once; who said nothing is left out."""
    statement = _of_customers(session.get_bind().dialect.name)
    rows = await session.scalars(statement, {"ids": sorted(set(customer_ids))})
    found: dict[str, list[Consent]] = {}
    for row in rows:
        found.setdefault(row.customer_id, []).append(row)
    return found


@cache
def _of_customers(dialect: str) -> Select[Consent]:
    mine = among(dialect, sql_table(Consent).c.customer_id, "ids")
    return select(Consent).where(mine).order_by(col(Consent.at), col(Consent.id))


async def consent_state(
    session: AsyncSession, customer_id: str, channel: str, topic: str
) -> ConsentState | None:
    """What holds for this channel and topic; None if the customer never spoke of it."""
    return words.state_of(await of_customer(session, customer_id), channel, topic)

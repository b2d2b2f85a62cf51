"""Coupons made for one customer: one for a message, however often it is asked for."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.inserting import insert_new
from store.tables import Offer


async def issue(session: AsyncSession, offer: Offer) -> Offer:
    """Keep the offer of a message; the one already there, if it has one."""
    if await insert_new(session, [offer], unique="message_key"):
        return offer
    kept = await of_message(session, offer.message_key)
    assert kept is not None  # that of an attempt before
    return kept


async def withdraw(session: AsyncSession, message_key: str) -> None:
    """Take back the offer of a message that certainly never went out."""
    await session.execute(delete(Offer).where(col(Offer.message_key) == message_key))


async def of_message(session: AsyncSession, message_key: str) -> Offer | None:
    """The offer that a message carries."""
    return await session.scalar(select(Offer).where(col(Offer.message_key) == message_key))


async def by_code(session: AsyncSession, code: str) -> Offer | None:
    """The offer with this code."""
    return await session.scalar(select(Offer).where(col(Offer.code) == code))


async def of_customer(session: AsyncSession, customer_id: str) -> list[Offer]:
    """The customer's offers, oldest first."""
    found = await session.scalars(
        select(Offer).where(col(Offer.customer_id) == customer_id).order_by(col(Offer.id))
    )
    return list(found)


async def page(
    session: AsyncSession,
    *,
    customer_id: str | None = None,
    journey: str | None = None,
    limit: int = 100,
    before: int | None = None,
) -> list[Offer]:
    """Offers, newest first, of a customer or a journey where given; `before` a row number."""
    statement = select(Offer).order_by(col(Offer.id).desc()).limit(limit)
    if customer_id is not None:
        statement = statement.where(col(Offer.customer_id) == customer_id)
    if journey is not None:
        statement = statement.where(col(Offer.journey) == journey)
    if before is not None:
        statement = statement.where(col(Offer.id) < before)
    return list(await session.scalars(statement))


async def redeem(session: AsyncSession, code: str, at: datetime, order: str | None = None) -> bool:
    """Note that it was used at `at` (journey time); False if unknown, used, revoked or too late."""
    redeemed = await session.scalar(
        update(Offer)
        .where(
            col(Offer.code) == code,
            col(Offer.redeemed_at).is_(None),
            col(Offer.revoked_at).is_(None),
            col(Offer.valid_until_at) >= at,
        )
        .values(redeemed_at=at, redeemed_for=order)
        .returning(col(Offer.id))
    )
    return redeemed is not None


async def revoke(session: AsyncSession, code: str, at: datetime, by: str) -> bool:
    """It can't be used any more, from `at` (wall time) on; False if unknown, used or revoked."""
    revoked = await session.scalar(
        update(Offer)
        .where(
            col(Offer.code) == code,
            col(Offer.redeemed_at).is_(None),
            col(Offer.revoked_at).is_(None),
        )
        .values(revoked_at=at, revoked_by=by)
        .returning(col(Offer.id))
    )
    return revoked is not None

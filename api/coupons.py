"""Coupons once they are out: found by their code, used once, revoked.

Decides what makes a use valid. The surprising fact: using one twice for the same order is no
error, for a till that got no answer asks again.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from api.accept import accept_in
from api.errors import ConflictError, NotFoundError
from api.services import Services
from engine.calls import Track
from engine.events import BuiltInEvent
from engine.reactions import of_coupon
from store import audit, customers, offers
from store.tables import AuditEntry, EventKind, Offer


class OfferState(StrEnum):
    """Whether a coupon can be used, and if not, why."""

    OPEN = "open"
    REDEEMED = "redeemed"
    REVOKED = "revoked"
    EXPIRED = "expired"


def state_of(offer: Offer, now: datetime) -> OfferState:
    """At `now` (journey time)."""
    if offer.redeemed_at is not None:
        return OfferState.REDEEMED
    if offer.revoked_at is not None:
        return OfferState.REVOKED
    return OfferState.OPEN if offer.valid_until_at >= now else OfferState.EXPIRED


async def find(session: AsyncSession, code: str) -> Offer:
    """The coupon with this code, also as a customer types it. Raises NotFoundError."""
    typed = code.strip()
    # Ours are capitals and digits; a shop's own may not be.
    for spelling in dict.fromkeys((typed, typed.upper().replace("-", "").replace(" ", ""))):
        found = await offers.by_code(session, spelling)
        if found is not None:
            return found
    raise NotFoundError("there is no coupon with this code", code="no_such_offer")


async def redeem(services: Services, code: str, actor: str, order: str | None) -> Offer:
    """Use it, for an order of the shop's. Raises NotFoundError or ConflictError."""
    now = services.now()
    async with services.database.transaction() as session:
        offer = await find(session, code)
        await customers.hold(session, offer.customer_id)
        used = Track(
            customer_id=offer.customer_id,
            at=now,
            message_id=f"{BuiltInEvent.OFFER_REDEEMED}:{offer.id}",
            event=BuiltInEvent.OFFER_REDEEMED,
            properties=of_coupon(
                code=offer.code,
                journey=offer.journey,
                step=offer.step,
                percent=offer.percent,
                amount=offer.amount,
                free_shipping=offer.free_shipping,
                currency=offer.currency,
                order=order,
            ),
            kind=EventKind.SYSTEM,
        )
        if not await offers.redeem(session, offer.code, now, order):
            fresh = await _again(session, offer.code)
            is_same = order is not None and fresh.redeemed_for == order
            if fresh.redeemed_at is not None and is_same:
                return fresh
            raise _refusal(fresh, now)
        accepted = await accept_in(session, services, [used], now)
        await _note(session, services, offer, actor, "offer.redeem", {"order": order})
        redeemed = await _again(session, offer.code)
    if accepted.carried:
        services.woken.set()
    return redeemed


async def revoke(services: Services, code: str, actor: str, why: str | None) -> Offer:
    """Nobody can use it any more. Raises NotFoundError, or ConflictError if somebody did."""
    async with services.database.transaction() as session:
        offer = await find(session, code)
        await customers.hold(session, offer.customer_id)
        if await offers.revoke(session, offer.code, services.wall(), actor):
            await _note(session, services, offer, actor, "offer.revoke", {"why": why})
        fresh = await _again(session, offer.code)
        if fresh.redeemed_at is not None:
            raise _refusal(fresh, services.now())
        return fresh


def _refusal(offer: Offer, now: datetime) -> ConflictError:
    match state_of(offer, now):
        case OfferState.REDEEMED:
            return ConflictError("the coupon was used before", code="offer_redeemed")
        case OfferState.REVOKED:
            return ConflictError("the coupon was revoked", code="offer_revoked")
        case _:
            until = f"{offer.valid_until_at:%Y-%m-%d %H:%M} UTC"
            return ConflictError(f"the coupon was good until {until}", code="offer_expired")


async def _again(session: AsyncSession, code: str) -> Offer:
    found = await offers.by_code(session, code)
    assert found is not None  # it was there a moment ago
    await session.refresh(found)
    return found


async def _note(
    session: AsyncSession,
    services: Services,
    offer: Offer,
    actor: str,
    action: str,
    details: dict[str, str | None],
) -> None:
    entry = AuditEntry(
        at=services.wall(),
        actor=actor,
        action=action,
        enrollment_id=offer.enrollment_id,
        customer_id=offer.customer_id,
        details={"code": offer.code, **details},
    )
    await audit.record(session, entry)

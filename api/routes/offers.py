"""Coupons: list them, look one up, use it, revoke it."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api import coupons
from api.auth import actor_of, check_scope
from api.coupons import OfferState, state_of
from api.fields import Name, PathText, QueryText
from api.given import Given, OffersRoute, Supporter
from api.schemas import BODY_RESPONSES, SUPPORT_RESPONSES, refusals
from api.scopes import Scope
from store import offers
from store.tables import Offer

router = APIRouter(
    tags=["Offers"], prefix="/v1/offers", route_class=OffersRoute, responses=SUPPORT_RESPONSES
)

_MOST = 500  # as of events


class OfferReply(BaseModel):
    """A coupon: `percent` off, or `amount`, or `free_shipping`. Times are journey time."""

    model_config = ConfigDict(frozen=True)

    number: int = Field(description="For `before`, to read on in the list.")
    code: str
    state: OfferState
    percent: Decimal | None
    amount: Decimal | None
    free_shipping: bool
    currency: str | None
    valid_until: datetime
    customer_id: str
    journey: str
    step: str
    enrollment_id: str
    made_by: str | None = Field(description="The webhook that made the code; null: we did.")
    redeemed_at: datetime | None
    order: str | None = Field(description="The order it was used for.")
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: Offer, now: datetime) -> Self:
        assert row.id is not None  # it was read
        return cls(
            number=row.id,
            code=row.code,
            state=state_of(row, now),
            percent=row.percent,
            amount=row.amount,
            free_shipping=row.free_shipping,
            currency=row.currency,
            valid_until=row.valid_until_at,
            customer_id=row.customer_id,
            journey=row.journey,
            step=row.step,
            enrollment_id=row.enrollment_id,
            made_by=row.made_by,
            redeemed_at=row.redeemed_at,
            order=row.redeemed_for,
            revoked_at=row.revoked_at,
        )


class OffersReply(BaseModel):
    """Coupons, newest first."""

    offers: list[OfferReply]


class Redemption(BaseModel):
    """The use of a coupon."""

    model_config = ConfigDict(extra="forbid")

    order: Name | None = Field(
        default=None,
        description="The shop's order. With one, a repeat for the same order is no error.",
    )


class Revocation(BaseModel):
    """Why a coupon can't be used any more."""

    model_config = ConfigDict(extra="forbid")

    why: Name | None = None


@router.get("")
async def list_offers(
    services: Given,
    key: Supporter,
    customer: QueryText | None = None,
    journey: QueryText | None = None,
    before: Annotated[int | None, Query(ge=1, le=10**9, description="Read on from here.")] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
) -> OffersReply:
    """The coupons, newest first, of one customer or journey if asked so; for support."""
    check_scope(key, Scope.SUPPORT)
    async with services.database.reading() as session:
        found = await offers.page(
            session, customer_id=customer, journey=journey, limit=limit, before=before
        )
    return OffersReply(offers=[OfferReply.of(row, services.now()) for row in found])


@router.get("/{code}", responses=refusals(404))
async def show_offer(code: PathText, services: Given) -> OfferReply:
    """A coupon by its code, in capitals or not."""
    async with services.database.reading() as session:
        return OfferReply.of(await coupons.find(session, code), services.now())


@router.post("/{code}/redeem", responses={**refusals(404, 409), **BODY_RESPONSES})
async def redeem_offer(
    code: PathText, services: Given, key: Supporter, use: Redemption | None = None
) -> OfferReply:
    """Use a coupon: once, in time. Journeys hear of it as `offer.redeemed`."""
    order = None if use is None else use.order
    row = await coupons.redeem(services, code, actor_of(key), order)
    return OfferReply.of(row, services.now())


@router.post("/{code}/revoke", responses={**refusals(404, 409), **BODY_RESPONSES})
async def revoke_offer(
    code: PathText, services: Given, key: Supporter, revocation: Revocation | None = None
) -> OfferReply:
    """Have a coupon not be used any more; for support. Revoking twice changes nothing."""
    check_scope(key, Scope.SUPPORT)
    why = None if revocation is None else revocation.why
    row = await coupons.revoke(services, code, actor_of(key), why)
    return OfferReply.of(row, services.now())

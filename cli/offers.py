"""`parcours offers`: coupons once they are out. As the API does it, with the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.store import ACTOR, with_store

if TYPE_CHECKING:
    from datetime import datetime

    from api.services import Services
    from store.tables import Offer

offers = typer.Typer(
    help="Coupons once they are out: list them, look one up, use it, revoke it.",
    no_args_is_help=True,
)

_Code = Annotated[str, typer.Argument(help="As the customer types it.", show_default=False)]


@offers.command("list")
def list_(
    customer: Annotated[str | None, typer.Option(help="Only this customer's.")] = None,
    journey: Annotated[str | None, typer.Option(help="Only this journey's.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
) -> None:
    """List coupons, newest first."""
    from store import offers as rows

    async def found(services: Services) -> tuple[list[Offer], datetime]:
        async with services.database.reading() as session:
            page = await rows.page(session, customer_id=customer, journey=journey, limit=limit)
            return page, services.now()

    _table(*with_store(found))


@offers.command()
def show(code: _Code) -> None:
    """Show a coupon."""
    from api import coupons

    async def found(services: Services) -> tuple[list[Offer], datetime]:
        async with services.database.reading() as session:
            return [await coupons.find(session, code)], services.now()

    _table(*with_store(found))


@offers.command()
def redeem(
    code: _Code,
    order: Annotated[str | None, typer.Option(help="The order it is used for.")] = None,
) -> None:
    """Use a coupon: once, in time."""
    from api import coupons

    async def used(services: Services) -> Offer:
        return await coupons.redeem(services, code, ACTOR, order)

    row = with_store(used)
    print(f"{row.code} is used")


@offers.command()
def revoke(
    code: _Code, why: Annotated[str | None, typer.Option(help="For the audit log.")] = None
) -> None:
    """Have a coupon not be used any more."""
    from api import coupons

    async def revoked(services: Services) -> Offer:
        return await coupons.revoke(services, code, ACTOR, why)

    row = with_store(revoked)
    print(f"{row.code} can't be used any more")


def _table(rows: list[Offer], now: datetime) -> None:
    from api.coupons import state_of
    from cli.tables import plain_table, utc_minute

    plain_table(
        ("code", "gives", "state", "good until", "customer", "journey", "step"),
        [
            (
                row.code,
                _gives(row),
                state_of(row, now).value,
                utc_minute(row.valid_until_at),
                row.customer_id,
                row.journey,
                row.step,
            )
            for row in rows
        ],
        nothing="no coupons",
    )


def _gives(row: Offer) -> str:
    if row.percent is not None:
        return f"{row.percent.normalize():f} %"
    if row.free_shipping:
        return "free shipping"
    assert row.amount is not None  # an offer has one of the three
    return f"{row.amount.normalize():f} {row.currency or ''}".strip()

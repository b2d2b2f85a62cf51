"""Coupons once they are out: looked up, used once, revoked; journeys hear of it."""

import asyncio
from decimal import Decimal

import httpx
import pytest
from sqlalchemy import select

from api.scopes import Scope
from api.services import Services
from store import offers
from store.tables import AuditEntry, Offer
from tests.api.given import (
    A_DAY,
    DAY,
    Wall,
    identify,
    kept_events,
    make_key,
    outbox,
    publish,
    take,
    track,
    trial,
)


@pytest.fixture
async def coupon(services: Services) -> str:
    steps = [
        {"send": "thanks", "at": "start + 1 day"},
        {"id": "used", "send": "thanks", "after_event": "offer.redeemed"},
    ]
    await publish(services.database, trial(steps=steps))
    await take(services, identify(email="ann@example.com"), track("trial_started"))
    async with services.database.transaction() as session:
        for code in ("AB2CD3EF", "shop-Code"):
            offer = Offer(
                code=code,
                customer_id="c1",
                enrollment_id="trial:c1",
                journey="trial",
                step="coupon",
                percent=Decimal(20) if code == "AB2CD3EF" else None,
                free_shipping=code != "AB2CD3EF",
                valid_until_at=A_DAY + 5 * DAY,
                message_key=f"trial:c1/{code}",
            )
            await offers.issue(session, offer)
    return "AB2CD3EF"


async def test_a_coupon_is_found_as_customers_type_it(
    client: httpx.AsyncClient, coupon: str
) -> None:
    for typed in (coupon, "ab2cd3ef", " AB2C-D3EF "):
        answer = await client.get(f"/v1/offers/{typed}")
        assert answer.status_code == 200, typed
        assert (answer.json()["code"], answer.json()["state"]) == (coupon, "open")
    assert (await client.get("/v1/offers/shop-Code")).json()["code"] == "shop-Code"
    theirs = (await client.get("/v1/offers/shop-Code")).json()
    assert (theirs["free_shipping"], theirs["percent"]) == (True, None)
    missing = await client.get("/v1/offers/NOTHING")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_such_offer")


async def test_it_is_used_once_and_a_repeat_for_the_same_order_is_no_error(
    client: httpx.AsyncClient, services: Services, coupon: str
) -> None:
    used = [await client.post(f"/v1/offers/{coupon}/redeem", json={"order": "o1"}) for _ in "12"]
    assert [answer.status_code for answer in used] == [200, 200]
    assert used[0].json() == used[1].json()
    assert (used[0].json()["state"], used[0].json()["order"]) == ("redeemed", "o1")
    for body in ({"order": "o2"}, {}, None):
        again = await client.post(f"/v1/offers/{coupon}/redeem", json=body)
        assert (again.status_code, again.json()["code"]) == (409, "offer_redeemed")
    heard = [e for e in await kept_events(services.database) if e.name == "offer.redeemed"]
    assert [e.properties["order"] for e in heard] == ["o1"]
    fired = [list(row.payload.get("fires", [])) for row in await outbox(services.database)]
    assert ["used"] in fired
    async with services.database.reading() as session:
        noted = [entry.action for entry in await session.scalars(select(AuditEntry))]
    assert noted == ["offer.redeem"]


async def test_of_ten_tills_at_once_one_gets_it(client: httpx.AsyncClient, coupon: str) -> None:
    answers = await asyncio.gather(
        *(
            client.post(f"/v1/offers/{coupon}/redeem", json={"order": f"o{number}"})
            for number in range(10)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9


async def test_after_its_last_day_it_is_no_use(
    client: httpx.AsyncClient, wall: Wall, coupon: str
) -> None:
    wall.pass_(5 * DAY)
    assert (await client.get(f"/v1/offers/{coupon}")).json()["state"] == "open"
    wall.pass_(DAY / 1000)
    late = await client.post(f"/v1/offers/{coupon}/redeem", json={})
    assert (late.status_code, late.json()["code"]) == (409, "offer_expired")
    assert "2026-11-28" in late.json()["message"]


async def test_what_was_revoked_can_not_be_used_and_what_was_used_not_revoked(
    client: httpx.AsyncClient, coupon: str
) -> None:
    for _ in range(2):
        revoked = await client.post(f"/v1/offers/{coupon}/revoke", json={"why": "a leak"})
        assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    late = await client.post(f"/v1/offers/{coupon}/redeem", json={})
    assert (late.status_code, late.json()["code"]) == (409, "offer_revoked")
    await client.post("/v1/offers/shop-Code/redeem", json={})
    used = await client.post("/v1/offers/shop-Code/revoke", json={})
    assert (used.status_code, used.json()["code"]) == (409, "offer_redeemed")


async def test_coupons_are_listed_newest_first_page_by_page(
    client: httpx.AsyncClient, coupon: str
) -> None:
    first = (await client.get("/v1/offers", params={"customer": "c1", "limit": 1})).json()
    assert [each["code"] for each in first["offers"]] == ["shop-Code"]
    more = {"journey": "trial", "before": first["offers"][0]["number"]}
    second = (await client.get("/v1/offers", params=more)).json()
    assert [each["code"] for each in second["offers"]] == [coupon]
    assert (await client.get("/v1/offers", params={"customer": "c2"})).json() == {"offers": []}


async def test_a_shops_till_may_look_up_and_use_and_nothing_else(
    anyone: httpx.AsyncClient, services: Services, coupon: str
) -> None:
    till = await make_key(services.database, Scope.OFFERS, name="till")
    anyone.headers["Authorization"] = f"Bearer {till}"
    assert (await anyone.get(f"/v1/offers/{coupon}")).status_code == 200
    assert (await anyone.get("/v1/offers")).status_code == 403
    assert (await anyone.get("/v1/customers/c1")).status_code == 403
    assert (await anyone.post(f"/v1/offers/{coupon}/revoke", json={})).status_code == 403
    assert (await anyone.post(f"/v1/offers/{coupon}/redeem", json={})).status_code == 200
    app = await make_key(services.database, Scope.EVENTS_WRITE, name="app")
    anyone.headers["Authorization"] = f"Bearer {app}"
    assert (await anyone.get(f"/v1/offers/{coupon}")).status_code == 403

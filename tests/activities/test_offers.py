"""Coupons in messages: never fewer days than promised, and codes that a shop makes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from activities.deliver import deliver
from activities.desk import Attempt, Trouble
from activities.providers.outcome import Ambiguous, HookCall, NotTaken, ProviderTrouble
from engine.enrollment import Outcome, Settled
from engine.gate import offer_for
from engine.reasons import Decision, Reason
from store import offers
from store.database import Database
from store.tables import Offer
from tests.activities.given import (
    DAY,
    NOW,
    VOUCHER,
    FakeProvider,
    Office,
    journey,
    open_office,
    policy,
)

FIVE_DAYS = 5 * DAY
HOUR = timedelta(hours=1)
SENT = Settled(decision=Decision.SENT, channel="email", message="coupon")


async def coupon_office(db: Database, *answers: Any, keys: bool = True, **offer: Any) -> Office:
    terms = {"percent": 20, "valid": "5 days", **offer}
    step = {"send": "coupon", "id": "tip", "at": "start + 1 day", "grace": "30 days"}
    provider = FakeProvider(list(answers), remembers_keys_for=30 * DAY if keys else None)
    return await open_office(
        db,
        provider,
        what=journey(steps=[{**step, "offer": terms}]),
        texts={"coupon": VOUCHER},
        rules=policy(webhooks={"shop": {"url": "https://shop.example/codes"}}),
    )


async def made(db: Database) -> Sequence[Offer]:
    async with db.reading() as session:
        return await offers.of_customer(session, "c1")


async def at(office: Office, after: timedelta, shop: Any = None) -> Outcome:
    """An attempt so long after the step's time, within its grace."""
    order = office.order(delivery={"until": NOW + 30 * DAY})
    return await deliver(replace(office.desk, shop=shop), Attempt(order, NOW + after))


@pytest.mark.parametrize("days", [0, 1, 3, 20])
async def test_an_outage_costs_nobody_a_day_of_the_coupon(db: Database, days: int) -> None:
    office = await coupon_office(db, NotTaken("down"))
    with pytest.raises(Trouble):
        await at(office, timedelta(0))
    await at(office, days * DAY)
    (offer,) = await made(db)
    assert offer.valid_until_at >= NOW + days * DAY + FIVE_DAYS
    assert offer.code.encode() in office.provider.given[-1].raw


async def test_a_decision_that_comes_late_to_the_provider_counts_from_there(db: Database) -> None:
    office = await coupon_office(db)
    await at(office, 10 * DAY)
    (offer,) = await made(db)
    assert offer.valid_until_at >= NOW + 10 * DAY + FIVE_DAYS


async def test_soon_enough_the_same_bytes_go_out_again(db: Database) -> None:
    office = await coupon_office(db, NotTaken("down"), Ambiguous("no answer"))
    for minutes in (0, 10):
        with pytest.raises(Trouble):
            await at(office, timedelta(minutes=minutes))
    assert await at(office, timedelta(minutes=20)) == SENT
    assert len({mail.raw for mail in office.provider.given}) == 1


async def test_what_may_be_out_and_is_short_by_now_is_left_to_a_person(db: Database) -> None:
    office = await coupon_office(db, Ambiguous("no answer"))
    with pytest.raises(Trouble):
        await at(office, timedelta(0))
    outcome = await at(office, 2 * DAY)
    assert getattr(outcome, "decision", None) is Decision.UNKNOWN
    assert len(office.provider.given) == 1


async def test_nobody_has_a_code_of_a_message_that_was_not_sent(db: Database) -> None:
    office = await coupon_office(db, NotTaken("down"))
    with pytest.raises(Trouble):
        await at(office, timedelta(0))
    await office.change(skipped_steps=["tip"])
    outcome = await at(office, timedelta(minutes=1))
    assert getattr(outcome, "reason", None) is Reason.SKIPPED
    assert await made(db) == []


@dataclass
class Shop:
    """Makes a code for each id it has not seen; answers as told first."""

    answers: list[Any] = field(default_factory=list)
    asked: list[HookCall] = field(default_factory=list)

    async def ask(self, call: HookCall) -> object:
        self.asked.append(call)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, ProviderTrouble):
            raise answer
        if answer is not None:
            return answer
        keys = sorted({each.key for each in self.asked})
        return {"code": f"SHOP-{keys.index(call.key)}"}


async def test_a_shops_code_is_in_the_mail_and_in_the_store(db: Database) -> None:
    office, shop = await coupon_office(db, code_from="shop"), Shop()
    assert await at(office, timedelta(0), shop) == SENT
    (offer,) = await made(db)
    assert (offer.code, offer.made_by) == ("SHOP-0", "shop")
    assert b"SHOP-0" in office.provider.given[0].raw
    (call,) = shop.asked
    said = json.loads(call.body)
    assert (call.hook, call.url) == ("shop", "https://shop.example/codes")
    assert (said["type"], said["percent"], said["free_shipping"], said["customer"]) == (
        "offer.requested",
        20.0,
        False,
        {"id": "c1"},
    )
    assert said["valid_until"] == offer.valid_until_at.isoformat()


async def test_while_the_shop_does_not_answer_the_message_waits(db: Database) -> None:
    office = await coupon_office(db, code_from="shop")
    shop = Shop([NotTaken("no connection"), Ambiguous("no answer"), {}, {"code": "a b"}])
    for _ in range(4):
        with pytest.raises(Trouble) as caught:
            await at(office, timedelta(0), shop)
        assert caught.value.reason is Reason.PROVIDER_DOWN
    assert office.provider.given == []
    assert await at(office, HOUR, shop) == SENT
    assert len({call.key for call in shop.asked}) == 1


async def test_without_anybody_to_call_the_message_waits(db: Database) -> None:
    office = await coupon_office(db, code_from="shop")
    with pytest.raises(Trouble, match="nobody is set up to call webhooks"):
        await at(office, timedelta(0))


async def test_free_shipping_of_a_variant_is_in_the_mail_and_in_the_store(db: Database) -> None:
    texts = {"subject.txt": "For you", "email.html": "{% if offer.free_shipping %}Free{% endif %}"}
    other = {"send": "coupon", "offer": {"percent": 10, "valid": "3 days"}}
    own = {"send": "shipping", "offer": {"free_shipping": True, "valid": "3 days"}}
    step = {"id": "tip", "at": "start + 1 day", "variants": {"a": other, "b": own}}
    what = next(  # one in which the customer is drawn for free shipping
        each
        for each in (journey(steps=[{**step, "id": f"tip{n}"}]) for n in range(20))
        if offer_for(each, each.steps[0], "c1") != each.steps[0].variants["a"].offer  # type: ignore[index]
    )
    office = await open_office(
        db, FakeProvider([]), what=what, texts={"coupon": VOUCHER, "shipping": texts}
    )
    order = office.order(delivery={"step": what.steps[0].id})
    outcome = await deliver(office.desk, Attempt(order, NOW))
    assert getattr(outcome, "message", None) == "shipping"
    (offer,) = await made(db)
    assert (offer.free_shipping, offer.percent, offer.amount) == (True, None, None)
    assert b"Free" in office.provider.given[0].raw

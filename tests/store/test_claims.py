"""A claim that a provider certainly does not have: released, taken back, with its offer."""

from datetime import timedelta
from decimal import Decimal

from store import messages, offers
from store.database import Database
from store.tables import Offer
from tests.store.given import HOUR, NOON, a_claim, an_enrollment


async def test_the_only_attempt_released_leaves_nothing_ambiguous(db: Database) -> None:
    claim = a_claim(first_claimed_at=NOON, attempts=1)
    async with db.transaction() as session:
        await an_enrollment(session)
        await messages.claim(session, claim)
        await messages.release(session, claim.key, "connection refused")
        row = await messages.get_by_key(session, claim.key)
    assert row is not None
    assert (row.claimed_at, row.first_claimed_at, row.attempts) == (None, None, 0)
    assert row.last_error == "connection refused"


async def test_a_second_attempt_released_leaves_the_first_as_it_was(db: Database) -> None:
    claim = a_claim(at=NOON + HOUR, first_claimed_at=NOON, attempts=2)
    async with db.transaction() as session:
        await an_enrollment(session)
        await messages.claim(session, claim)
        await messages.release(session, claim.key, "connection refused")
        row = await messages.get_by_key(session, claim.key)
    assert row is not None
    assert (row.claimed_at, row.first_claimed_at, row.attempts) == (NOON + HOUR, NOON, 1)


async def test_only_a_claim_that_nobody_has_can_be_taken_back(db: Database) -> None:
    held, free = a_claim("tip"), a_claim("coupon", claimed_at=None)
    async with db.transaction() as session:
        await an_enrollment(session)
        for each in (held, free):
            await messages.claim(session, each)
            await messages.withdraw(session, each.key)
        left = await messages.of_enrollment(session, "trial:c1")
    assert [row.step for row in left] == ["tip"]


async def test_an_offer_is_taken_back_with_its_message(db: Database) -> None:
    offer = Offer(
        code="ABCD2345",
        customer_id="c1",
        enrollment_id="trial:c1",
        journey="trial",
        step="coupon",
        percent=Decimal(20),
        valid_until_at=NOON + timedelta(days=5),
        message_key="trial:c1/coupon/start",
    )
    async with db.transaction() as session:
        await an_enrollment(session)
        await offers.issue(session, offer)
        await offers.withdraw(session, offer.message_key)
        assert await offers.of_customer(session, "c1") == []

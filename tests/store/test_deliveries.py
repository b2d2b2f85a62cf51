"""What `deliver` reads at once: the enrollment, its customer, the message, what is published."""

import pytest
from sqlalchemy.exc import InvalidRequestError

from store import deliveries, messages
from store.database import Database
from tests.store.given import a_claim, an_enrollment


async def test_everything_about_a_delivery_comes_together(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        claim = a_claim()
        await messages.claim(session, claim)
    async with db.reading() as session:
        rows = await deliveries.read(session, "trial:c1", claim.key)
    assert rows is not None
    assert (rows.enrollment.id, rows.customer.id) == ("trial:c1", "c1")
    assert rows.message is not None
    assert rows.message.body == b"finished bytes"
    assert list(rows.published.journeys) == ["trial"]


async def test_a_message_that_is_not_claimed_is_none(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
    async with db.reading() as session:
        rows = await deliveries.read(session, "trial:c1", "trial:c1/tip/start")
        unknown = await deliveries.read(session, "trial:nobody", "trial:nobody/tip/start")
    assert rows is not None
    assert rows.message is None
    assert unknown is None


async def test_what_only_a_start_needs_is_not_read(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
    async with db.reading() as session:
        rows = await deliveries.read(session, "trial:c1", "no such key")
        assert rows is not None
        with pytest.raises(InvalidRequestError):
            _ = rows.enrollment.input

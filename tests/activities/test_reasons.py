"""Why a message does not go out: each reason alone, and several at once."""

from datetime import timedelta
from typing import Any

import pytest

from activities.desk import Trouble
from activities.providers.outcome import NotTaken, Refused
from engine.enrollment import Settled
from engine.reasons import Decision, Reason
from engine.sampling import held_out
from store import events, suppressions
from store.database import Database
from store.events import NewEvent
from store.tables import EventKind
from tests.activities.given import (
    BROKEN,
    DAY,
    NOW,
    START,
    FakeProvider,
    Office,
    journey,
    open_office,
    policy,
)

SENT = Settled(decision=Decision.SENT, channel="email", message="tip")


def not_sent(reason: Reason) -> Settled:
    return Settled(decision=Decision.NOT_SENT, reason=reason)


async def happened(office: Office, name: str, **properties: Any) -> None:
    async with office.database.transaction() as session:
        event = NewEvent(
            message_id=f"{name}-1",
            customer_id="c1",
            kind=EventKind.TRACK,
            name=name,
            properties=properties,
            context={},
            occurred_at=START + timedelta(hours=1),
            received_at=NOW,
        )
        await events.accept(session, [event])


class TestReasons:
    """Each reason that `deliver` gives, one thing standing against the message at a time."""

    async def check(self, office: Office, reason: Reason) -> None:
        assert await office.deliver() == not_sent(reason)
        assert office.provider.given == []
        row = await office.row()
        assert (row.decision, row.reason, row.channel) == (Decision.NOT_SENT, reason, None)
        assert await office.deliver() == not_sent(reason)  # and so for good

    async def test_unless(self, db: Database) -> None:
        office = await open_office(db, what=journey(step={"unless": "invited"}))
        await happened(office, "invited")
        await self.check(office, Reason.UNLESS)

    async def test_condition(self, db: Database) -> None:
        office = await open_office(db, what=journey(step={"when": "customer.plan == 'pro'"}))
        await self.check(office, Reason.CONDITION)

    async def test_holdout(self, db: Database) -> None:
        assert held_out(0.999, "trial", "c1")
        office = await open_office(db, what=journey(holdout=0.999))
        await self.check(office, Reason.HOLDOUT)

    async def test_no_consent(self, db: Database) -> None:
        office = await open_office(db, what=journey(topic="news"))
        await self.check(office, Reason.NO_CONSENT)

    async def test_unsubscribed(self, db: Database) -> None:
        office = await open_office(db)
        await office.unsubscribe()
        await self.check(office, Reason.UNSUBSCRIBED)

    async def test_unsubscribed_from_everything(self, db: Database) -> None:
        office = await open_office(db)
        await office.unsubscribe(topic=None)
        await self.check(office, Reason.UNSUBSCRIBED)

    async def test_suppressed(self, db: Database) -> None:
        office = await open_office(db)
        await office.suppress("Ann@Acme.example")
        await self.check(office, Reason.SUPPRESSED)

    async def test_no_address(self, db: Database) -> None:
        office = await open_office(db, traits={"name": "Ann"})
        await self.check(office, Reason.NO_ADDRESS)

    async def test_invalid_address(self, db: Database) -> None:
        office = await open_office(db, traits={"email": "ann at acme", "name": "Ann"})
        await self.check(office, Reason.INVALID_ADDRESS)

    async def test_quiet_hours_beyond_the_grace(self, db: Database) -> None:
        rules = policy(quiet_hours={"email": "08:00-10:00"})
        office = await open_office(db, rules=rules, what=journey(step={"grace": "30 minutes"}))
        order = office.order(delivery={"until": NOW + timedelta(minutes=30)})
        assert await office.deliver(order) == not_sent(Reason.QUIET_HOURS)

    async def test_capped_beyond_the_grace(self, db: Database) -> None:
        office = await open_office(db, rules=policy(caps=[{"max": 1, "per": "1 week"}]))
        coupon = office.order(delivery={"step": "coupon", "at": NOW - timedelta(hours=1)})
        assert (await office.deliver(coupon)).kind == "settled"
        assert await office.deliver() == not_sent(Reason.CAPPED)

    async def test_expired(self, db: Database) -> None:
        office = await open_office(db)
        late = DAY + timedelta(minutes=2)
        assert await office.deliver(after=late) == not_sent(Reason.EXPIRED)
        assert (await office.row()).reason is Reason.EXPIRED

    async def test_skipped(self, db: Database) -> None:
        office = await open_office(db)
        await office.change(skipped_steps=["tip", "coupon"])
        await self.check(office, Reason.SKIPPED)
        assert (await office.in_store()).skipped_steps == ["coupon"]

    async def test_provider_refused(self, db: Database) -> None:
        office = await open_office(db, FakeProvider([Refused("554 no thanks")]))
        assert await office.deliver() == not_sent(Reason.PROVIDER_REFUSED)
        row = await office.row()
        assert (row.reason, row.last_error) == (Reason.PROVIDER_REFUSED, "554 no thanks")
        async with db.reading() as session:
            assert not await suppressions.is_suppressed(session, "email", "ann@acme.example")

    async def test_an_address_that_is_refused_is_not_written_to_again(self, db: Database) -> None:
        office = await open_office(db, FakeProvider([Refused("550", bad_address=True)]))
        await office.deliver()
        coupon = office.order(delivery={"step": "coupon"})
        assert await office.deliver(coupon) == not_sent(Reason.SUPPRESSED)

    async def test_template_error_once_the_grace_is_over(self, db: Database) -> None:
        office = await open_office(db, texts={"tip": BROKEN})
        for hours in (0, 23):
            with pytest.raises(Trouble) as trouble:
                await office.deliver(after=timedelta(hours=hours))
            assert trouble.value.reason is Reason.TEMPLATE_ERROR
            assert await office.message() is None
        late = DAY + timedelta(minutes=2)
        assert await office.deliver(after=late) == not_sent(Reason.TEMPLATE_ERROR)

    async def test_provider_down_once_the_grace_is_over(self, db: Database) -> None:
        office = await open_office(db, FakeProvider([NotTaken("answered 503")] * 2))
        for hours in (0, 23):
            with pytest.raises(Trouble, match="fake did not take it: answered 503"):
                await office.deliver(after=timedelta(hours=hours))
        late = DAY + timedelta(minutes=2)
        assert await office.deliver(after=late) == not_sent(Reason.PROVIDER_DOWN)
        assert (await office.row()).reason is Reason.PROVIDER_DOWN
        assert len(office.provider.given) == 2


# Each with what makes it hold, in the order in which they are told (design, "Time", rule 11).
PRECEDENCE = [
    Reason.UNLESS,
    Reason.CONDITION,
    Reason.HOLDOUT,
    Reason.UNSUBSCRIBED,
    Reason.SUPPRESSED,
    Reason.CAPPED,
]


@pytest.mark.parametrize("first", range(len(PRECEDENCE)))
async def test_of_several_reasons_the_first_in_order_is_told(db: Database, first: int) -> None:
    stand = PRECEDENCE[first:]
    step: dict[str, Any] = {}
    if Reason.UNLESS in stand:
        step["unless"] = "invited"
    if Reason.CONDITION in stand:
        step["when"] = "false"
    what = journey(step=step, holdout=0.999 if Reason.HOLDOUT in stand else 0)
    office = await open_office(db, what=what, rules=policy(caps=[{"max": 1, "per": "1 week"}]))
    await happened(office, "invited")
    if what.holdout == 0:
        await office.deliver(office.order(delivery={"step": "coupon"}))
    if Reason.UNSUBSCRIBED in stand:
        await office.unsubscribe()
    if Reason.SUPPRESSED in stand:
        await office.suppress()
    assert await office.deliver() == not_sent(PRECEDENCE[first])

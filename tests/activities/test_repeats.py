"""A second attempt at one order: what may be done again, what may not, what nobody knows.

An attempt that died is played by a provider whose send never comes back.
"""

from datetime import timedelta
from typing import Any

import pytest

from activities.desk import Attempt, Trouble
from activities.providers.outcome import Accepted, Ambiguous, NotTaken, Refused
from engine.enrollment import Ended, NotBefore, Over, Settled, Settlement
from engine.reasons import Decision, Ending, Reason
from store import messages, offers
from store.database import Database
from store.tables import EnrollmentState
from tests.activities.given import (
    BROKEN,
    DAY,
    NOW,
    VOUCHER,
    FakeProvider,
    Office,
    journey,
    open_office,
    policy,
)

SENT = Settled(decision=Decision.SENT, channel="email", message="tip")
UNKNOWN = Settled(decision=Decision.UNKNOWN, channel="email", message="tip")
HOUR = timedelta(hours=1)


class Died(BaseException):
    """The worker is gone: nothing after this line of it ever ran."""


def without_keys(*answers: Any) -> FakeProvider:
    return FakeProvider(list(answers), remembers_keys_for=None)


async def die(office: Office) -> None:
    """An attempt whose worker dies while the provider has the mail."""

    async def killed() -> None:
        raise Died

    office.provider.meanwhile = killed
    with pytest.raises(Died):
        await office.deliver()
    office.provider.meanwhile = None


class TestAProviderThatHonoursKeys:
    async def test_an_ambiguous_message_is_sent_again_with_the_same_key_and_bytes(
        self, db: Database
    ) -> None:
        office = await open_office(db)
        await die(office)
        await office.traits(name="Anna")
        await office.publish({"tip": {"subject.txt": "Newer", "email.html": "<p>Hello</p>"}})
        assert await office.deliver(after=HOUR) == SENT
        first, second = office.provider.given
        assert first == second
        assert (await office.row()).attempts == 2

    async def test_no_answer_is_trouble_until_there_is_one(self, db: Database) -> None:
        office = await open_office(db, FakeProvider([Ambiguous("no answer")] * 2))
        for attempt in range(2):
            with pytest.raises(Trouble, match="nobody knows whether fake took it: no answer"):
                await office.deliver(after=attempt * HOUR)
        assert await office.deliver(after=2 * HOUR) == SENT
        assert len({mail.raw for mail in office.provider.given}) == 1

    async def test_it_is_never_sent_again_once_the_key_may_be_forgotten(self, db: Database) -> None:
        office = await open_office(db)
        await die(office)
        order = office.order(delivery={"until": NOW + 3 * DAY})
        assert await office.deliver(order, after=23 * HOUR) == UNKNOWN
        assert len(office.provider.given) == 1

    async def test_the_key_counts_from_when_it_may_first_have_been_used(self, db: Database) -> None:
        office = await open_office(db, FakeProvider([NotTaken("down"), Ambiguous("no answer")]))
        order = office.order(delivery={"until": NOW + 3 * DAY})
        with pytest.raises(Trouble):
            await office.deliver(order)
        with pytest.raises(Trouble):
            await office.deliver(order, after=30 * HOUR)
        assert await office.deliver(order, after=40 * HOUR) == SENT

    async def test_a_provider_that_took_over_from_another_does_not_know_its_keys(
        self, db: Database
    ) -> None:
        office = await open_office(db)
        await die(office)
        successor = FakeProvider(name="successor")
        assert await office.with_provider(successor).deliver(after=HOUR) == UNKNOWN
        assert successor.given == []

    async def test_what_is_refused_at_the_second_attempt_was_refused_at_the_first(
        self, db: Database
    ) -> None:
        office = await open_office(db, FakeProvider([Ambiguous("no answer"), Refused("422")]))
        with pytest.raises(Trouble):
            await office.deliver()
        answer = await office.deliver(after=HOUR)
        assert answer == Settled(decision=Decision.NOT_SENT, reason=Reason.PROVIDER_REFUSED)


class TestAProviderWithoutKeys:
    async def test_no_answer_leaves_a_marketing_message_to_a_person(self, db: Database) -> None:
        office = await open_office(db, without_keys(Ambiguous("no answer", "broke off")))
        assert await office.deliver() == UNKNOWN
        assert await office.deliver(after=HOUR) == UNKNOWN
        assert len(office.provider.given) == 1
        async with db.reading() as session:
            (row,) = await messages.unknown(session)
        assert (row.step, row.last_error) == ("tip", "no answer: broke off")

    async def test_a_worker_that_died_leaves_it_to_a_person_too(self, db: Database) -> None:
        office = await open_office(db, without_keys())
        await die(office)
        assert await office.deliver(after=HOUR) == UNKNOWN
        assert len(office.provider.given) == 1

    async def test_a_transactional_message_is_sent_again_once(self, db: Database) -> None:
        provider = without_keys(Ambiguous("no answer"), Ambiguous("no answer"))
        office = await open_office(db, provider, what=journey(topic=None, transactional=True))
        with pytest.raises(Trouble):
            await office.deliver()
        assert await office.deliver(after=HOUR) == UNKNOWN
        assert await office.deliver(after=2 * HOUR) == UNKNOWN
        first, second = provider.given
        assert first == second

    async def test_a_transactional_message_gets_through_at_the_second_attempt(
        self, db: Database
    ) -> None:
        office = await open_office(db, without_keys(), what=journey(topic=None, transactional=True))
        await die(office)
        assert await office.deliver(after=HOUR) == SENT
        assert len(office.provider.given) == 2

    async def test_a_second_copy_that_is_refused_says_nothing_of_the_first(
        self, db: Database
    ) -> None:
        provider = without_keys(Ambiguous("no answer"), Refused("554"))
        office = await open_office(db, provider, what=journey(topic=None, transactional=True))
        with pytest.raises(Trouble):
            await office.deliver()
        assert await office.deliver(after=HOUR) == UNKNOWN

    async def test_a_message_that_was_certainly_not_taken_is_sent_again(self, db: Database) -> None:
        office = await open_office(db, without_keys(NotTaken("answered 451"), Accepted()))
        with pytest.raises(Trouble):
            await office.deliver()
        assert await office.deliver(after=HOUR) == SENT
        assert len({mail.raw for mail in office.provider.given}) == 1


async def test_an_outage_after_an_ambiguous_attempt_does_not_make_it_certain(
    db: Database,
) -> None:
    office = await open_office(db, FakeProvider([Ambiguous("no answer"), NotTaken("down")]))
    for attempt in range(2):
        with pytest.raises(Trouble):
            await office.deliver(after=attempt * HOUR)
    assert await office.deliver(after=DAY + HOUR) == UNKNOWN


async def test_an_attempt_taken_for_dead_that_comes_back_says_what_became_of_it(
    db: Database,
) -> None:
    office = await open_office(db, without_keys())

    async def another_attempt() -> None:
        office.provider.meanwhile = None
        assert await office.deliver(after=HOUR) == UNKNOWN

    office.provider.meanwhile = another_attempt
    assert await office.deliver() == SENT
    assert (await office.row()).decision is Decision.SENT
    assert len(office.provider.given) == 1


class TestWhatIsAskedAgain:
    """Before a further attempt: exit, consent and grace, and for a claim that nobody has, all."""

    async def ambiguous(self, db: Database, **given: Any) -> Office:
        office = await open_office(db, **given)
        await die(office)
        return office

    async def not_taken(self, db: Database, **given: Any) -> Office:
        office = await open_office(db, FakeProvider([NotTaken("down")]), **given)
        with pytest.raises(Trouble):
            await office.deliver()
        return office

    async def test_an_exit_stops_an_ambiguous_message_and_ends_the_enrollment(
        self, db: Database
    ) -> None:
        office = await self.ambiguous(db)
        await office.exit()
        assert isinstance(await office.deliver(after=HOUR), Over)
        assert (await office.row()).decision is Decision.UNKNOWN
        assert len(office.provider.given) == 1

    async def test_an_exit_takes_back_a_claim_that_nobody_has(self, db: Database) -> None:
        office = await self.not_taken(db)
        await office.exit()
        assert isinstance(await office.deliver(after=HOUR), Over)
        assert await office.message() is None
        assert len(office.provider.given) == 1

    async def test_who_unsubscribed_is_not_sent_an_ambiguous_message_again(
        self, db: Database
    ) -> None:
        office = await self.ambiguous(db)
        await office.unsubscribe()
        assert await office.deliver(after=HOUR) == UNKNOWN
        assert len(office.provider.given) == 1

    async def test_who_unsubscribed_during_an_outage_gets_nothing(self, db: Database) -> None:
        office = await self.not_taken(db)
        await office.unsubscribe()
        answer = await office.deliver(after=HOUR)
        assert answer == Settled(decision=Decision.NOT_SENT, reason=Reason.UNSUBSCRIBED)
        assert (await office.row()).reason is Reason.UNSUBSCRIBED

    async def test_a_suppressed_address_is_not_written_to_again(self, db: Database) -> None:
        office = await self.ambiguous(db)
        await office.suppress()
        assert await office.deliver(after=HOUR) == UNKNOWN

    async def test_the_grace_stops_an_ambiguous_message(self, db: Database) -> None:
        office = await self.ambiguous(db)
        order = office.order(delivery={"until": NOW + HOUR})
        assert await office.deliver(order, after=2 * HOUR) == UNKNOWN

    async def test_activity_does_not_stop_an_ambiguous_message(self, db: Database) -> None:
        office = await self.ambiguous(db, what=journey(step={"unless": "invited"}))
        order = office.order(delivery={"idle_since": NOW - 10 * DAY})
        assert await office.deliver(order, after=HOUR) == SENT

    async def test_a_pause_leaves_an_ambiguous_message_to_a_person(self, db: Database) -> None:
        office = await self.ambiguous(db)
        await office.change(paused_at=NOW)
        assert await office.deliver(after=HOUR) == UNKNOWN

    async def test_quiet_hours_take_back_a_claim_that_nobody_has(self, db: Database) -> None:
        rules = policy(quiet_hours={"email": "08:00-10:00"})
        office = await self.not_taken(db)
        await office.publish(rules=rules)
        answer = await office.deliver()
        assert answer == NotBefore(until=NOW + HOUR, reason=Reason.QUIET_HOURS)
        assert await office.message() is None
        later = office.order(delivery={"at": NOW + HOUR})
        assert await office.deliver(later, after=HOUR) == SENT

    async def test_a_claim_does_not_count_against_itself_for_a_cap(self, db: Database) -> None:
        office = await self.not_taken(db, rules=policy(caps=[{"max": 1, "per": "1 week"}]))
        assert await office.deliver(after=HOUR) == SENT

    async def test_a_skip_settles_a_claim_that_nobody_has(self, db: Database) -> None:
        office = await self.not_taken(db)
        await office.change(skipped_steps=["tip"])
        answer = await office.deliver(after=HOUR)
        assert answer == Settled(decision=Decision.NOT_SENT, reason=Reason.SKIPPED)
        assert (await office.in_store()).skipped_steps == []

    async def test_a_new_address_during_an_outage_is_the_one_written_to(self, db: Database) -> None:
        office = await self.not_taken(db)
        await office.traits(email="ann@new.example")
        assert await office.deliver(after=HOUR) == SENT
        assert [mail.recipient for mail in office.provider.given] == [
            "ann@acme.example",
            "ann@new.example",
        ]
        assert (await office.row()).address == "ann@new.example"

    async def test_a_template_that_broke_meanwhile_does_not_matter_to_stored_bytes(
        self, db: Database
    ) -> None:
        office = await self.not_taken(db)
        await office.publish({"tip": BROKEN})
        assert await office.deliver(after=HOUR) == SENT


async def test_an_offer_is_made_once_however_often_its_message_is_tried(db: Database) -> None:
    step = {"send": "coupon", "id": "tip", "at": "start + 1 day"}
    what = journey(steps=[{**step, "offer": {"percent": 20, "valid": "5 days"}}])
    provider = FakeProvider([NotTaken("down"), Ambiguous("no answer")])
    office = await open_office(db, provider, what=what, texts={"coupon": VOUCHER})
    for attempt in range(2):
        with pytest.raises(Trouble):
            await office.deliver(after=attempt * HOUR)
    await office.deliver(after=2 * HOUR)
    async with db.reading() as session:
        (offer,) = await offers.of_customer(session, "c1")
    assert all(offer.code.encode() in mail.raw for mail in provider.given)
    assert len(provider.given) == 3


async def test_an_offer_goes_with_the_claim_that_is_taken_back(db: Database) -> None:
    step = {"send": "coupon", "id": "tip", "at": "start + 1 day"}
    what = journey(steps=[{**step, "offer": {"percent": 20, "valid": "5 days"}}])
    provider = FakeProvider([NotTaken("down")])
    office = await open_office(db, provider, what=what, texts={"coupon": VOUCHER})
    with pytest.raises(Trouble):
        await office.deliver()
    await office.traits(email="ann@new.example")
    await office.deliver(after=HOUR)
    async with db.reading() as session:
        (offer,) = await offers.of_customer(session, "c1")
    assert offer.code.encode() in provider.given[1].raw


class TestSettleOnly:
    """The workflow has no more use for the message: nothing new is begun."""

    def last(self, office: Office, **changes: Any) -> Any:
        return office.order(settle_only=True, **changes)

    async def test_where_nothing_was_claimed_nothing_is_sent(self, db: Database) -> None:
        office = await open_office(db)
        assert await office.deliver(self.last(office)) == NotBefore()
        assert office.provider.given == []

    async def test_what_was_sent_is_answered(self, db: Database) -> None:
        office = await open_office(db)
        await office.deliver()
        assert await office.deliver(self.last(office)) == SENT

    async def test_what_may_be_out_is_unknown_and_not_sent_again(self, db: Database) -> None:
        office = await open_office(db)
        await die(office)
        assert await office.deliver(self.last(office)) == UNKNOWN
        assert len(office.provider.given) == 1

    async def test_a_claim_that_nobody_has_is_taken_back(self, db: Database) -> None:
        office = await open_office(db, FakeProvider([NotTaken("down")]))
        with pytest.raises(Trouble):
            await office.deliver()
        assert await office.deliver(self.last(office)) == NotBefore()
        assert await office.message() is None

    async def test_what_was_foretold_is_not_written(self, db: Database) -> None:
        office = await open_office(db)
        await die(office)
        ended = Ended(ending=Ending.COMPLETED, at=NOW)
        await office.deliver(self.last(office, report={"ended": ended}))
        assert (await office.in_store()).state is EnrollmentState.OPEN

    async def test_what_the_engine_decided_is_written_all_the_same(self, db: Database) -> None:
        office = await open_office(db)
        decided = Settlement(step="coupon", occurrence="start", decision=Decision.NOT_SENT, at=NOW)
        await office.deliver(self.last(office, report={"decided": (decided,)}))
        coupon = office.order(delivery={"step": "coupon"})
        assert (await office.row(coupon)).decision is Decision.NOT_SENT


async def test_an_attempt_knows_its_key_and_its_deadline(db: Database) -> None:
    office = await open_office(db)
    attempt = Attempt(office.order(), NOW + DAY + timedelta(minutes=1))
    assert attempt.key == "trial:c1/tip/start"
    assert not attempt.is_past_deadline  # exactly at it, a message still goes out

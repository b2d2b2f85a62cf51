"""What one delivery comes to: sent, not yet, over; and what it writes down on the way."""

from datetime import timedelta
from decimal import Decimal

import pytest

from activities.desk import Trouble
from activities.providers.mailbox import MailboxProvider
from activities.providers.outcome import Ambiguous
from engine.enrollment import Ended, NotBefore, Over, Settled, Settlement
from engine.orders import Next
from engine.reasons import Decision, Ending, Reason
from store import mailbox, messages, offers
from store.database import Database
from store.tables import ConsentState, EnrollmentState
from tests.activities.given import (
    BROKEN,
    COUPON,
    DAY,
    NOW,
    START,
    VOUCHER,
    FakeProvider,
    enroll,
    journey,
    open_office,
    policy,
    publish,
    say,
)

SENT = Settled(decision=Decision.SENT, channel="email", message="tip")


def not_sent(reason: Reason) -> Settled:
    return Settled(decision=Decision.NOT_SENT, reason=reason)


async def test_a_message_goes_out_and_its_row_says_what_was_sent(db: Database) -> None:
    office = await open_office(db)
    assert await office.deliver() == SENT
    (mail,) = office.provider.given
    row = await office.row()
    assert (row.decision, row.reason, row.channel) == (Decision.SENT, None, "email")
    assert (row.body, row.subject) == (mail.raw, "A tip for Ann")
    assert (row.address, row.sender) == ("ann@acme.example", "hello@acme.example")
    assert (row.provider, row.provider_message_id) == ("fake", "p-1")
    assert (row.decided_at, row.sent_at, row.attempts) == (NOW, NOW, 1)


async def test_a_step_that_is_settled_is_answered_and_not_sent_again(db: Database) -> None:
    office = await open_office(db)
    first = await office.deliver()
    assert await office.deliver(after=timedelta(hours=1)) == first
    assert len(office.provider.given) == 1


async def test_an_address_in_other_letters_is_written_to_in_punycode(db: Database) -> None:
    office = await open_office(db, traits={"email": " ann@münchen.example ", "name": "Ann"})
    await office.deliver()
    assert office.provider.given[0].recipient == "ann@xn--mnchen-3ya.example"


async def test_the_mailbox_keeps_the_mail_once(db: Database) -> None:
    provider = MailboxProvider(db, lambda: NOW)
    office = await open_office(db, provider)
    assert await office.deliver() == SENT
    row = await office.row()
    async with db.reading() as session:
        kept = await mailbox.by_key(session, row.key)
    assert kept is not None
    assert (kept.raw, kept.at, kept.customer_id) == (row.body, NOW, "c1")


class TestNotYet:
    async def test_a_customer_who_was_active_meanwhile_is_asked_about_later(
        self, db: Database
    ) -> None:
        what = journey(step={"after_idle": "10 days", "at": None})
        office = await open_office(db, what=what)
        order = office.order(delivery={"idle_since": START - DAY})
        assert await office.deliver(order) == NotBefore(last_activity_at=START)
        assert await office.message(order) is None
        row = await office.in_store()
        assert (row.next_step, row.next_at) == ("tip", START + timedelta(days=10))

    async def test_quiet_hours_put_it_off_until_they_end(self, db: Database) -> None:
        office = await open_office(db, rules=policy(quiet_hours={"email": "08:00-10:00"}))
        then = NOW + timedelta(hours=1)
        expected = NotBefore(until=then, reason=Reason.QUIET_HOURS)
        assert await office.deliver() == expected
        assert (await office.in_store()).next_at == then

    async def test_a_paused_enrollment_waits_until_its_workflow_has_heard(
        self, db: Database
    ) -> None:
        office = await open_office(db)
        await office.change(paused_at=NOW)
        answer = await office.deliver(after=timedelta(hours=2))
        assert answer == NotBefore(until=NOW + timedelta(hours=2, minutes=1))
        assert office.provider.given == []


class TestOver:
    async def test_a_closed_enrollment_ends_its_workflow(self, db: Database) -> None:
        office = await open_office(db)
        await office.exit()
        ended = Over(ending=Ending.EXITED, by="trial_cancelled", at=NOW)
        assert await office.deliver() == ended
        assert await office.message() is None

    async def test_an_enrollment_that_the_store_does_not_know_is_over(self, db: Database) -> None:
        office = await open_office(db)
        order = office.order(report={"enrollment_id": "trial:nobody"})
        answer = await office.deliver(order)
        assert isinstance(answer, Over)
        assert answer.ending is Ending.CANCELLED


class TestTheReport:
    """What rides along is true after the answer, and written once."""

    async def test_what_comes_next_is_written_with_the_message(self, db: Database) -> None:
        office = await open_office(db)
        following = Next(step="coupon", at=NOW + 4 * DAY)
        await office.deliver(office.order(report={"next": following}))
        row = await office.in_store()
        assert (row.next_step, row.next_at) == ("coupon", following.at)

    async def test_the_end_is_written_with_the_last_message(self, db: Database) -> None:
        office = await open_office(db)
        order = office.order(report={"ended": Ended(ending=Ending.COMPLETED, at=NOW)})
        await office.deliver(order)
        row = await office.in_store()
        assert (row.state, row.ended_at) == (EnrollmentState.COMPLETED, NOW)

    async def test_the_end_is_not_written_where_it_was_foretold_for_a_message_that_went_out(
        self, db: Database
    ) -> None:
        office = await open_office(db)
        await office.unsubscribe()
        order = office.order(report={"ended": Ended(ending=Ending.COMPLETED, at=NOW)})
        await office.deliver(order)
        assert (await office.in_store()).state is EnrollmentState.OPEN
        held = order.model_copy(update={"holds_if_not_sent": True})
        other = office.order(delivery={"step": "coupon"}).model_copy(
            update={"report": held.report, "holds_if_not_sent": True}
        )
        await office.deliver(other)
        assert (await office.in_store()).state is EnrollmentState.COMPLETED

    async def test_what_the_engine_decided_is_written_once_whatever_the_answer(
        self, db: Database
    ) -> None:
        office = await open_office(db)
        await office.change(paused_at=NOW)
        decided = Settlement(
            step="coupon",
            occurrence="start",
            decision=Decision.NOT_SENT,
            reason=Reason.EXPIRED,
            at=NOW,
        )
        order = office.order(report={"decided": (decided,)})
        await office.deliver(order)
        await office.deliver(order)
        async with db.reading() as session:
            rows = await messages.of_enrollment(session, office.enrollment)
        assert [(row.step, row.reason) for row in rows] == [("coupon", Reason.EXPIRED)]


async def test_the_newest_published_text_goes_out(db: Database) -> None:
    office = await open_office(db)
    await office.publish({"tip": {"subject.txt": "Newer", "email.html": "<p>Hello</p>"}})
    await office.deliver()
    assert (await office.row()).subject == "Newer"


async def test_a_message_goes_out_once_its_template_is_mended(db: Database) -> None:
    office = await open_office(db, texts={"tip": BROKEN})
    with pytest.raises(Trouble):
        await office.deliver()
    await office.publish()
    assert await office.deliver(after=timedelta(hours=3)) == SENT


async def test_a_folder_that_is_no_longer_published_is_a_template_error(db: Database) -> None:
    office = await open_office(db)
    await office.publish({"coupon": COUPON})
    with pytest.raises(Trouble, match="tip: this message is no longer published") as trouble:
        await office.deliver()
    assert trouble.value.reason is Reason.TEMPLATE_ERROR
    await office.unsubscribe()
    assert await office.deliver() == not_sent(Reason.UNSUBSCRIBED)  # the gate is asked first


async def test_a_condition_in_error_is_trouble_and_quotes_no_data(db: Database) -> None:
    office = await open_office(db, what=journey(step={"when": "customer.name + 1 > 2"}))
    with pytest.raises(Trouble) as trouble:
        await office.deliver()
    assert trouble.value.reason is Reason.TEMPLATE_ERROR
    assert "Ann" not in str(trouble.value)


async def test_a_channel_that_nobody_carries_is_trouble(db: Database) -> None:
    office = await open_office(
        db,
        what=journey(step={"channels": ["sms"]}),
        traits={"phone": "+33600000000"},
        texts={"tip": {"sms.txt": "Hello"}},
    )
    with pytest.raises(Trouble, match="nobody is set up to carry sms"):
        await office.deliver()
    late = DAY + timedelta(minutes=2)
    assert await office.deliver(after=late) == not_sent(Reason.PROVIDER_DOWN)


async def test_a_transactional_message_needs_no_consent_and_offers_no_way_out(
    db: Database,
) -> None:
    office = await open_office(db, what=journey(topic=None, transactional=True))
    await office.unsubscribe(topic=None)
    assert await office.deliver() == SENT
    assert b"List-Unsubscribe" not in office.provider.given[0].raw


async def test_a_condition_sees_what_was_sent_before(db: Database) -> None:
    what = journey(step={"when": "sent('coupon')"})
    office = await open_office(db, what=what)
    await office.deliver(office.order(delivery={"step": "coupon"}))
    assert await office.deliver() == SENT


async def test_an_unknown_message_counts_as_sent_for_caps(db: Database) -> None:
    provider = FakeProvider([Ambiguous("no answer")], remembers_keys_for=None)
    office = await open_office(db, provider, rules=policy(caps=[{"max": 1, "per": "1 week"}]))
    first = await office.deliver(office.order(delivery={"step": "coupon"}))
    assert isinstance(first, Settled)
    assert first.decision is Decision.UNKNOWN
    assert await office.deliver() == not_sent(Reason.CAPPED)


async def test_an_offer_is_made_for_the_customer_and_its_code_is_in_the_mail(
    db: Database,
) -> None:
    terms = {"percent": 20, "valid": "5 days"}
    what = journey(step={"send": "coupon", "id": "tip", "offer": terms})
    what = journey(steps=[what.steps[0].model_dump(by_alias=True, exclude_defaults=True)])
    office = await open_office(db, what=what, texts={"coupon": VOUCHER})
    await office.deliver()
    async with db.reading() as session:
        (offer,) = await offers.of_customer(session, "c1")
    last = (NOW + 5 * DAY).replace(hour=23, minute=59, second=59, microsecond=0)
    assert (offer.percent, offer.valid_until_at) == (Decimal(20), last)
    assert offer.code.encode() in office.provider.given[0].raw


async def test_a_customer_of_another_enrollment_is_left_alone(db: Database) -> None:
    office = await open_office(db)
    async with db.transaction() as session:
        await enroll(session, office.journey, "c2", {"email": "bob@acme.example", "name": "Bob"})
        await say(session, "c2", ConsentState.UNSUBSCRIBED, None)
    assert await office.deliver() == SENT
    await publish(db, office.journey, policy())

"""The small groups: the mailbox, offers, delivery events, and the audit log."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.exc import InvalidRequestError

from store import audit, delivery_events, mailbox, offers
from store.database import Database
from store.tables import AuditEntry, DeliveryEvent, MailboxMail, Offer
from tests.store.given import DAY, HOUR, NOON, a_customer, an_enrollment


async def test_a_mail_with_a_key_that_came_before_is_the_same_mail(db: Database) -> None:
    async with db.transaction() as session:
        assert await mailbox.put(session, _mail("k1", subject="first"))
        assert not await mailbox.put(session, _mail("k1", subject="second"))
        assert await mailbox.count(session) == 1
        kept = await mailbox.by_key(session, "k1")
    assert kept is not None
    assert (kept.subject, kept.raw) == ("first", b"raw\0bytes")


async def test_mails_are_listed_newest_first_and_without_their_bytes(db: Database) -> None:
    async with db.transaction() as session:
        await mailbox.put(session, _mail("k1"))
        await mailbox.put(session, _mail("k3", at=NOON + DAY, customer_id="c2", recipient="bo@x"))
        await mailbox.put(session, _mail("k2", at=NOON + HOUR))
    async with db.reading() as session:
        listed = await mailbox.newest(session)
        assert [mail.key for mail in listed] == ["k3", "k2", "k1"]
        with pytest.raises(InvalidRequestError, match="raw"):
            _ = listed[0].raw
        assert [m.key for m in await mailbox.newest(session, customer_id="c1")] == ["k2", "k1"]
        assert [m.key for m in await mailbox.newest(session, recipient="bo@x")] == ["k3"]
        assert [m.key for m in await mailbox.newest(session, limit=1, offset=1)] == ["k2"]
        number = listed[0].id
        assert number is not None
        opened = await mailbox.get(session, number)
        assert opened is not None
        assert opened.raw == b"raw\0bytes"


async def test_a_message_has_one_offer_however_often_it_is_asked_for(url: str) -> None:
    stores = [Database(url), Database(url)]
    async with stores[0].transaction() as session:
        await an_enrollment(session)

    async def issue(number: int) -> str:
        async with stores[number % 2].transaction() as session:
            return (await offers.issue(session, _offer(code=f"CODE{number}"))).code

    codes = await asyncio.gather(*(issue(number) for number in range(10)))
    async with stores[0].reading() as session:
        (kept,) = await offers.of_customer(session, "c1")
    for store in stores:
        await store.dispose()
    assert set(codes) == {kept.code}
    assert kept.percent == Decimal(20)


async def test_an_offer_is_redeemed_once_and_in_time(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        await offers.issue(session, _offer())
        assert not await offers.redeem(session, "CODE", NOON + 5 * DAY + HOUR)
        assert await offers.redeem(session, "CODE", NOON + 5 * DAY)
        assert not await offers.redeem(session, "CODE", NOON + 5 * DAY)
        assert not await offers.redeem(session, "OTHER", NOON)
        kept = await offers.by_code(session, "CODE")
    assert kept is not None
    assert kept.redeemed_at == NOON + 5 * DAY


async def test_a_delivery_event_told_twice_is_kept_once(db: Database) -> None:
    async with db.transaction() as session:
        await a_customer(session)
        assert await delivery_events.record(session, _clicked("p1", "k1"))
        assert not await delivery_events.record(session, _clicked("p1", "k2"))
        assert await delivery_events.record(session, _clicked("p2", "k3", kind="opened"))
    async with db.reading() as session:
        assert [each.kind for each in await delivery_events.of_message(session, "k1")] == [
            "clicked"
        ]


async def test_the_audit_log_tells_who_did_what_to_whom(db: Database) -> None:
    async with db.transaction() as session:
        for actor, enrollment in [("ada", "trial:c1"), ("bo", "trial:c2"), ("cy", "trial:c1")]:
            await audit.record(session, AuditEntry(
                at=NOON, actor=actor, action="paused", enrollment_id=enrollment,
                customer_id=enrollment[-2:], details={"why": "asked"},
            ))  # fmt: skip
    async with db.reading() as session:
        assert [e.actor for e in await audit.newest(session)] == ["cy", "bo", "ada"]
        mine = await audit.newest(session, enrollment_id="trial:c1")
        assert [(e.actor, e.details) for e in mine][1] == ("ada", {"why": "asked"})
        assert [e.actor for e in await audit.newest(session, customer_id="c2")] == ["bo"]
        assert len(await audit.newest(session, limit=2)) == 2


def _mail(key: str, **changes: Any) -> MailboxMail:
    given: dict[str, Any] = {
        "at": NOON,
        "sender": "hello@acme.example",
        "recipient": "ada@example.org",
        "subject": "A tip",
        "raw": b"raw\0bytes",
        "customer_id": "c1",
        "headers": {"Message-ID": "<x@acme.example>"},
    }
    return MailboxMail(key=key, **{**given, **changes})


def _offer(code: str = "CODE") -> Offer:
    return Offer(
        code=code,
        customer_id="c1",
        enrollment_id="trial:c1",
        journey="trial",
        step="coupon",
        percent=Decimal(20),
        valid_until_at=NOON + 5 * DAY,
        message_key="trial:c1/coupon/x",
    )


def _clicked(provider_event_id: str, message_key: str, kind: str = "clicked") -> DeliveryEvent:
    return DeliveryEvent(
        provider_event_id=provider_event_id,
        message_key=message_key,
        customer_id="c1",
        kind=kind,
        at=NOON,
        received_at=NOON,
        provider="resend",
    )

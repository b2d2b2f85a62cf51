"""Messages: claimed at most once, settled at most once."""

import asyncio

import pytest
from sqlalchemy.exc import InvalidRequestError

from engine.reasons import Decision, Reason
from store import messages
from store.database import Database
from store.tables import Message
from tests.store.given import DAY, HOUR, NOON, a_claim, an_enrollment

KEY = "trial:c1/tip/start"


async def test_of_fifty_claims_of_one_key_exactly_one_wins(url: str) -> None:
    stores = [Database(url) for _ in range(5)]
    async with stores[0].transaction() as session:
        await an_enrollment(session)

    async def claim(number: int) -> bool:
        async with stores[number % 5].transaction() as session:
            return await messages.claim(session, a_claim(subject=f"claim {number}"))

    won = await asyncio.gather(*(claim(number) for number in range(50)))
    async with stores[0].reading() as session:
        kept = await messages.get_by_key(session, KEY)
    for store in stores:
        await store.dispose()
    assert won.count(True) == 1
    assert kept is not None
    assert kept.subject == f"claim {won.index(True)}"


async def test_a_claim_keeps_the_finished_bytes(db: Database) -> None:
    body = bytes(range(256))
    await _claim(db, a_claim(body=body))
    kept = await _get(db)
    assert (kept.body, kept.decision, kept.claimed_at) == (body, None, NOON)


async def test_a_claim_knows_its_number(db: Database) -> None:
    claimed = a_claim()
    await _claim(db, claimed)
    assert claimed.id == (await _get(db)).id


async def test_a_claim_is_settled_once_and_the_first_settlement_stays(db: Database) -> None:
    await _claim(db, a_claim())
    async with db.transaction() as session:
        assert await messages.settle(
            session, KEY, Decision.SENT, sent_at=NOON + HOUR, provider="smtp",
            provider_message_id="p1",
        )  # fmt: skip
        assert not await messages.settle(session, KEY, Decision.UNKNOWN, error="too late")
    kept = await _get(db)
    assert (kept.decision, kept.sent_at, kept.provider) == (Decision.SENT, NOON + HOUR, "smtp")
    assert (kept.provider_message_id, kept.last_error) == ("p1", None)


async def test_a_refusal_keeps_its_reason_and_what_the_provider_said(db: Database) -> None:
    await _claim(db, a_claim(provider="smtp"))
    async with db.transaction() as session:
        await messages.settle(
            session, KEY, Decision.NOT_SENT, reason=Reason.PROVIDER_REFUSED, error="550 no"
        )
    kept = await _get(db)
    assert (kept.decision, kept.reason) == (Decision.NOT_SENT, Reason.PROVIDER_REFUSED)
    assert (kept.provider, kept.last_error) == ("smtp", "550 no")


async def test_what_was_never_claimed_can_not_be_settled(db: Database) -> None:
    async with db.transaction() as session:
        assert not await messages.settle(session, KEY, Decision.SENT)


async def test_a_step_decided_without_a_send_is_a_row_too(db: Database) -> None:
    decided = a_claim(decision=Decision.NOT_SENT, reason=Reason.CONDITION, claimed_at=None)
    await _claim(db, decided)
    async with db.transaction() as session:
        assert not await messages.claim(session, a_claim())
    assert (await _get(db)).reason is Reason.CONDITION


async def test_attempts_are_counted_while_claimed_and_no_longer(db: Database) -> None:
    await _claim(db, a_claim())
    async with db.transaction() as session:
        assert await messages.count_attempt(session, KEY) == 1
        assert await messages.count_attempt(session, KEY) == 2
        await messages.note_error(session, KEY, "503")
        await messages.settle(session, KEY, Decision.SENT)
        assert await messages.count_attempt(session, KEY) == 0
        await messages.note_error(session, KEY, "after the fact")
    kept = await _get(db)
    assert (kept.attempts, kept.last_error) == (2, "503")


async def test_a_person_decides_what_is_unknown_and_nothing_else(db: Database) -> None:
    await _claim(db, a_claim())
    async with db.transaction() as session:
        assert not await messages.resolve_unknown(session, KEY, Decision.SENT)
        await messages.settle(session, KEY, Decision.UNKNOWN)
        assert [row.key for row in await messages.unknown(session)] == [KEY]
        assert await messages.resolve_unknown(session, KEY, Decision.SENT)
        assert await messages.unknown(session) == []
    assert (await _get(db)).decision is Decision.SENT


async def test_claims_that_nobody_settled_are_found(db: Database) -> None:
    await _claim(
        db,
        a_claim("old", NOON - DAY),
        a_claim("settled", NOON - DAY, decision=Decision.SENT),
        a_claim("new", NOON),
    )
    async with db.reading() as session:
        stale = await messages.stale_claims(session, NOON)
    assert [row.step for row in stale] == ["old"]


async def test_decisions_are_listed_by_their_time(db: Database) -> None:
    await _claim(db, a_claim("second", NOON + HOUR), a_claim("first", NOON))
    async with db.reading() as session:
        told = [row.step for row in await messages.of_enrollment(session, "trial:c1")]
        newest = [row.step for row in await messages.of_customer(session, "c1")]
        one = [row.step for row in await messages.of_customer(session, "c1", limit=1)]
    assert told == ["first", "second"]
    assert newest == ["second", "first"]
    assert one == ["second"]


async def test_lists_come_without_the_bytes_and_say_so(db: Database) -> None:
    await _claim(db, a_claim())
    async with db.reading() as session:
        (row,) = await messages.of_enrollment(session, "trial:c1")
        with pytest.raises(InvalidRequestError, match="body"):
            _ = row.body
        full = await messages.get_by_key(session, KEY)
        assert full is not None
        assert full.body == b"finished bytes"


async def test_a_provider_s_id_leads_back_to_the_message(db: Database) -> None:
    await _claim(db, a_claim())
    async with db.transaction() as session:
        await messages.settle(session, KEY, Decision.SENT, provider_message_id="p1")
    async with db.reading() as session:
        found = await messages.by_provider_message_id(session, "p1")
        assert found is not None
        assert found.key == KEY
        assert await messages.by_provider_message_id(session, "p2") is None


async def _claim(db: Database, *rows: Message) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        for row in rows:
            assert await messages.claim(session, row)


async def _get(db: Database) -> Message:
    async with db.reading() as session:
        row = await messages.get_by_key(session, KEY)
    assert row is not None
    return row

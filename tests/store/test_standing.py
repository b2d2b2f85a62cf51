"""How a customer stands towards a send: one statement for all that is asked, and no more."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import product

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from engine.caps import PastMessage
from engine.consent import Spoken
from engine.reasons import Decision
from store import consents, delivery_events, messages, standing, suppressions
from store.database import Database
from store.standing import Past, Standing
from store.tables import Consent, ConsentState, DeliveryEvent, Message, Suppression
from tests.store.given import HOUR, NOON, a_claim, an_enrollment

_CHANNELS, _TOPICS = (None, "email", "sms"), (None, "news", "onboarding")
_ADDRESSES = ["ada@x.example", "Ada@X.example ", "bo@x.example", "+33612345678", "eve@x.example"]


async def test_caps_count_what_is_under_way_and_what_may_have_been_sent(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        for claim in (
            a_claim("claimed", NOON + 5 * HOUR),
            a_claim("before", NOON, decision=Decision.SENT),
            a_claim("at", NOON + HOUR, decision=Decision.SENT),
            a_claim("unknown", NOON + 3 * HOUR, decision=Decision.UNKNOWN),
            a_claim("refused", NOON + 4 * HOUR, decision=Decision.NOT_SENT),
            a_claim("sent", NOON + 2 * HOUR, decision=Decision.SENT),
        ):
            assert await messages.claim(session, claim)
    assert await _steps(db, Past(NOON + HOUR)) == ["sent", "unknown", "claimed"]
    assert await _steps(db, Past(None)) == ["before", "at", "sent", "unknown", "claimed"]
    assert await _steps(db, Past(None, besides="trial:c1/sent/start")) == [
        "before", "at", "unknown", "claimed",
    ]  # fmt: skip
    assert await _steps(db, Past(None), "c2") == []


async def test_a_message_is_clicked_by_its_reader_and_by_no_machine(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        for step in ("clicked", "scanned", "opened", "left"):
            assert await messages.claim(session, a_claim(step, decision=Decision.SENT))
        for message in (
            _happened("trial:c1/clicked/start"),
            _happened("trial:c1/scanned/start", is_machine=True),
            _happened("trial:c1/opened/start", kind="opened"),
        ):
            assert await delivery_events.record(session, message)
    async with db.reading() as session:
        asked = await _read(session, past=Past(None, clicks=True))
        unasked = await _read(session, past=Past(None))
    assert [each.step for each in asked.sent if each.clicked] == ["clicked"]
    assert [each.step for each in unasked.sent if each.clicked] == []


@pytest.mark.parametrize("seed", range(3))
async def test_one_statement_says_what_each_question_by_itself_would(
    db: Database, seed: int
) -> None:
    chance = random.Random(seed)
    async with db.transaction() as session:
        sent, clicked = await _stock(session, chance)
    besides = chance.choice(sent).key
    async with db.reading() as session:
        words = tuple(_spoken(row) for row in await consents.of_customer(session, "c1"))
        bad = await suppressions.suppressed_among(session, _pairs())
        assert words
        assert bad
        for said, since, clicks, some in product(
            (False, True), (None, NOON + 3 * HOUR), (False, True), (False, True)
        ):
            past = Past(since, besides=besides, clicks=clicks)
            for each in (None, past):
                with _counted(db) as statements:
                    found = await _read(session, said=said, past=each, addresses=some)
                assert len(statements) == (1 if said or each or some else 0)
                assert found == Standing(
                    said=words if said else (),
                    sent=_meant(sent, clicked, each),
                    blocked=bad if some else frozenset(),
                )


async def _read(
    session: AsyncSession,
    *,
    customer: str = "c1",
    said: bool = False,
    past: Past | None = None,
    addresses: bool = False,
) -> Standing:
    pairs = _pairs() if addresses else []
    return await standing.read(session, customer, said=said, past=past, addresses=pairs)


async def _steps(db: Database, past: Past, customer: str = "c1") -> list[str]:
    async with db.reading() as session:
        found = await _read(session, customer=customer, past=past)
    return [each.step for each in found.sent]


def _pairs() -> list[tuple[str, str]]:
    return [(channel, each) for channel in ("email", "sms") for each in _ADDRESSES]


async def _stock(session: AsyncSession, chance: random.Random) -> tuple[list[Message], set[str]]:
    """Rows of `c1` and of somebody else, many at the same times; the messages and those clicked."""
    sent: list[Message] = []
    clicked: set[str] = set()
    for customer, number in product(("c1", "c2"), range(12)):
        if number == 0:
            await an_enrollment(session, customer)
        row = _message(chance, customer, number)
        assert await messages.claim(session, row)
        sent.append(row)
        for kind, is_machine in product(("clicked", "opened"), (False, True)):
            if chance.random() < 0.4:
                happened = _happened(row.key, customer, kind, is_machine=is_machine)
                assert await delivery_events.record(session, happened)
                if kind == "clicked" and not is_machine:
                    clicked.add(row.key)
        if chance.random() < 0.7:
            await consents.append(session, _consent(chance, customer))
    # Bounced by one channel, in whatever spelling it came.
    for address in chance.sample(_ADDRESSES, 3):
        channel = chance.choice(["email", "sms"])
        await suppressions.add(
            session,
            Suppression(channel=channel, address=address, reason="x", at=NOON, source="x"),
        )
    return sent, clicked


def _message(chance: random.Random, customer: str, number: int) -> Message:
    return a_claim(
        f"s{number}",
        _some_time(chance),
        customer_id=customer,
        enrollment_id=f"trial:{customer}",
        decision=chance.choice([None, *Decision]),
        channel=chance.choice(_CHANNELS),
        topic=chance.choice(_TOPICS),
    )


def _consent(chance: random.Random, customer: str) -> Consent:
    return Consent(
        customer_id=customer,
        channel=chance.choice(_CHANNELS),
        topic=chance.choice(_TOPICS),
        state=chance.choice(list(ConsentState)),
        source="api",
        at=_some_time(chance),
    )


def _happened(
    key: str, customer: str = "c1", kind: str = "clicked", *, is_machine: bool = False
) -> DeliveryEvent:
    return DeliveryEvent(
        provider_event_id=f"{key} {kind} {is_machine}",
        message_key=key,
        customer_id=customer,
        kind=kind,
        at=NOON,
        received_at=NOON,
        provider="resend",
        is_machine=is_machine,
    )


def _some_time(chance: random.Random) -> datetime:
    return NOON + chance.randrange(6) * HOUR


def _spoken(row: Consent) -> Spoken:
    return Spoken(at=row.at, channel=row.channel, topic=row.topic, state=row.state)


def _meant(rows: list[Message], clicked: set[str], past: Past | None) -> tuple[PastMessage, ...]:
    """What is asked for, picked from the rows one by one."""
    if past is None:
        return ()
    mine = [
        row
        for row in rows
        if row.customer_id == "c1"
        and row.decision in (None, Decision.SENT, Decision.UNKNOWN)
        and row.key != past.besides
        and (past.since is None or row.decided_at > past.since)
    ]
    mine.sort(key=lambda row: (row.decided_at, row.id))
    return tuple(
        PastMessage(
            enrollment=row.enrollment_id,
            step=row.step,
            at=row.decided_at,
            channel=row.channel or "",
            topic=row.topic,
            clicked=past.clicks and row.key in clicked,
        )
        for row in mine
    )


@contextmanager
def _counted(db: Database) -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *more: object) -> None:
        statements.append(statement)

    engine = db._reader.sync_engine
    # PostgreSQL's reader hears what its writer hears.
    engine = engine if db.is_sqlite else db._writer.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)

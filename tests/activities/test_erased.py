"""A customer is erased while `deliver` is at work for them: nothing is claimed, kept or stuck."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from activities import deliver as module
from activities.case import Case, read_case
from activities.desk import Trouble
from activities.providers.mailbox import MailboxProvider
from activities.providers.outcome import Accepted, Ambiguous, NotTaken, ProviderTrouble, Refused
from activities.record import record
from api.erasing import erase
from api.services import Services
from engine.enrollment import NotBefore, Over, Settled
from engine.orders import Report
from engine.reasons import Decision, Ending
from settings import load
from store import customers
from store.database import Database
from store.tables import Customer, Message
from tests.activities.given import DAY, NOW, FakeProvider, Office, open_office
from tests.api.rummaging import found_in

JOAN = "joan"  # not to be met in a hash
WORDS = (JOAN, "ann@acme.example", "A tip for Ann")
ROUNDS = 15


async def erased(office: Office) -> None:
    services = Services(
        database=office.database,
        settings=load(database_url="sqlite+aiosqlite:///unused.db", secret_key="x" * 32),
        wall=lambda: NOW,
    )
    await erase(services, office.customer_id, "test")


async def joans(db: Database, provider: Any = None, customer: str = JOAN) -> Office:
    office = await open_office(db, provider, customer_id=customer)
    return Office(db, office.provider, office.journey, customer, f"trial:{customer}")


async def left(db: Database) -> dict[str, set[str]]:
    found = await found_in(db, WORDS)
    found.pop("outbox.enrollment_id", None)  # to be told
    return found


async def decisions(db: Database) -> list[Decision | None]:
    async with db.reading() as session:
        return list(await session.scalars(sa.select(Message.decision)))  # type: ignore[call-overload]


async def test_erased_before_it_is_asked_the_answer_is_over(db: Database) -> None:
    office = await joans(db)
    await erased(office)
    outcome = await office.deliver()
    assert isinstance(outcome, Over)
    assert outcome.ending is Ending.CANCELLED
    assert await office.deliver(office.order(settle_only=True)) == NotBefore()
    assert office.provider.given == []
    assert await left(db) == {}


async def test_erased_between_wording_and_claiming_nothing_is_claimed(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await joans(db)

    async def read_then_erase(*args: Any) -> Case | None:
        monkeypatch.setattr(module, "read_case", read_case)
        case = await read_case(*args)
        await erased(office)
        return case

    monkeypatch.setattr(module, "read_case", read_then_erase)
    assert isinstance(await office.deliver(), Over)
    assert office.provider.given == []
    assert await decisions(db) == []
    assert await left(db) == {}


@pytest.mark.parametrize(
    "answer",
    [
        Accepted("p-1"),
        Refused("no such Ann", bad_address=False),
        NotTaken("busy", detail="ann@acme.example later"),
        Ambiguous("cut off", detail="ann@acme.example perhaps"),
    ],
    ids=lambda answer: type(answer).__name__,
)
@pytest.mark.parametrize("remembers", [None, DAY], ids=["no keys", "keys"])
async def test_erased_while_the_provider_has_it_nobody_knows_and_nothing_is_kept(
    db: Database, answer: Accepted | Refused | ProviderTrouble, remembers: timedelta | None
) -> None:
    provider = FakeProvider([answer], remembers_keys_for=remembers)
    office = await joans(db, provider)

    async def erase_once() -> None:
        provider.meanwhile = None
        await erased(office)

    provider.meanwhile = erase_once
    try:
        first = await office.deliver()
        assert isinstance(first, Settled)
    except Trouble:
        assert isinstance(await office.deliver(after=timedelta(minutes=1)), Over)
    assert len(provider.given) == 1
    assert await decisions(db) == [Decision.UNKNOWN]
    assert await left(db) == {}


async def test_a_mail_that_the_mailbox_took_meanwhile_goes_as_well(db: Database) -> None:
    office = await joans(db)

    class Slow(MailboxProvider):
        async def send(self, mail: Any) -> Accepted | Refused:
            await erased(office)
            return await super().send(mail)

    office = office.with_provider(Slow(db, lambda: NOW))
    assert isinstance(await office.deliver(), Settled)
    assert await left(db) == {}


async def test_what_was_done_in_the_temporal_ui_is_noted_about_nobody(db: Database) -> None:
    office = await joans(db)
    report = Report(enrollment_id=office.enrollment, customer_id=JOAN, by_hand=("pause",))
    await erased(office)
    await record(db, report, NOW)
    assert await left(db) == {}


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_nor_while_the_record_waits_for_the_erasure(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await joans(db)
    hold = customers.hold

    async def erase_then_hold(*args: Any) -> None:
        monkeypatch.setattr(customers, "hold", hold)
        await erased(office)
        await hold(*args)

    monkeypatch.setattr(customers, "hold", erase_then_hold)
    report = Report(enrollment_id=office.enrollment, customer_id=JOAN, by_hand=("pause",))
    await record(db, report, NOW)
    assert await left(db) == {}


async def test_a_claim_that_races_it_is_before_it_or_never(db: Database) -> None:
    claimed = set()
    for n in range(ROUNDS):
        who = f"{JOAN}-{n}"
        office = await joans(db, FakeProvider(), who)

        async def erase_later(office: Office = office, looks: int = n) -> None:
            for _ in range(looks):  # each takes a turn, so that every round meets another moment
                await office.in_store()
            await erased(office)

        told = await asyncio.gather(office.deliver(), erase_later(), return_exceptions=True)
        assert all(each is None or isinstance(each, Settled | Over) for each in told), told
        claimed.add(bool(office.provider.given))
        before = len(office.provider.given)
        assert isinstance(await office.deliver(after=timedelta(minutes=1)), Over)
        assert len(office.provider.given) == before
        async with db.reading() as session:
            assert await customers.get(session, who) is None
    assert await left(db) == {}
    assert claimed == {True, False}, "nothing was raced"
    assert None not in await decisions(db)


async def test_the_words_are_there_while_she_is(db: Database) -> None:
    office = await joans(db)
    await office.deliver()
    places = set(await left(db))
    assert {"customers.id", "customers.traits", "messages.body", "messages.address"} <= places
    async with db.reading() as session:
        assert await session.get(Customer, JOAN) is not None

"""Where a channel has a rate: who goes now, who comes back and when, and who never could.

One message in a hundred seconds, so that nothing depends on how fast a test runs: a slot is
free at once, or for no test to wait for.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlmodel import col

from activities.deliver import deliver
from activities.desk import Attempt, Trouble
from activities.providers.outcome import Ambiguous, NotTaken
from engine.enrollment import NotBefore, Over, Settled
from engine.reasons import Decision, Ending, Reason
from rendering.links import Link, Links
from store.database import Database
from store.tables import SendSlots
from tests.activities.given import (
    BROKEN,
    COUPON,
    DAY,
    NOW,
    TIP,
    FakeProvider,
    Office,
    enroll,
    journey,
    open_office,
)

RATES = {"email": 0.01}
EVERY = timedelta(seconds=100)

LATENESS = timedelta(minutes=1)  # of a worker, that every grace allows for

SENT = Settled(decision=Decision.SENT, channel="email", message="tip")


async def neighbour(office: Office) -> Office:
    """Another customer in the same journey, who shares the channel."""
    async with office.database.transaction() as session:
        traits = {"email": "bob@acme.example", "name": "Bob"}
        await enroll(session, office.journey, "c2", traits=traits)
    return replace(office, customer_id="c2", enrollment="trial:c2")


async def two_offices(db: Database) -> tuple[Office, Office]:
    """Two customers, and the channel's rate."""
    office = replace(await open_office(db), rates=RATES)
    return office, await neighbour(office)


async def free_at(db: Database) -> datetime | None:
    """Until when the channel's slots are given out."""
    async with db.reading() as session:
        return await session.scalar(select(col(SendSlots.free_at)))


async def test_one_goes_and_the_next_comes_back_when_there_is_room(db: Database) -> None:
    first, second = await two_offices(db)
    assert await first.deliver() == SENT
    answer = await second.deliver()
    assert isinstance(answer, NotBefore)
    assert answer.reason is None
    assert answer.until is not None
    assert timedelta(0) <= NOW + EVERY - answer.until < timedelta(seconds=60)
    assert len(first.provider.given) == 1
    assert await second.message() is None  # nothing lies claimed while it waits
    stored = await second.in_store()
    assert (stored.next_step, stored.next_at) == ("tip", answer.until)


async def test_without_a_rate_nobody_waits_and_nothing_is_written_of_it(db: Database) -> None:
    first, second = await two_offices(db)
    assert await replace(first, rates={}).deliver() == SENT
    assert await replace(second, rates={"sms": 0.01}).deliver() == SENT
    assert await free_at(db) is None


async def test_who_has_waited_goes_once_the_slot_is_there(db: Database) -> None:
    first, second = await two_offices(db)
    await first.deliver()
    answer = await second.deliver()
    assert isinstance(answer, NotBefore)
    await pass_time(db, EVERY)
    assert await second.deliver(second.order(delivery={"at": answer.until}), after=EVERY) == SENT


async def test_a_transactional_message_does_not_wait_behind_the_line(db: Database) -> None:
    """The line of marketing is a day long; the transactional one has the next slot."""
    rush = {"send": "tip", "at": "start + 1 day", "transactional": True}
    office = replace(await open_office(db, what=journey(step=rush)), rates=RATES)
    await office.deliver()
    async with db.transaction() as session:
        row = (await session.scalars(select(SendSlots))).one()
        row.marketing_at += DAY
    answer = await (await neighbour(office)).deliver()
    assert isinstance(answer, NotBefore)
    assert answer.until is not None
    assert answer.until <= NOW + EVERY


async def test_what_can_t_go_out_within_its_grace_is_settled_at_once(db: Database) -> None:
    first, second = await two_offices(db)
    await first.deliver()
    short = second.order(delivery={"until": NOW + EVERY / 2})
    expired = Settled(decision=Decision.NOT_SENT, reason=Reason.EXPIRED)
    assert await second.deliver(short) == expired
    row = await second.row(short)
    assert (row.decision, row.reason) == (Decision.NOT_SENT, Reason.EXPIRED)
    assert await second.deliver(short) == expired
    assert len(first.provider.given) == 1


async def test_a_turn_that_the_grace_ends_before_is_not_taken(db: Database) -> None:
    """A slot, two seconds away, for an attempt that has one left."""
    first, second = await two_offices(db)
    first, second = replace(first, rates={"email": 0.5}), replace(second, rates={"email": 0.5})
    assert await first.deliver() == SENT
    order = second.order(delivery={"until": NOW - LATENESS + timedelta(seconds=1)})
    expired = Settled(decision=Decision.NOT_SENT, reason=Reason.EXPIRED)
    assert await second.deliver(order) == expired
    assert len(first.provider.given) == 1


async def test_an_attempt_that_outlasted_the_grace_does_not_send(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began in time, and had its slot; then the machine was too busy to go on with it."""
    office = replace(await open_office(db), rates=RATES)
    attempt = Attempt(office.order(), NOW)
    passed = iter([timedelta(0), DAY + 2 * LATENESS])
    monkeypatch.setattr(Attempt, "passed", property(lambda _: next(passed)))
    expired = Settled(decision=Decision.NOT_SENT, reason=Reason.EXPIRED)
    assert await deliver(office.desk, attempt) == expired
    assert office.provider.given == []


async def test_what_is_not_sent_takes_nothing_of_the_rate(db: Database) -> None:
    """Conditions, broken templates, unsubscribed customers: a thousand of them stop nobody."""
    unmet = {"send": "tip", "at": "start + 1 day", "when": "false"}
    office = replace(await open_office(db, what=journey(step=unmet)), rates=RATES)
    assert await office.deliver() == Settled(decision=Decision.NOT_SENT, reason=Reason.CONDITION)
    assert await free_at(db) is None


async def test_a_broken_template_takes_nothing_of_the_rate(db: Database) -> None:
    office = replace(await open_office(db, texts={"tip": BROKEN, "coupon": COUPON}), rates=RATES)
    with pytest.raises(Trouble) as trouble:
        await office.deliver()
    assert trouble.value.reason is Reason.TEMPLATE_ERROR
    assert await free_at(db) is None
    await office.publish({"tip": TIP, "coupon": COUPON})
    assert await office.deliver() == SENT


async def test_an_exit_while_it_waits_for_its_slot_wins(db: Database) -> None:
    """It has a slot, a second from now, and nothing is claimed before that."""
    office = replace(await open_office(db), rates={"email": 1})
    other = await neighbour(office)
    exits: list[asyncio.Task[None]] = []

    class Exiting(Links):
        """Asked as it is worded: its facts are read, its turn is not taken yet."""

        def url(self, link: Link) -> str:
            if not exits:
                exits.append(asyncio.create_task(other.exit()))
            return super().url(link)

    links = Exiting("https://acme.example", ["k" * 32])
    assert await office.deliver() == SENT
    answer = await deliver(replace(office.desk, links=links), Attempt(other.order(), NOW))
    await exits[0]
    assert answer == Over(ending=Ending.EXITED, by="trial_cancelled", at=NOW)
    assert await other.message() is None
    assert len(office.provider.given) == 1


@pytest.mark.parametrize("trouble", [NotTaken("503"), Ambiguous("cut off")])
async def test_a_further_attempt_waits_for_its_turn_too(
    db: Database, trouble: NotTaken | Ambiguous
) -> None:
    provider = FakeProvider(answers=[trouble])
    office = replace(await open_office(db, provider), rates=RATES)
    with pytest.raises(Trouble):
        await office.deliver()
    with pytest.raises(Trouble, match="email is at its rate") as waits:
        await office.deliver(after=timedelta(seconds=1))
    assert waits.value.retry_after is not None
    assert timedelta(0) < waits.value.retry_after <= EVERY
    assert len(provider.given) == 1
    await pass_time(db, 2 * EVERY)
    assert await office.deliver(after=2 * EVERY) == SENT


async def test_a_further_attempt_that_has_no_turn_left_is_settled_at_its_deadline(
    db: Database,
) -> None:
    office = replace(await open_office(db, FakeProvider(answers=[NotTaken("503")])), rates=RATES)
    order = office.order(delivery={"until": NOW + EVERY / 3})
    with pytest.raises(Trouble):
        await office.deliver(order)
    with pytest.raises(Trouble, match="email is at its rate") as waits:
        await office.deliver(order, after=timedelta(seconds=1))
    assert waits.value.retry_after == EVERY / 3 + LATENESS - timedelta(seconds=1)
    late = EVERY / 3 + 2 * LATENESS
    down = Settled(decision=Decision.NOT_SENT, reason=Reason.PROVIDER_DOWN)
    assert await office.deliver(order, after=late) == down
    assert len(office.provider.given) == 1


async def test_a_further_attempt_of_an_enrollment_that_is_over_waits_for_nothing(
    db: Database,
) -> None:
    office = replace(await open_office(db, FakeProvider(answers=[NotTaken("503")])), rates=RATES)
    with pytest.raises(Trouble):
        await office.deliver()
    await office.exit()
    assert isinstance(await office.deliver(after=timedelta(seconds=1)), Over)


async def pass_time(db: Database, how_much: timedelta) -> None:
    """As if what was given out had been given out so much earlier."""
    async with db.transaction() as session:
        row = (await session.scalars(select(SendSlots))).one()
        row.free_at -= how_much
        row.transactional_at -= how_much
        row.marketing_at -= how_much
        row.handed_at -= how_much

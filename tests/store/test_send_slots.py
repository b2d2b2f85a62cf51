"""Slots are given out once, whoever asks and from wherever, and by the database's clock."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from engine.rates import Ask, Place, Slot, Turn
from store.database import Database
from store.send_slots import take_moment, take_turn
from store.tables import SendSlots

EVERY = timedelta(seconds=10)  # far longer than a test, so that no slot becomes free meanwhile
ASK = Ask(transactional=False, waited=False, left=timedelta(days=1))


async def _ask(db: Database, channel: str = "email", ask: Ask = ASK) -> Turn | None:
    async with db.transaction(durable=False) as session:
        return await take_turn(session, channel, EVERY, ask)


async def test_the_first_to_ask_may_send_at_once(db: Database) -> None:
    assert await _ask(db) == Slot(timedelta(0))


async def test_a_hundred_who_ask_at_once_from_two_processes_get_a_turn_each(
    db: Database, url: str
) -> None:
    other = Database(url)
    turns = await asyncio.gather(*(_ask((db, other)[n % 2]) for n in range(100)))
    await other.dispose()
    assert [turn for turn in turns if isinstance(turn, Slot)] == [Slot(timedelta(0))]
    waits = sorted(turn.wait for turn in turns if isinstance(turn, Place))
    # Each asked some moments after the first; else they are ten seconds apart.
    assert [round(wait / EVERY) for wait in waits] == list(range(1, 100))


async def test_channels_know_nothing_of_each_other(db: Database) -> None:
    assert await _ask(db, "email") == Slot(timedelta(0))
    assert await _ask(db, "sms") == Slot(timedelta(0))
    assert isinstance(await _ask(db, "sms"), Place)


async def test_what_is_given_out_is_written_in_the_database_s_time(db: Database) -> None:
    before = datetime.now(UTC)  # this machine's, as the database's is in tests
    await _ask(db)
    await _ask(db)
    await _ask(db, ask=Ask(transactional=True, waited=False, left=timedelta(days=1)))
    async with db.reading() as session:
        row = (await session.scalars(select(SendSlots))).one()
    # SQLite's clock has milliseconds.
    given_out = row.free_at - EVERY
    assert before - timedelta(milliseconds=1) <= given_out <= datetime.now(UTC)
    assert row.transactional_at == row.marketing_at == row.free_at + EVERY


async def test_a_turn_that_comes_too_late_leaves_the_row_as_it_is(db: Database) -> None:
    await _ask(db)
    assert await _ask(db, ask=Ask(transactional=False, waited=False, left=EVERY / 2)) is None
    assert isinstance(turn := await _ask(db), Place)
    assert turn.wait <= EVERY


async def test_messages_that_were_held_up_are_handed_over_one_after_the_other(
    db: Database,
) -> None:
    second = timedelta(seconds=1)
    async with db.transaction() as session:
        waits = [await take_moment(session, "email", second) for _ in range(3)]
    assert waits[0] == timedelta(0)
    # Nearly as far apart as slots are.
    assert 0.5 * second < waits[1] < second
    assert 1.5 * second < waits[2] < 2 * second

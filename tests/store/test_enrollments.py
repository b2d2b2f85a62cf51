"""Enrollments: begun once, ended once, and found again."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy.exc import DBAPIError

from engine.reasons import Ending
from store import enrollments
from store.database import Database
from store.tables import Enrollment, EnrollmentState
from tests.store.given import DAY, HOUR, NOON, an_enrollment, journey


def test_every_ending_is_a_state() -> None:
    assert {state.value for state in EnrollmentState} == {"open", *(e.value for e in Ending)}


async def test_an_enrollment_begins_once(db: Database) -> None:
    async with db.transaction() as session:
        row = await an_enrollment(session, start_properties={"plan": "trial"})
        again = Enrollment(**{**row.model_dump(), "start_properties": {}})
        assert not await enrollments.insert(session, again)
    kept = await _get(db)
    assert kept.start_properties == {"plan": "trial"}
    assert (kept.state, kept.ending) == (EnrollmentState.OPEN, None)


async def test_a_version_that_was_not_published_can_not_be_entered(db: Database) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)foreign key"):
        async with db.transaction() as session:
            await an_enrollment(session, version="unpublished")


@pytest.mark.parametrize("ending", list(Ending))
async def test_an_enrollment_ends_once_and_the_first_ending_stays(
    db: Database, ending: Ending
) -> None:
    async with db.transaction() as session:
        await an_enrollment(session, next_step="tip", next_at=NOON + DAY)
        assert await enrollments.close(session, "trial:c1", ending, NOON + HOUR, "the_event")
        assert not await enrollments.close(session, "trial:c1", Ending.EXITED, NOON + DAY, "later")
    kept = await _get(db)
    assert (kept.ending, kept.ended_at, kept.ended_by) == (ending, NOON + HOUR, "the_event")
    assert (kept.next_step, kept.next_at) == (None, None)
    assert kept.converted_at == (NOON + HOUR if ending is Ending.CONVERTED else None)


async def test_of_two_endings_at_once_one_holds(url: str) -> None:
    stores = [Database(url), Database(url)]
    async with stores[0].transaction() as session:
        await an_enrollment(session)

    async def close(store: Database, ending: Ending) -> bool:
        async with store.transaction() as session:
            return await enrollments.close(session, "trial:c1", ending, NOON, None)

    closed = await asyncio.gather(
        close(stores[0], Ending.CONVERTED), close(stores[1], Ending.CANCELLED)
    )
    for store in stores:
        await store.dispose()
    assert sorted(closed) == [False, True]


async def test_a_row_read_before_a_change_shows_it_in_the_same_session(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        row = await session.get_one(Enrollment, "trial:c1")
        await enrollments.set_next(session, "trial:c1", "tip", NOON)
        await session.refresh(row)
        await enrollments.close(session, "trial:c1", Ending.CONVERTED, NOON, "the_event")
        shown = row.model_dump()
        assert row.ending is Ending.CONVERTED
    assert shown == (await _get(db)).model_dump()


async def test_what_has_ended_is_neither_paused_nor_timed_nor_skipped(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        await enrollments.close(session, "trial:c1", Ending.EXITED, NOON, None)
        assert not await enrollments.pause(session, "trial:c1", NOON)
        assert not await enrollments.resume(session, "trial:c1")
        assert not await enrollments.set_next(session, "trial:c1", "tip", NOON)
        assert not await enrollments.skip(session, "trial:c1", "tip")
        assert not await enrollments.skip(session, "unknown", "tip")
    kept = await _get(db)
    assert (kept.paused_at, kept.next_step, kept.skipped_steps) == (None, None, [])


async def test_a_pause_begins_once_and_ends(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        assert await enrollments.pause(session, "trial:c1", NOON)
        assert await enrollments.pause(session, "trial:c1", NOON + HOUR)
    assert (await _get(db)).paused_at == NOON
    async with db.transaction() as session:
        assert await enrollments.resume(session, "trial:c1")
    assert (await _get(db)).paused_at is None


async def test_what_comes_next_is_kept(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        assert await enrollments.set_next(session, "trial:c1", "tip", NOON + DAY)
    kept = await _get(db)
    assert (kept.next_step, kept.next_at) == ("tip", NOON + DAY)


async def test_skipped_steps_are_kept_until_carried_out(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        for step in ("tip", "demo", "tip"):
            assert await enrollments.skip(session, "trial:c1", step)
    assert (await _get(db)).skipped_steps == ["tip", "demo"]
    async with db.transaction() as session:
        await enrollments.unskip(session, "trial:c1", "tip")
    assert (await _get(db)).skipped_steps == ["demo"]


async def test_a_goal_after_the_end_is_recorded_and_the_first_stays(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        await enrollments.close(session, "trial:c1", Ending.COMPLETED, NOON, None)
        later = NOON + 2 * DAY
        assert await enrollments.record_conversion(session, "trial:c1", NOON + DAY, "49.90")
        assert not await enrollments.record_conversion(session, "trial:c1", later, 1)
    kept = await _get(db)
    assert (kept.converted_at, kept.conversion_value) == (NOON + DAY, Decimal("49.9"))
    assert kept.ending is Ending.COMPLETED


async def test_a_second_goal_neither_moves_nor_prices_the_first(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        assert await enrollments.record_conversion(session, "trial:c1", NOON, None)
        assert not await enrollments.record_conversion(session, "trial:c1", NOON + DAY, 10)
    kept = await _get(db)
    assert (kept.converted_at, kept.conversion_value) == (NOON, None)


async def test_the_goal_that_ends_an_enrollment_has_its_worth_recorded(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        await enrollments.close(session, "trial:c1", Ending.CONVERTED, NOON, "purchased")
        assert await enrollments.record_conversion(session, "trial:c1", NOON, 49.9)
        assert not await enrollments.record_conversion(session, "trial:c1", NOON, 1)
    assert (await _get(db)).conversion_value == Decimal("49.9")


@pytest.mark.parametrize(
    ("raw", "amount"),
    [
        (12, Decimal(12)),
        (0.1, Decimal("0.1")),
        (" 9.90 ", Decimal("9.9")),
        (-5, Decimal(-5)),
        (None, None),
        (True, None),
        ("free", None),
        ("", None),
        ({"amount": 1}, None),
        (float("nan"), None),
        ("Infinity", None),
        (10**14, None),
        ("9" * 400, None),
        ("1e9999999", None),
        ("-1e-9999999", Decimal("-1e-9999999")),
        (10**14 - 1, Decimal(10**14 - 1)),
    ],
)
def test_an_amount_is_read_or_left_out_but_never_refused(
    raw: object, amount: Decimal | None
) -> None:
    assert enrollments.read_money(raw) == amount


async def test_the_latest_is_that_of_the_journey_and_the_key(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        await an_enrollment(session, ordinal=2, start_at=NOON + DAY)
        await an_enrollment(session, journey="cart", key="k1")
        await an_enrollment(session, "c2", ordinal=5)
    async with db.reading() as session:
        unkeyed = await enrollments.latest(session, "c1", "trial", None)
        keyed = await enrollments.latest(session, "c1", "cart", "k1")
        none = await enrollments.latest(session, "c1", "cart", None)
    assert unkeyed is not None
    assert keyed is not None
    assert (unkeyed.ordinal, keyed.id, none) == (2, "cart:c1:k1", None)


async def test_a_customer_has_open_and_ended_ones_in_the_order_they_began(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session, ordinal=2, start_at=NOON + DAY)
        await an_enrollment(session)
        await an_enrollment(session, "c2")
        await enrollments.close(session, "trial:c1", Ending.EXITED, NOON, None)
    async with db.reading() as session:
        every = [row.id for row in await enrollments.of_customer(session, "c1")]
        still_open = [row.id for row in await enrollments.open_for(session, "c1")]
    assert every == ["trial:c1", "trial:c1:~2"]
    assert still_open == ["trial:c1:~2"]


async def test_a_list_is_filtered_and_newest_first(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        await an_enrollment(session, "c2", entered_at=NOON + HOUR)
        await an_enrollment(session, "c3", journey="cart", entered_at=NOON + DAY)
        await enrollments.close(session, "trial:c2", Ending.EXITED, NOON, None)
        await enrollments.pause(session, "trial:c1", NOON)

    async def listed(limit: int = 100, offset: int = 0, **which: object) -> list[str]:
        async with db.reading() as session:
            passed = enrollments.Filter(**which)  # type: ignore[arg-type]
            return [row.id for row in await enrollments.found(session, passed, limit, offset)]

    assert await listed() == ["cart:c3", "trial:c2", "trial:c1"]
    assert await listed(limit=1, offset=1) == ["trial:c2"]
    assert await listed(journey="trial") == ["trial:c2", "trial:c1"]
    assert await listed(state=EnrollmentState.EXITED) == ["trial:c2"]
    assert await listed(customer_id="c3") == ["cart:c3"]
    assert await listed(paused=True) == ["trial:c1"]
    assert await listed(paused=False) == ["cart:c3", "trial:c2"]


async def test_journeys_are_counted_by_state(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        await an_enrollment(session, "c2")
        await an_enrollment(session, "c3", journey="cart")
        await enrollments.close(session, "trial:c2", Ending.EXITED, NOON, None)
    async with db.reading() as session:
        trial = {("trial", EnrollmentState.OPEN): 1, ("trial", EnrollmentState.EXITED): 1}
        assert await enrollments.counts(session, ["trial"]) == trial
        both = await enrollments.counts(session)
        assert both == {**trial, ("cart", EnrollmentState.OPEN): 1}


async def test_the_input_keeps_the_order_of_its_keys(db: Database) -> None:
    given = {"zebra": 1, "apple": {"z": 1, "a": 2}, "definition": journey().pinned}
    async with db.transaction() as session:
        await an_enrollment(session, input=given)
    kept = (await _get(db)).input
    assert kept == given
    assert list(kept) == list(given)


async def _get(db: Database) -> Enrollment:
    async with db.reading() as session:
        row = await enrollments.get(session, "trial:c1")
    assert row is not None
    return row

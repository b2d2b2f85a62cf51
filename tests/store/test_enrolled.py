"""What routing has to know of customers, read at once."""

from engine.reasons import Ending
from store import archives, enrolled, enrollments
from store.database import Database
from store.tables import ArchivedInside
from tests.store.given import DAY, HOUR, NOON, an_enrollment


async def test_many_customers_are_read_at_once_each_in_the_order_they_began(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session, ordinal=2, start_at=NOON + DAY)
        await an_enrollment(session)
        await an_enrollment(session, "c2")
    async with db.reading() as session:
        found, _ = await enrolled.of_customers(session, ["c1", "c2", "nobody"])
        assert await enrolled.of_customers(session, []) == ({}, frozenset())
    ids = {customer: [each.id for each in theirs] for customer, theirs in found.items()}
    assert ids == {"c1": ["trial:c1", "trial:c1:~2"], "c2": ["trial:c2"]}


async def test_each_says_how_it_stands_and_what_it_is_pinned_to(db: Database) -> None:
    async with db.transaction() as session:
        row = await an_enrollment(session)
        later = await an_enrollment(session, ordinal=2, key="k")
        await enrollments.close(session, later.id, Ending.EXITED, NOON + HOUR, "left")
    async with db.reading() as session:
        first, second = (await enrolled.of_customers(session, ["c1"])).enrolled["c1"]
    assert (first.key, first.ordinal, first.ending, first.ended_at) == (None, 1, None, None)
    assert (first.start_at, first.start_event_id) == (row.start_at, row.start_event_id)
    assert (first.journey.journey, first.journey.version) == ("trial", row.version)
    assert (second.key, second.ordinal, second.has_workflow) == ("k", 2, True)
    assert (second.ending, second.ended_at, second.ended_by) == (
        Ending.EXITED,
        NOON + HOUR,
        "left",
    )


async def test_with_them_comes_what_is_archived(db: Database) -> None:
    async with db.transaction() as session:
        await an_enrollment(session)
        for journey in ("cart", "trial"):
            await archives.put(session, journey, ArchivedInside.FINISH, NOON, "ann")
    async with db.reading() as session:
        found = await enrolled.of_customers(session, ["c1"])
    assert [each.id for each in found.enrolled["c1"]] == ["trial:c1"]
    assert found.archived == {"cart", "trial"}

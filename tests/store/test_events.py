"""Events are accepted once, counted once, and found again."""

import asyncio
from typing import Any

from store import events
from store.database import Database
from store.events import EventFilter, EventPlace, NewEvent
from store.tables import Event, EventKind, EventStats
from tests.store.given import DAY, HOUR, NOON, a_customer, event


async def test_exactly_the_new_ones_are_told(db: Database) -> None:
    await _accept(db, event("e1"), event("e2"))
    assert await _accept(db, event("e2"), event("e3"), event("e4")) == {"e3", "e4"}


async def test_a_repeat_within_a_batch_counts_once(db: Database) -> None:
    assert await _accept(db, event("e1"), event("e1", name="other"), event("e1")) == {"e1"}
    async with db.reading() as session:
        kept = await session.get_one(Event, "e1")
        assert kept.name == "app_opened"
        assert (await session.get_one(EventStats, ("c1", "app_opened"))).count == 1
        assert await session.get(EventStats, ("c1", "other")) is None


async def test_a_repeat_changes_neither_event_nor_statistics(db: Database) -> None:
    await _accept(db, event("e1", properties={"n": 1}))
    await _accept(db, event("e1", properties={"n": 2}, at=NOON + DAY))
    async with db.reading() as session:
        kept = await session.get_one(Event, "e1")
        stats = await session.get_one(EventStats, ("c1", "app_opened"))
    assert kept.properties == {"n": 1}
    assert (stats.count, stats.first_at, stats.last_at) == (1, NOON, NOON)


async def test_one_event_told_fifty_times_at_once_is_accepted_once(db: Database) -> None:
    async with db.transaction() as session:
        await a_customer(session)

    async def accept() -> frozenset[str]:
        async with db.transaction() as session:
            return await events.accept(session, [event("e1")])

    told = await asyncio.gather(*(accept() for _ in range(50)))
    assert sum(map(len, told)) == 1
    async with db.reading() as session:
        assert (await session.get_one(EventStats, ("c1", "app_opened"))).count == 1


async def test_statistics_know_first_and_last_whatever_the_order(db: Database) -> None:
    await _accept(db, event("e2", at=NOON), event("e1", at=NOON - DAY))
    await _accept(db, event("e4", at=NOON + DAY), event("e3", at=NOON + HOUR))
    async with db.reading() as session:
        stats = await session.get_one(EventStats, ("c1", "app_opened"))
    assert (stats.first_at, stats.last_at, stats.count) == (NOON - DAY, NOON + DAY, 4)


async def test_calls_without_a_name_have_no_statistics(db: Database) -> None:
    told = event("e1", kind=EventKind.IDENTIFY)._replace(name=None)
    assert await _accept(db, told) == {"e1"}
    async with db.reading() as session:
        assert [kept.kind for kept in await events.recent(session, "c1")] == [EventKind.IDENTIFY]


async def test_accepting_nothing_is_allowed(db: Database) -> None:
    assert await _accept(db) == frozenset()


async def test_what_happened_begins_with_the_instant_itself(db: Database) -> None:
    await _accept(
        db,
        event("e3", "bought", at=NOON + DAY),
        event("e2", "opened", at=NOON),
        event("e1", "bought", at=NOON),
        event("e0", "bought", at=NOON - HOUR),
    )
    async with db.reading() as session:
        found = await events.happened(session, "c1", {"bought"}, NOON)
        assert [each.message_id for each in found] == ["e1", "e3"]
        ever = await events.happened(session, "c1", {"bought", "opened"})
        assert [each.message_id for each in ever] == ["e0", "e1", "e2", "e3"]
        assert await events.happened(session, "c2", {"bought"}) == []
        assert await events.happened(session, "c1", set()) == []


async def test_last_activity_is_the_newest_of_the_named(db: Database) -> None:
    await _accept(
        db,
        event("e1", "opened", at=NOON),
        event("e2", "saved", at=NOON + HOUR),
        event("e3", "paid", at=NOON + DAY),
    )
    async with db.reading() as session:
        assert await events.last_activity(session, "c1", {"opened", "saved"}) == NOON + HOUR
        assert await events.last_activity(session, "c1", {"never_done"}) is None


async def test_activity_is_looked_through_newest_first_a_page_at_a_time(db: Database) -> None:
    await _accept(
        db,
        *(event(f"e{n}", at=NOON + n * HOUR) for n in range(5)),
        event("s1", "message.clicked", at=NOON + DAY, kind=EventKind.SYSTEM),
    )
    async with db.reading() as session:
        first = await events.newest(session, "c1", limit=2)
        then = await events.newest(session, "c1", limit=2, offset=2)
        named = await events.newest(session, "c1", names={"saved"})
    assert [each.message_id for each in first + then] == ["e4", "e3", "e2", "e1"]
    assert named == []


async def test_what_routing_made_of_an_event_is_kept_with_it(db: Database) -> None:
    await _accept(db, event("e1"))
    async with db.transaction() as session:
        await events.set_dispositions(session, {"e1": {"refused": {"trial": "too_old"}}})
    async with db.reading() as session:
        kept = await events.get(session, "e1")
    assert kept is not None
    assert kept.disposition == {"refused": {"trial": "too_old"}}


async def test_what_came_in_is_listed_newest_first_whoever_it_is_of(db: Database) -> None:
    async with db.transaction() as session:
        await a_customer(session, "c2")
    later: dict[str, Any] = {"received_at": NOON + HOUR}
    await _accept(
        db,
        event("first"),
        event("then", at=NOON - HOUR, **later),
        event("last", at=NOON, customer_id="c2", **later),
        event("last-too", at=NOON, **later),
    )
    assert await _received(db, EventFilter()) == ["last-too", "last", "then", "first"]


async def test_each_filter_of_what_came_in_leaves_out_the_others(db: Database) -> None:
    async with db.transaction() as session:
        await a_customer(session, "c2")
    other: dict[str, Any] = {
        "customer_id": "c2",
        "kind": EventKind.PAGE,
        "received_at": NOON + HOUR,
    }
    await _accept(db, event("e1"), event("e2", "page", **other))
    for which in (
        EventFilter(customer_id="c2"),
        EventFilter(kind=EventKind.PAGE),
        EventFilter(name="page"),
        EventFilter(since=NOON + HOUR),
    ):
        assert await _received(db, which) == ["e2"]


async def test_page_after_page_of_what_came_in_shows_each_once(db: Database) -> None:
    await _accept(
        db,
        *(
            event(f"e{n}", at=NOON - n % 2 * HOUR, received_at=NOON + n // 5 * HOUR)
            for n in range(13)
        ),
    )
    whole = await _received(db, EventFilter())
    seen: list[str] = []
    after: EventPlace | None = None
    while page := await _received(db, EventFilter(), limit=3, after=after):
        seen += page
        async with db.reading() as session:
            last = await session.get_one(Event, page[-1])
        after = EventPlace(last.received_at, last.occurred_at, last.message_id)
        await _accept(db, event(f"late-{page[-1]}", received_at=NOON + DAY))
    assert seen == whole
    assert len(seen) == 13


async def _accept(db: Database, *told: NewEvent) -> frozenset[str]:
    async with db.transaction() as session:
        await a_customer(session)
        return await events.accept(session, told)


async def _received(db: Database, which: EventFilter, **more: Any) -> list[str]:
    async with db.reading() as session:
        return [row.message_id for row in await events.received(session, which, **more)]

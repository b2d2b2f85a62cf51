"""When customers are there: the clicks of all by the hour, and the newest of one's own events."""

import asyncio
from zoneinfo import ZoneInfo

from engine.best_hour import NEWEST
from store import events, hours
from store.database import Database
from store.tables import EventKind
from tests.store.given import DAY, HOUR, NOON, a_customer, clicks_by_hour, event

TOKYO = ZoneInfo("Asia/Tokyo")  # whose clocks never change


async def test_clicks_are_counted_by_the_hour_also_by_many_at_once(db: Database) -> None:
    async def click(hour: int) -> None:
        async with db.transaction() as session:
            await hours.count_click(session, hour)

    await asyncio.gather(*(click(hour) for hour in (9, 9, 9, 23, 9, 0)))
    async with db.reading() as session:
        assert await clicks_by_hour(session) == {0: 1, 9: 4, 23: 1}
    async with db.transaction() as session:
        await hours.forget(session)
        assert await clicks_by_hour(session) == {}


async def test_of_somebody_of_whom_nothing_is_known_there_are_no_hours(db: Database) -> None:
    async with db.transaction() as session:
        await a_customer(session)
        assert await hours.best_hours(session, "c1", TOKYO) == ()
        await hours.count_click(session, 21)
        await hours.count_click(session, 21)
        assert (await hours.best_hours(session, "c1", TOKYO))[:1] == (10,)
        for _ in range(40):
            await hours.count_click(session, 21)
        assert (await hours.best_hours(session, "c1", TOKYO))[:1] == (21,)


async def test_own_hours_are_those_of_the_newest_events_and_of_clicks_by_the_own_clock(
    db: Database,
) -> None:
    old = [event(f"o{n}", at=NOON - 300 * DAY - 5 * HOUR + n * HOUR / 60) for n in range(NEWEST)]
    used = [event(f"u{n}", at=NOON + 6 * HOUR + n * DAY) for n in range(NEWEST - 100)]
    system = {"kind": EventKind.SYSTEM}
    clicks = [event(f"c{n}", "message.clicked", NOON - n * DAY, **system) for n in range(100)]
    noise = [event(f"s{n}", "message.opened", NOON + n * DAY, **system) for n in range(300)]
    async with db.transaction() as session:
        await a_customer(session)
        await events.accept(session, [*old, *used, *clicks, *noise])
        best = await hours.best_hours(session, "c1", TOKYO)
    # Noon and 18:00 UTC are 21 and 3 in Tokyo; a click counts as three uses.
    assert (best[0], best.index(3) < best.index(10)) == (21, True)


async def test_without_clicks_usage_alone_says_it(db: Database) -> None:
    async with db.transaction() as session:
        await a_customer(session)
        await events.accept(session, [event(f"u{n}", at=NOON + n * DAY) for n in range(20)])
        assert (await hours.best_hours(session, "c1", TOKYO))[0] == 21

"""`count(…)` over many customers at once says what counting each event by itself says."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.expressions import parse_duration
from engine.localtime import shift
from store import counting, events
from store.database import Database
from tests.store.given import DAY, HOUR, NOON, a_customer, event

ZONES = {
    "c1": ZoneInfo("UTC"),
    "c2": ZoneInfo("Pacific/Auckland"),
    "c3": ZoneInfo("America/New_York"),
}
# On 31 March the clocks of two of the zones were changed within any month, and a month from
# each of 28 to 31 January or February ends on one day.
AT = datetime(2027, 3, 31, 9, tzinfo=UTC)


async def _happened(db: Database, *times: datetime) -> None:
    """At each of the times, for each customer; and once to somebody else."""
    async with db.transaction() as session:
        for who in (*ZONES, "c4"):
            await a_customer(session, who)
        told = [
            event(f"{who}-{n}", at=at, customer_id=who)
            for who in ZONES
            for n, at in enumerate(times)
        ]
        await events.accept(
            session, [*told, event("other", "saved"), event("e4", customer_id="c4")]
        )


@pytest.mark.parametrize("window", ["1 month", "1 year", "3 days", "30 hours", "1 week 90 minutes"])
async def test_a_window_counts_what_has_not_left_it_by_each_ones_calendar(
    db: Database, window: str
) -> None:
    times = [
        AT + HOUR,
        *(AT - n * 7 * HOUR for n in range(300)),
        *(AT - n * DAY for n in range(400)),
    ]
    await _happened(db, *times)
    within = parse_duration(window)
    for at in (AT, AT - 29 * DAY, AT - 13 * HOUR):
        async with db.reading() as session:
            told = await counting.how_often(session, "app_opened", within, ZONES, at)
        for who, zone in ZONES.items():
            assert told[who] == sum(at < shift(each, within.terms, zone) for each in times), who


async def test_what_happened_leaves_a_window_at_the_instant_itself(db: Database) -> None:
    await _happened(db, NOON)
    within = parse_duration("1 hour")
    async with db.reading() as session:
        last = await counting.how_often(session, "app_opened", within, ZONES, NOON + HOUR * 0.999)
        left = await counting.how_often(session, "app_opened", within, ZONES, NOON + HOUR)
    assert (last, left) == ({"c1": 1, "c2": 1, "c3": 1}, {})


async def test_without_a_window_it_counts_for_ever_and_only_for_those_asked_about(
    db: Database,
) -> None:
    await _happened(db, NOON - 4000 * DAY, NOON)
    async with db.reading() as session:
        told = await counting.how_often(session, "app_opened", None, ZONES, NOON)
        never = await counting.how_often(session, "bought", None, ZONES, NOON)
    assert (told, never) == ({"c1": 2, "c2": 2, "c3": 2}, {})

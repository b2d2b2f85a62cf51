"""The outbox: in order for each customer, and each row with one dispatcher."""

import asyncio
from datetime import timedelta

from store import outbox
from store.database import Database
from store.tables import OutboxKind, OutboxRow
from tests.store.given import HOUR, NOON, a_customer

MINUTE = timedelta(minutes=1)


async def test_only_the_first_pending_row_of_each_customer_is_taken(db: Database) -> None:
    await _append(db, "c1", "c2", "c1", "c2", "c3")
    assert await _heads(db) == ["c1:0", "c2:1", "c3:4"]


async def test_a_row_follows_when_the_one_before_is_done(db: Database) -> None:
    await _append(db, "c1", "c1", "c1")
    seen = []
    while taken := await _take(db):
        seen += [row.payload["n"] for row in taken]
        await _done(db, *taken)
    assert seen == [0, 1, 2]


async def test_a_taken_row_holds_back_the_rest_of_its_customer(db: Database) -> None:
    await _append(db, "c1", "c1")
    assert await _heads(db) == ["c1:0"]
    assert await _heads(db) == []


async def test_what_a_killed_dispatcher_took_is_taken_again_after_its_lease(db: Database) -> None:
    await _append(db, "c1")
    assert await _heads(db) == ["c1:0"]
    async with db.transaction() as session:
        assert await outbox.heads(session, 10, NOON + outbox.LEASE - MINUTE / 60) == []
        again = await outbox.heads(session, 10, NOON + outbox.LEASE)
    assert [row.payload["n"] for row in again] == [0]


async def test_a_row_that_must_wait_holds_up_its_customer_and_no_other(db: Database) -> None:
    await _append(db, "c1", "c1", "c2")
    first, other = await _take(db)
    await _done(db, other)
    async with db.transaction() as session:
        await outbox.retry_later(session, _id(first), NOON + MINUTE, "Temporal is away")
    assert await _heads(db) == []
    async with db.transaction() as session:
        (again,) = await outbox.heads(session, 10, NOON + MINUTE)
    assert (again.payload["n"], again.attempts, again.last_error) == (0, 1, "Temporal is away")


async def test_a_parked_row_holds_up_nothing_until_it_is_tried_again(db: Database) -> None:
    await _append(db, "c1", "c1")
    (first,) = await _take(db)
    async with db.transaction() as session:
        await outbox.park(session, _id(first), NOON, "payload too large")
    async with db.reading() as session:
        (put_aside,) = await outbox.parked(session)
    assert (put_aside.parked_reason, put_aside.parked_at) == ("payload too large", NOON)
    (second,) = await _take(db)
    assert second.payload == {"n": 1}
    async with db.transaction() as session:
        assert await outbox.unpark(session, _id(first), NOON)
        assert not await outbox.unpark(session, _id(first), NOON)
    assert await _heads(db) == []  # two of one customer are never under way at once
    await _done(db, second)
    assert await _heads(db) == ["c1:0"]


async def test_the_limit_counts_customers_and_takes_the_oldest(db: Database) -> None:
    await _append(db, "c1", "c2", "c3")
    assert await _heads(db, limit=2) == ["c1:0", "c2:1"]
    assert await _heads(db, limit=2) == ["c3:2"]


async def test_two_dispatchers_never_take_the_same_row(url: str) -> None:
    stores = [Database(url) for _ in range(4)]
    await _append(stores[0], *(f"c{n % 20}" for n in range(60)))
    taken: list[tuple[str, int]] = []

    async def dispatch(store: Database) -> None:
        idle = 0
        while idle < 3:  # another may still hold the last rows
            rows = await _take(store, limit=3)
            idle = 0 if rows else idle + 1
            taken.extend((row.customer_id, row.payload["n"]) for row in rows)
            if rows:
                await _done(store, *rows)

    await asyncio.gather(*(dispatch(store) for store in stores))
    for store in stores:
        await store.dispose()
    assert sorted(n for _, n in taken) == list(range(60))
    for customer in {customer for customer, _ in taken}:
        mine = [n for who, n in taken if who == customer]
        assert mine == sorted(mine)


async def test_a_dispatcher_looks_past_what_another_is_taking(url: str) -> None:
    ours, theirs = Database(url), Database(url)
    await _append(ours, *(f"c{n}" for n in range(12)))
    async with ours.transaction() as first:
        taken = [row.payload["n"] for row in await outbox.heads(first, 5, NOON)]
        if ours.is_sqlite:
            await first.commit()  # the other can't even look before
        async with theirs.transaction() as second:
            others = [row.payload["n"] for row in await outbox.heads(second, 5, NOON)]
            rest = [row.payload["n"] for row in await outbox.heads(second, 5, NOON)]
    await ours.dispose()
    await theirs.dispose()
    assert taken + others + rest == list(range(12))


async def test_dispatchers_are_behind_by_what_waits_in_order(db: Database) -> None:
    async with db.reading() as session:
        assert not await outbox.is_behind(session, 1)
    rows = await _append(db, "c1", "c1", "c2")
    await _done(db, rows[0])
    async with db.transaction() as session:
        paced = outbox.NewRow(customer_id="c1", kind=OutboxKind.PACED, at=NOON)
        await outbox.append_all(session, [paced])
        assert await outbox.is_behind(session, 2)
        assert not await outbox.is_behind(session, 3)


async def test_the_backlog_is_what_waits_and_since_when(db: Database) -> None:
    async with db.reading() as session:
        assert await outbox.backlog(session) == outbox.Backlog(0, None, 0)
    await _append(db, "c1", "c2", "c3")
    first, second, _ = await _take(db)
    await _done(db, first)
    async with db.transaction() as session:
        await outbox.park(session, _id(second), NOON, "no")
    async with db.reading() as session:
        assert await outbox.backlog(session) == outbox.Backlog(1, NOON, 1)


async def test_a_sequence_number_is_never_used_twice(db: Database) -> None:
    """Not even that of a row deleted by hand: a workflow remembers the last one it heard."""
    await _append(db, "c1", "c1")
    async with db.transaction() as session:
        rows = await outbox.heads(session, 1, NOON)
        last = await session.get_one(OutboxRow, _id(rows[0]) + 1)
        await session.delete(last)
        await session.flush()
        new = await outbox.append(
            session, customer_id="c1", kind=OutboxKind.SIGNAL, payload={}, at=NOON
        )
        assert _id(new) > _id(last)


async def test_rows_made_earlier_by_the_clock_do_not_overtake(db: Database) -> None:
    await _append(db, "c1")
    async with db.transaction() as session:
        await outbox.append(
            session, customer_id="c1", kind=OutboxKind.SIGNAL, payload={"n": 1}, at=NOON - HOUR
        )
    assert await _heads(db) == ["c1:0"]


async def test_what_temporal_heard_long_ago_is_forgotten_and_nothing_else(db: Database) -> None:
    rows = await _append(db, "c1", "c2", "c3", "c4", "c5")
    waits, parked, *heard = rows
    async with db.transaction() as session:
        await outbox.park(session, _id(parked), NOON, "payload too large")
        await outbox.mark_done(session, [_id(row) for row in heard[:2]], NOON)
        await outbox.mark_done(session, [_id(heard[2])], NOON + 2 * HOUR)
    async with db.transaction() as session:
        gone, last = await outbox.prune(session, NOON + HOUR, 0, 3)
        assert (gone, last) == (1, _id(heard[0]))
        assert await outbox.prune(session, NOON + HOUR, last or 0, 3) == (1, None)
        left = [row.id for row in rows if await outbox.get(session, _id(row)) is not None]
    assert left == [waits.id, parked.id, heard[2].id]


async def test_pruning_looks_no_further_than_what_is_old(db: Database) -> None:
    await _append(db, "c1", "c2", "c3")
    async with db.transaction() as session:
        assert await outbox.prune(session, NOON, 0, 1) == (0, None)


async def test_the_rows_of_events_are_found_in_their_order(db: Database) -> None:
    rows = await _append(db, "c1", "c1", "c2")
    async with db.transaction() as session:
        for row, event in zip(rows, ("e1", "e2", "e1"), strict=True):
            (await session.get_one(OutboxRow, _id(row))).event_id = event
    async with db.reading() as session:
        found = await outbox.of_events(session, ["e1", "e9"])
        assert await outbox.of_events(session, []) == []
        waiting = await outbox.waiting(session, 2)
    assert [row.id for row in found] == [rows[0].id, rows[2].id]
    assert [row.id for row in waiting] == [rows[0].id, rows[1].id]


async def _append(db: Database, *customer_ids: str) -> list[OutboxRow]:
    """One row for each, numbered in the payload."""
    async with db.transaction() as session:
        for customer_id in sorted(set(customer_ids)):
            await a_customer(session, customer_id)
        return [
            await outbox.append(
                session,
                customer_id=customer_id,
                kind=OutboxKind.SIGNAL,
                payload={"n": n},
                at=NOON,
                enrollment_id=f"trial:{customer_id}",
            )
            for n, customer_id in enumerate(customer_ids)
        ]


async def _take(db: Database, limit: int = 10) -> list[OutboxRow]:
    async with db.transaction() as session:
        return await outbox.heads(session, limit, NOON)


async def _heads(db: Database, limit: int = 10) -> list[str]:
    return [f"{row.customer_id}:{row.payload['n']}" for row in await _take(db, limit)]


async def _done(db: Database, *rows: OutboxRow) -> None:
    async with db.transaction() as session:
        await outbox.mark_done(session, [_id(row) for row in rows], NOON)


def _id(row: OutboxRow) -> int:
    assert row.id is not None
    return row.id

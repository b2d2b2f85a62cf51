"""(e) Events per second through HTTP, against what can't be done without.

Ours is the whole API in a process of its own: key, parsing, locks, events, statistics, last
seen, routing. Against it stand the bare cost of the same rows, written in the same batches by
SQLAlchemy Core in this process, and an empty FastAPI handler that only parses the same JSON.
What is wanted is half of the slower of the two. All have the same number of requests in
flight. The events are of the most frequent kind: no journey waits for them.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import bindparam, case, update

from benchmarks.posting import IN_FLIGHT, listening, post
from benchmarks.preparing import prepared
from benchmarks.ratios import Ratio
from benchmarks.servers import postgres_server
from benchmarks.trial import folder
from store.database import Database
from store.inserting import insert_into, sql_table
from store.tables import Customer, Event, EventKind, EventStats

_ROUNDS = 4
_CUSTOMERS = [f"cust_{number}" for number in range(2_000)]

# Requests of one round, by their size: a second or two each on a slow machine.
_ROUND = {100: 150, 1: 2_000}

_numbers = count()

_Send = Callable[[Sequence[Sequence[dict[str, Any]]]], Awaitable[None]]


async def run() -> None:
    """All three in turns, for each store and each size of request."""
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="parcours-bench-"))
        postgres = stack.enter_context(postgres_server())
        other = stack.enter_context(postgres_server())
        empty = stack.enter_context(listening())
        for name, ours_url, bare_url in (
            (
                "SQLite",
                f"sqlite+aiosqlite:///{home}/ours.db",
                f"sqlite+aiosqlite:///{home}/bare.db",
            ),
            ("PostgreSQL", postgres, other),
        ):
            key, bare = await prepared(ours_url, folder(), _CUSTOMERS), Database(bare_url)
            await prepared(bare_url, folder(), _CUSTOMERS)
            with listening(ours_url) as ours:
                senders: dict[str, _Send] = {
                    "ours": lambda requests, at=ours, key=key: post(at, key, requests),  # type: ignore[misc]
                    "empty": lambda requests: post(empty, "none", requests),
                    "bare": lambda requests, to=bare: _insert(to, requests),  # type: ignore[misc]
                }
                for size, requests in _ROUND.items():
                    await _compare(name, size, requests, senders)
            await bare.dispose()


async def _compare(store: str, size: int, requests: int, senders: dict[str, _Send]) -> None:
    rates: dict[str, list[float]] = {name: [] for name in senders}
    for number in range(_ROUNDS + 1):
        names = list(senders)
        for name in names if number % 2 else reversed(names):
            events = [[_event() for _ in range(size)] for _ in range(requests)]
            began = time.perf_counter()
            await senders[name](events)
            if number:  # the first round is to warm up
                rates[name].append(size * requests / (time.perf_counter() - began))
    told = ", ".join(f"{name} {max(rates[name]):,.0f}" for name in senders)
    print(f"  {store}, {size} a request: {told} events a second at best", flush=True)
    shares = [
        ours / min(empty, bare)
        for ours, empty, bare in zip(rates["ours"], rates["empty"], rates["bare"], strict=True)
    ]
    print(Ratio(f"events by {size} on {store}, ours / the slower", shares, at_least=0.5))


def _event() -> dict[str, Any]:
    number = next(_numbers)
    return {
        "type": "track",
        "userId": _CUSTOMERS[number * 7919 % len(_CUSTOMERS)],
        "event": ("report_opened", "invoice_made", "file_shared")[number % 3],
        "messageId": f"bench-{number}",
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"plan": "pro", "path": "/reports/7", "duration": 12.5, "shared": True},
        "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
    }


async def _insert(database: Database, requests: Sequence[Sequence[dict[str, Any]]]) -> None:
    """The rows that ours writes for these, and nothing more: events, statistics, last seen."""
    waiting = iter([_rows(events) for events in requests])

    async def connection() -> None:
        for events, statistics, seen in waiting:
            async with database.transaction() as session:
                writing = await session.connection()
                await writing.execute(
                    insert_into(session, Event).on_conflict_do_nothing(
                        index_elements=["message_id"]
                    ),
                    events,
                )
                await writing.execute(_add_up(session), statistics)
                await writing.execute(_SEEN, seen)

    await asyncio.gather(*(connection() for _ in range(IN_FLIGHT)))


_SEEN = (
    update(sql_table(Customer))
    .where(sql_table(Customer).c.id == bindparam("who"))
    .values(last_seen_at=bindparam("at"))
)


def _add_up(session: Any) -> Any:
    statement = insert_into(session, EventStats)
    new, old = statement.excluded, sql_table(EventStats).c
    return statement.on_conflict_do_update(
        index_elements=["customer_id", "name"],
        set_={
            "first_at": case((new.first_at < old.first_at, new.first_at), else_=old.first_at),
            "last_at": case((new.last_at > old.last_at, new.last_at), else_=old.last_at),
            "count": old.count + new.count,
        },
    )


def _rows(events: Sequence[dict[str, Any]]) -> tuple[list[Any], list[Any], list[Any]]:
    now = datetime.now(UTC)
    rows = [
        {
            "message_id": event["messageId"],
            "customer_id": event["userId"],
            "kind": EventKind.TRACK,
            "name": event["event"],
            "properties": event["properties"],
            "context": {},
            "occurred_at": now,
            "received_at": now,
        }
        for event in events
    ]
    counted = {
        (row["customer_id"], row["name"]): {
            "customer_id": row["customer_id"],
            "name": row["name"],
            "first_at": now,
            "last_at": now,
            "count": 1,
        }
        for row in rows
    }
    seen = {row["customer_id"]: {"who": row["customer_id"], "at": now} for row in rows}
    # In one order, as ours are: two that write the same rows would else block each other.
    return rows, [counted[each] for each in sorted(counted)], [seen[each] for each in sorted(seen)]

"""(e) Events per second through HTTP, against what can't be done without.

Ours is the whole API in a process of its own: key, parsing, locks, events, statistics, last
seen, routing. Against it stand the bare cost of the same rows, written in the same batches by
SQLAlchemy Core in this process, and an empty FastAPI handler that only parses the same JSON.
What is wanted is half of the slower of the two. All have the same number of requests in
flight. The events are of the most frequent kind: no journey waits for them.
"""

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import bindparam, case, update

from benchmarks.preparing import prepared
from benchmarks.ratios import Ratio
from benchmarks.servers import postgres_server
from store.database import Database
from store.inserting import insert_into, insert_new, sql_table
from store.tables import Customer, Event, EventKind, EventStats

_ROUNDS = 4
_IN_FLIGHT = 16
_CUSTOMERS = 2_000

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
        empty = stack.enter_context(_listening())
        for name, ours_url, bare_url in (
            (
                "SQLite",
                f"sqlite+aiosqlite:///{home}/ours.db",
                f"sqlite+aiosqlite:///{home}/bare.db",
            ),
            ("PostgreSQL", postgres, other),
        ):
            key, bare = await _prepared(ours_url), Database(bare_url)
            await _prepared(bare_url)
            with _listening(ours_url) as ours:
                senders: dict[str, _Send] = {
                    "ours": lambda requests, at=ours, key=key: _post(at, key, requests),  # type: ignore[misc]
                    "empty": lambda requests: _post(empty, "none", requests),
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
        "userId": f"cust_{number * 7919 % _CUSTOMERS}",
        "event": ("report_opened", "invoice_made", "file_shared")[number % 3],
        "messageId": f"bench-{number}",
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"plan": "pro", "path": "/reports/7", "duration": 12.5, "shared": True},
        "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
    }


async def _prepared(url: str) -> str:
    """A store with customers who were seen, journeys, and a key; the key."""
    key, database, now = await prepared(url), Database(url), datetime.now(UTC)
    async with database.transaction() as session:
        await insert_new(
            session,
            [
                Customer(
                    id=f"cust_{each}",
                    pseudonym=f"cust_{each}",
                    first_seen_at=now,
                    created_at=now,
                    updated_at=now,
                )
                for each in range(_CUSTOMERS)
            ],
            unique="id",
        )
    await database.dispose()
    return key


@contextmanager
def _listening(url: str | None = None) -> Iterator[int]:
    """Our API on that store, or the empty one; yields its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=_IN_FLIGHT) as bound:
        command = [sys.executable, "-m", "benchmarks.listening", str(bound.fileno())]
        process = subprocess.Popen(
            command + ([url] if url is not None else []), pass_fds=[bound.fileno()]
        )
        try:
            yield bound.getsockname()[1]
        finally:
            process.terminate()
            process.wait()


async def _post(port: int, key: str, requests: Sequence[Sequence[dict[str, Any]]]) -> None:
    """Send them over a few connections, each the next as soon as it is answered."""
    waiting = iter([_http(key, events) for events in requests])

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(_IN_FLIGHT)))


def _http(key: str, events: Sequence[dict[str, Any]]) -> bytes:
    path, told = ("batch", {"batch": events}) if len(events) > 1 else ("track", events[0])
    body = json.dumps(told).encode()
    head = (
        f"POST /v1/{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


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

    await asyncio.gather(*(connection() for _ in range(_IN_FLIGHT)))


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

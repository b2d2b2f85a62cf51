"""Events per second with everything published that the library has, against nothing at all.

With all of it every order, look at a product and use of the app is counted, summed and
weighed for computed traits and segments; orders and carts begin and end journeys as well.
The events are the same for both, mixed as a shop's are: most are looks, few are orders.
"""

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from api.services import Services
from api.ticking import Ticker
from authoring.folder import LoadedJourneys, load_journeys
from benchmarks.posting import listening, post
from benchmarks.preparing import prepared
from benchmarks.ratios import Ratio
from benchmarks.servers import postgres_server
from settings import load
from store.database import Database

LIBRARY = Path(__file__).parent.parent / "journeys" / "library"

_ROUNDS = 5

# Requests of one round, by their size: a second or two each. An SDK of a server sends up to a
# hundred events at once, one of a browser each by itself.
_ROUND = {100: 60, 1: 1_500}

_CUSTOMERS = [f"cust_{number}" for number in range(2_000)]

# Of a thousand events. A visit to a shop has some twenty; one in ten fills a cart, in two
# steps, and one in forty orders. Nothing looks at most pages, but something at every product.
_MIX = {
    "page_seen": 618.75,
    "product_viewed": 250,
    "app_used": 120,
    "cart_updated": 10,
    "order_completed": 1.25,
}

_numbers = count()


async def run() -> None:
    """Both in turns, on each store."""
    library = load_journeys(LIBRARY)
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="parcours-bench-"))
        urls = {
            "SQLite": [f"sqlite+aiosqlite:///{home}/{name}.db" for name in ("all", "none")],
            "PostgreSQL": [stack.enter_context(postgres_server()) for _ in range(2)],
        }
        for name, (full, bare) in urls.items():
            await _compare(name, library, full, bare)


async def _compare(store: str, library: LoadedJourneys, full: str, bare: str) -> None:
    keys = [
        await prepared(full, library, _CUSTOMERS),
        await prepared(bare, None, _CUSTOMERS),
    ]
    await _compute_for_all(full)
    with listening(full) as first, listening(bare) as second:
        for size, requests in _ROUND.items():
            await _rounds(store, size, requests, keys, (first, second))


async def _rounds(
    store: str, size: int, number: int, keys: Sequence[str], ports: tuple[int, int]
) -> None:
    rates: tuple[list[float], list[float]] = ([], [])
    for turn in range(_ROUNDS + 1):
        drawn = Random(turn)
        requests = [[_event(drawn) for _ in range(size)] for _ in range(number)]
        for which in (0, 1) if turn % 2 else (1, 0):
            began = time.perf_counter()
            await post(ports[which], keys[which], requests)
            if turn:  # the first round is to warm up
                rates[which].append(size * number / (time.perf_counter() - began))
    told = [max(each) for each in rates]
    print(f"  {store}: all {told[0]:,.0f}, none {told[1]:,.0f} events a second at best", flush=True)
    shares = [full / bare for full, bare in zip(*rates, strict=True)]
    print(Ratio(f"events by {size} on {store}, all of the library / nothing", shares, 0.7))


async def _compute_for_all(url: str) -> None:
    """What a publication does once, so that it is not measured."""
    database = Database(url)
    settings = load(database_url=url, secret_key="a key of thirty-two characters .")
    await Ticker(Services(database=database, settings=settings)).tick()
    await database.dispose()


def _event(drawn: Random) -> dict[str, Any]:
    number = next(_numbers)
    (event,) = drawn.choices(list(_MIX), list(_MIX.values()))
    return {
        "type": "track",
        "userId": drawn.choice(_CUSTOMERS),
        "event": event,
        "messageId": f"bench-{number}",
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": _PROPERTIES[event](number, drawn),
    }


# How long a product is looked at, on average; few look much longer.
_SECONDS = 20

_PRODUCT = {"name": "Tablet", "category": "tablet", "price": 399, "product_id": "t1"}
_PROPERTIES: dict[str, Any] = {
    "page_seen": lambda number, drawn: {"path": f"/p/{number % 50}"},
    "product_viewed": lambda number, drawn: {
        **_PRODUCT,
        "category": drawn.choice(["tablet", "case", "phone", "book"]),
        "product_id": f"p{drawn.randrange(500)}",
        "seconds": round(drawn.expovariate(1 / _SECONDS)),
    },
    "app_used": lambda number, drawn: {"feature": "reports"},
    "cart_updated": lambda number, drawn: {
        "cart_id": f"cart-{number}",
        "total": drawn.randrange(120),
        "products": [_PRODUCT],
    },
    "order_completed": lambda number, drawn: {
        "order_id": f"order-{number}",
        "total": drawn.randrange(20, 400),
        "products": [_PRODUCT],
    },
}

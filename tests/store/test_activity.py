"""When a customer last used the product: the quick ways and the long one agree."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from engine.matching import History
from store import customers, events
from store.activity import last_activity
from store.database import Database
from store.events import NewEvent
from store.tables import EventKind
from tests.store.given import DAY, HOUR, NOON, event, journey


def _paid(
    text: str, traits: Mapping[str, Any], properties: Mapping[str, Any], history: History | None
) -> bool:
    """Every `where` of these tests is `event.paid`."""
    assert text == "event.paid"
    return bool(properties.get("paid"))


TOLD = [
    event("e1", "opened", NOON),
    event("e2", "saved", NOON + HOUR, properties={"cart_id": "k1", "paid": True}),
    event("e3", "saved", NOON + 2 * HOUR, properties={"cart_id": "k2"}),
    event("e4", "saved", NOON + 3 * HOUR),
    event("s1", "message.clicked", NOON + DAY, kind=EventKind.SYSTEM),
]


@pytest.mark.parametrize(
    ("activity", "key", "at"),
    [
        pytest.param((), None, NOON + 3 * HOUR, id="anything"),
        pytest.param(["opened"], None, NOON, id="by name"),
        pytest.param(["never_done"], None, None, id="a name that never came"),
        pytest.param([{"event": "saved", "where": "event.paid"}], None, NOON + HOUR, id="where"),
        pytest.param((), "k2", NOON + 3 * HOUR, id="this key or none"),
        pytest.param(["message.clicked"], None, None, id="ours is no activity"),
        pytest.param(["message.clicked"], "k1", None, id="ours is none with a key either"),
    ],
)
async def test_what_the_journey_counts_is_what_counts(
    db: Database, activity: Any, key: str | None, at: datetime | None
) -> None:
    assert await _last(db, TOLD, key, activity=activity) == at


async def test_activity_of_another_key_is_passed_over_however_much_there_is(db: Database) -> None:
    mine = event("mine", "saved", NOON - DAY, properties={"cart_id": "k1"})
    others = [
        event(f"e{n}", "saved", NOON + n * HOUR, properties={"cart_id": "k2"}) for n in range(120)
    ]
    assert await _last(db, [mine, *others], "k1") == NOON - DAY


async def _last(
    db: Database, told: list[NewEvent], key: str | None, **changes: Any
) -> datetime | None:
    if key is not None:
        changes["key"] = "cart_id"
    async with db.transaction() as session:
        customer = await customers.lock(session, "c1", NOON)
        for each in told:
            customers.record_seen(customer, each.occurred_at)
            if each.kind in events.ACTIVITY:
                customers.record_used(customer, each.occurred_at)
        await customers.write_seen(session, [], [customer])
        await events.accept(session, told)
    async with db.reading() as session:
        found = await customers.get(session, "c1")
        assert found is not None
        return await last_activity(session, found, found.traits, journey(**changes), key, _paid)

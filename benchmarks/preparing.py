"""A store as events find it: migrated, the journeys published, and a key to send them with."""

from collections.abc import Sequence
from datetime import UTC, datetime

from api.scopes import Scope
from authoring.folder import LoadedJourneys
from store import journeys, keys
from store.database import Database
from store.inserting import insert_new
from store.tables import Customer


async def prepared(url: str, published: LoadedJourneys | None, customers: Sequence[str]) -> str:
    """A store with these journeys published, customers who were seen, and a key; the key."""
    database, now = Database(url), datetime.now(UTC)
    database.upgrade()
    seen = [
        Customer(id=each, pseudonym=each, first_seen_at=now, created_at=now, updated_at=now)
        for each in customers
    ]
    async with database.transaction() as session:
        if published is not None:
            await journeys.publish(
                session,
                journeys=[each.journey for each in published.journeys.values()],
                policy=published.policy,
                messages={
                    name: {each: text.to_dict() for each, text in journey.messages.items()}
                    for name, journey in published.journeys.items()
                },
                at=now,
                by="benchmark",
            )
        await insert_new(session, seen, unique="id")
        _, key = await keys.create(session, "bench", [Scope.EVENTS_WRITE], now)
    await database.dispose()
    return key

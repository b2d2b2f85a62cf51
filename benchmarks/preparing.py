"""A store as events find it: migrated, the journeys published, and a key to send them with."""

from datetime import UTC, datetime

from api.scopes import Scope
from benchmarks.trial import folder
from store import journeys, keys
from store.database import Database


async def prepared(url: str, *, with_messages: bool = False) -> str:
    """A store with the journeys published, and a key; the key."""
    database, now, loaded = Database(url), datetime.now(UTC), folder()
    database.upgrade()
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=[each.journey for each in loaded.journeys.values()],
            policy=loaded.policy,
            messages={
                name: {folder: each.to_dict() for folder, each in journey.messages.items()}
                for name, journey in loaded.journeys.items()
                if with_messages
            },
            at=now,
            by="benchmark",
        )
        _, key = await keys.create(session, "bench", [Scope.EVENTS_WRITE], now)
    await database.dispose()
    return key

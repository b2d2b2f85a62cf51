"""When the customer last used the product, as one journey counts it.

Ingestion asks at entry and `deliver` at each idle check, and both must get the same answer.
Which events count is the gate's to say; here is only the cheapest way to find the newest.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from engine.definition import Journey
from engine.events import is_reserved
from engine.matching import Evaluate, PastEvent
from engine.matching import last_activity as newest_that_counts
from store import events
from store.tables import Customer

# Nearly always the newest event counts, or one of the newest few.
_PAGE = 50


async def last_activity(
    session: AsyncSession,
    customer: Customer,
    traits: Mapping[str, Any],
    journey: Journey,
    key: str | None,
    evaluate: Evaluate,
) -> datetime | None:
    """The newest activity (event time); None if there was none. `traits` as conditions see them."""
    # What Parcours itself reports is no activity of the customer.
    names = frozenset(m.event for m in journey.activity if not is_reserved(m.event))
    if key is None:
        if not journey.activity:
            return customer.last_seen_at
        if all(match.where is None for match in journey.activity):
            return await events.last_activity(session, customer.id, names)
    if journey.activity and not names:
        return None
    offset = 0
    while page := await events.newest(
        session, customer.id, names=names or None, limit=_PAGE, offset=offset
    ):
        past = [
            PastEvent(name=event.name or "", at=event.occurred_at, properties=event.properties)
            for event in page
        ]
        found = newest_that_counts(journey, key, past, traits, evaluate)
        if found is not None:
            return found
        offset += len(page)
    return None

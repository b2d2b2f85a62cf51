"""Waiting until everybody who may not have seen a commit is done.

For what must hold for all from its acknowledgement on and is read by many: a stop button, an
archived journey. On PostgreSQL a transaction that read before the commit may still write
after it. To lock all who read would cost each of them, so whoever commits waits instead, as
`CREATE INDEX CONCURRENTLY` does. SQLite has one writer at a time, so there is nothing to
wait for. The surprising fact that this hangs on: whoever claims or enrolls has a transaction
number before they look, because they have locked their customer first, and only those with a
number are waited for; so no backup that reads for an hour is in the way.
"""

import asyncio
from datetime import timedelta

from sqlalchemy import TextClause, text

from store.database import Database, StoreError

# Of each such transaction, most of its time is some milliseconds.
_PAUSE = timedelta(milliseconds=10)

# Far beyond the longest transaction of ours; what is older was forgotten by whoever began it.
LONGEST = timedelta(seconds=30)

_NEXT_NUMBER = text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
_OLDEST_OPEN = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


class StillUnderWayError(StoreError):
    """What was written holds, but somebody who looked before it has not ended in time."""


async def end_of_earlier(database: Database, longest: timedelta = LONGEST) -> None:
    """Wait until all write transactions that are open now have ended.

    Raises StillUnderWayError after `longest`.
    """
    if database.is_sqlite:
        return
    try:
        async with asyncio.timeout(longest.total_seconds()):
            first_after = await _ask(database, _NEXT_NUMBER)
            while await _ask(database, _OLDEST_OPEN) < first_after:  # noqa: ASYNC110 - no event
                await asyncio.sleep(_PAUSE.total_seconds())
    except TimeoutError:
        raise StillUnderWayError(
            f"it is written and holds for everybody from now on, but a transaction from before "
            f"it has been open for more than {longest.total_seconds():.0f} s: what that has "
            "decided may still go out. Look for it in `pg_stat_activity`, then do this again"
        ) from None


async def _ask(database: Database, what: TextClause) -> int:
    """In a transaction of its own: each sees who is open then."""
    async with database.reading() as session:
        number = await session.scalar(what)
    assert isinstance(number, int)
    return number

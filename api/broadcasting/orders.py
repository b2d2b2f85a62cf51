"""What a person does with a broadcast: begin it, pause it, resume it, stop it.

The store decides: an order is the broadcast's row, written with the audit log and held while
a page is done. So whatever was answered holds, whether or not Temporal has heard; it is told
afterwards (`api.broadcasting.telling`). The surprising fact: on PostgreSQL a message may be
claimed by somebody who looked before the commit, so pause and stop wait for those
(`store.overlap`).
"""

from collections.abc import Mapping

from api.broadcasting.asked import Asked, row_of
from api.broadcasting.taking_up import ACTOR
from api.errors import ConflictError, NotFoundError
from api.services import Services
from engine.reasons import Ending
from store import archives, audit, broadcasts, customers, enrollments, journeys, overlap
from store.tables import AuditEntry, Broadcast, BroadcastState

# In a transaction; some tens of milliseconds, in which SQLite's other writers wait.
_PAGE = 200

_OVER = (BroadcastState.STOPPED, BroadcastState.DONE)


class Broadcasting:
    """Orders of one actor."""

    def __init__(self, services: Services, actor: str) -> None:
        self._services = services
        self._actor = actor

    async def start(self, asked: Asked) -> Broadcast:
        """Begin one. Raises what `row_of` does, and ConflictError if its name is taken."""
        row = await self.check(asked)
        async with self._services.database.transaction() as session:
            if not await broadcasts.add(session, row):
                raise _taken(row.id)
            # Without the audience: an erasure takes addresses out of the row, and only there.
            told = {"kind": row.kind.value, "what": broadcasts.what(row)}
            await audit.record(session, self._entry("broadcast.start", row.id, told))
        return row

    async def check(self, asked: Asked) -> Broadcast:
        """The row that it would be. Raises as `start` does."""
        async with self._services.database.reading() as session:
            published = await journeys.newest_publication(session)
            archived = await archives.names(session)
            now, wall = self._services.now(), self._services.wall()
            row = row_of(asked, published, archived, now, wall, self._actor)
            if await broadcasts.get(session, row.id) is not None:
                raise _taken(row.id)
        return row

    async def pause(self, name: str) -> Broadcast:
        """Let nobody more have it, until it is resumed.

        Raises NotFoundError, ConflictError if it is over, StillUnderWayError.
        """
        return await self._order(name, "pause", BroadcastState.PAUSED)

    async def resume(self, name: str) -> Broadcast:
        """Let it go on. Raises as `pause` does."""
        return await self._order(name, "resume", BroadcastState.RUNNING)

    async def stop(self, name: str) -> Broadcast:
        """End it for good. Raises as `pause` does."""
        return await self._order(name, "stop", BroadcastState.STOPPED)

    async def _order(self, name: str, action: str, state: BroadcastState) -> Broadcast:
        async with self._services.database.transaction() as session:
            row = await broadcasts.hold(session, name)
            if row is None:
                raise no_such(name)
            if row.state in _OVER and row.state is not state:
                raise ConflictError(f"the broadcast is over: {row.state}", code="ended")
            if row.state is not state:
                broadcasts.change(row, state, self._services.wall(), self._actor)
                await audit.record(session, self._entry(f"broadcast.{action}", name, {}))
                await session.flush()
        if state is not BroadcastState.RUNNING:
            await overlap.end_of_earlier(self._services.database)
        return row

    def _entry(self, action: str, name: str, details: Mapping[str, str]) -> AuditEntry:
        return AuditEntry(
            at=self._services.wall(),
            actor=self._actor,
            action=action,
            details={"broadcast": name, **details},
        )


async def find(services: Services, name: str) -> Broadcast:
    """One broadcast. Raises NotFoundError."""
    async with services.database.reading() as session:
        row = await broadcasts.get(session, name)
    if row is None:
        raise no_such(name)
    return row


async def finish(services: Services, name: str) -> bool:
    """Note that everybody has had it, if so: nobody is left to be seen, and nothing to be sent."""
    async with services.database.transaction() as session:
        row = await broadcasts.hold(session, name)
        if row is None or row.state is not BroadcastState.RUNNING or not row.all_seen:
            return False
        if await broadcasts.next_due(session, name) is not None:
            return False
        broadcasts.change(row, BroadcastState.DONE, services.wall(), ACTOR)
        return True


async def close_left(services: Services, name: str) -> None:
    """Close the messages that a stopped broadcast has not sent, a page a transaction."""
    while True:
        async with services.database.transaction() as session:
            row = await broadcasts.hold(session, name)
            if row is None or row.state is not BroadcastState.STOPPED:
                return
            page = await broadcasts.open_page(session, name, _PAGE)
            owners = {owner for _, owner in page}
            await customers.lock_known(session, owners, services.wall(), make=False)
            for enrollment_id, _ in page:
                await enrollments.close(
                    session, enrollment_id, Ending.CANCELLED, services.now(), row.changed_by
                )
        if len(page) < _PAGE:
            return


def no_such(name: str) -> NotFoundError:
    """There is no broadcast of that name."""
    return NotFoundError(f"there is no broadcast `{name}`", code="no_such_broadcast")


def _taken(name: str) -> ConflictError:
    return ConflictError(
        f"there was a broadcast `{name}` already: give this one another name", code="name_taken"
    )

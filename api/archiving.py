"""Archiving a journey: nobody enters any more; those inside finish, or exit.

The row comes first and holds for everybody when it is answered (`store.overlap`); only then
are those inside looked for, so that nobody slips in behind. They are closed in the store a
page a transaction, and nothing more is claimed for them; Temporal hears of each in its turn,
at a rate. Broken off, it is done again, and goes on with those still open.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.errors import NotFoundError
from api.services import Services
from api.stopping import check_rate
from engine.enrollment import Notice
from engine.reasons import Ending
from store import archives, audit, customers, enrollments, held, journeys, outbox, overlap
from store.outbox import NewRow
from store.tables import Archive, ArchivedInside, AuditEntry, OutboxKind

# What the store says ended them.
BY = "archived"

# In a transaction; some tens of milliseconds, in which SQLite's other writers wait.
_PAGE = 200

# Workflows that hear of it a second: a few workers close some hundred, beside their work.
RATE = 20.0


@dataclass(frozen=True)
class Archived:
    """What came of it: how many were made to exit, and how many are still inside."""

    row: Archive
    exited: int
    inside: int


class Archiving:
    """Orders of one actor."""

    def __init__(self, services: Services, actor: str) -> None:
        self._services = services
        self._actor = actor

    async def archive(self, journey: str, inside: ArchivedInside, rate: float = RATE) -> Archived:
        """Let nobody in any more. Raises NotFoundError, StillUnderWayError."""
        check_rate(rate)
        async with self._services.database.transaction() as session:
            await self._check_exists(session, journey)
            row = await archives.put(session, journey, inside, self._services.wall(), self._actor)
            await self._note(session, "archive", {"journey": journey, "inside": inside.value})
        await overlap.end_of_earlier(self._services.database)
        exited = 0
        if inside is ArchivedInside.EXIT:
            exited = await self._exit_all(journey, timedelta(seconds=1 / rate))
        async with self._services.database.reading() as session:
            return Archived(row, exited, await enrollments.count_open(session, journey))

    async def unarchive(self, journey: str) -> None:
        """Let it enroll again, if it is published. Raises NotFoundError."""
        async with self._services.database.transaction() as session:
            if not await archives.remove(session, journey):
                raise NotFoundError(f"`{journey}` is not archived", code="not_archived")
            await self._note(session, "unarchive", {"journey": journey})

    async def _exit_all(self, journey: str, apart: timedelta) -> int:
        exited, after = 0, ""
        while True:
            async with self._services.database.transaction() as session:
                page = await enrollments.open_in(session, journey, after, _PAGE)
                exited += await self._exit_page(session, page, apart)
            self._services.woken.set()
            if len(page) < _PAGE:
                return exited
            after = page[-1][0]

    async def _exit_page(
        self, session: AsyncSession, page: list[tuple[str, str, bool]], apart: timedelta
    ) -> int:
        """Close them, and give Temporal word of each in its turn; how many were still open."""
        wall, now = self._services.wall(), self._services.now()
        await customers.lock_known(session, {owner for _, owner, _ in page}, wall, make=False)
        before = await held.last_turn(session)
        turn = wall if before is None else max(wall, before + apart)
        notice = Notice(event_id=BY, name=BY, at=now, ending=Ending.EXITED)
        told: list[NewRow] = []
        exited = 0
        for enrollment_id, owner, has_workflow in page:
            if not await enrollments.close(session, enrollment_id, Ending.EXITED, now, BY):
                continue
            exited += 1
            if has_workflow:
                told.append(
                    NewRow(
                        customer_id=owner,
                        kind=OutboxKind.PACED,
                        at=turn,
                        payload=notice.model_dump(mode="json"),
                        enrollment_id=enrollment_id,
                    )
                )
                turn += apart
        await outbox.append_all(session, told)
        return exited

    async def _check_exists(self, session: AsyncSession, journey: str) -> None:
        known = await journeys.ever(session)
        if journey not in known:
            names = ", ".join(f"`{name}`" for name in known) or "none"
            raise NotFoundError(
                f"there never was a journey `{journey}`; there is {names}", code="no_such_journey"
            )

    async def _note(self, session: AsyncSession, action: str, details: dict[str, str]) -> None:
        entry = AuditEntry(
            at=self._services.wall(), actor=self._actor, action=action, details=details
        )
        await audit.record(session, entry)

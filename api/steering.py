"""What a person does to an enrollment: the intent is written first, then Temporal hears of it.

Each order is one transaction: the customer locked, the enrollment's row changed, the audit
log, the outbox. `deliver` looks at the row, so the intent holds from the answer on, whether
or not Temporal has heard. The one surprising fact: an order that changes nothing (pausing
what is paused) is no error, and leaves no trace.
"""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api import temporal_names
from api.errors import ConflictError, NotFoundError
from api.services import Services
from engine.definition import Step
from engine.reasons import Ending, Reason
from store import audit, customers, enrollments, journeys, messages, outbox
from store.tables import AuditEntry, Enrollment, EnrollmentState, OutboxKind


class Steering:
    """Orders of one actor."""

    def __init__(self, services: Services, actor: str) -> None:
        self._services = services
        self._actor = actor

    async def cancel(self, enrollment_id: str) -> Enrollment:
        """End it for good. Raises NotFoundError, or ConflictError if it has ended."""
        async with self._services.database.transaction() as session:
            row = await self._open(session, enrollment_id)
            now = self._services.now()
            await enrollments.close(session, row.id, Ending.CANCELLED, now, self._actor)
            await self._note(session, row, "cancel", {})
            await self._put_out(session, row, OutboxKind.CANCEL, {"by": self._actor})
            return await self._answer(session, row)

    async def pause(self, enrollment_id: str) -> Enrollment:
        """Hold every step. Raises as `cancel` does."""
        async with self._services.database.transaction() as session:
            row = await self._open(session, enrollment_id)
            if row.paused_at is None:
                await enrollments.pause(session, row.id, self._services.now())
                await self._order(session, row, temporal_names.PAUSE)
            return await self._answer(session, row)

    async def resume(self, enrollment_id: str) -> Enrollment:
        """Let it go on. Raises as `cancel` does."""
        async with self._services.database.transaction() as session:
            row = await self._open(session, enrollment_id)
            if row.paused_at is not None:
                await enrollments.resume(session, row.id)
                await self._order(session, row, temporal_names.RESUME)
            return await self._answer(session, row)

    async def skip(self, enrollment_id: str, step: str) -> Enrollment:
        """Don't send the step's next occurrence.

        Raises as `cancel` does; also NotFoundError for a step the journey hasn't, and
        ConflictError for one that is settled.
        """
        async with self._services.database.transaction() as session:
            row = await self._open(session, enrollment_id)
            await self._unsettled(session, row, step)
            if step not in row.skipped_steps:
                await enrollments.skip(session, row.id, step)
                await self._order(session, row, temporal_names.SKIP, step=step)
            return await self._answer(session, row)

    async def send_now(self, enrollment_id: str, step: str) -> Enrollment:
        """Bring the step's next occurrence forward to now. Raises as `skip` does."""
        async with self._services.database.transaction() as session:
            row = await self._open(session, enrollment_id)
            await self._unsettled(session, row, step)
            if row.paused_at is not None:
                raise ConflictError("the enrollment is paused: resume it first", code="paused")
            if step in row.skipped_steps:
                raise ConflictError(f"step `{step}` was skipped", code="skipped")
            if row.broadcast_id is not None:
                raise ConflictError(
                    f"the broadcast `{row.broadcast_id}` sends it when its turn comes; nobody "
                    "can be sent it ahead of that",
                    code="of_broadcast",
                )
            await self._order(session, row, temporal_names.SEND_NOW, step=step)
            return await self._answer(session, row)

    async def _open(self, session: AsyncSession, enrollment_id: str) -> Enrollment:
        """The enrollment, open, its customer locked."""
        row = await enrollments.get(session, enrollment_id)
        if row is not None:
            await customers.hold(session, row.customer_id)
            row = await enrollments.get(session, enrollment_id)  # None: erased meanwhile
        if row is None:
            raise NotFoundError(
                f"there is no enrollment `{enrollment_id}`", code="no_such_enrollment"
            )
        if row.state is not EnrollmentState.OPEN:
            raise ConflictError(
                f"the enrollment has ended: {row.state} {_time(row.ended_at)}", code="ended"
            )
        return row

    async def _unsettled(self, session: AsyncSession, row: Enrollment, step_id: str) -> None:
        """Raise unless the journey has the step, and it may still come up."""
        journey = await journeys.version(session, row.journey, row.version)
        step = next((each for each in journey.steps if each.id == step_id), None)
        if step is None:
            known = ", ".join(f"`{each.id}`" for each in journey.steps)
            raise NotFoundError(
                f"`{row.journey}` has no step `{step_id}`; it has {known}", code="no_such_step"
            )
        if (told := await _settled(session, row, step)) is not None:
            raise ConflictError(f"step `{step_id}` is settled: {told}", code="settled")

    async def _order(
        self, session: AsyncSession, row: Enrollment, update: str, **details: str
    ) -> None:
        """Note it, and have the workflow told."""
        await self._note(session, row, update, details)
        payload = {"update": update, "arg": {"by": self._actor, **details}}
        await self._put_out(session, row, OutboxKind.UPDATE, payload)

    async def _note(
        self, session: AsyncSession, row: Enrollment, action: str, details: dict[str, Any]
    ) -> None:
        entry = AuditEntry(
            at=self._services.wall(),
            actor=self._actor,
            action=action,
            enrollment_id=row.id,
            customer_id=row.customer_id,
            details=details,
        )
        await audit.record(session, entry)

    async def _put_out(
        self, session: AsyncSession, row: Enrollment, kind: OutboxKind, payload: dict[str, Any]
    ) -> None:
        if row.broadcast_id is not None:
            return  # it has no workflow: whoever sends the message reads the row
        await outbox.append(
            session,
            customer_id=row.customer_id,
            kind=kind,
            payload=payload,
            at=self._services.wall(),
            enrollment_id=row.id,
        )

    async def _answer(self, session: AsyncSession, row: Enrollment) -> Enrollment:
        fresh = await enrollments.get(session, row.id)
        assert fresh is not None  # it was there a moment ago, and is locked
        return fresh


async def _settled(session: AsyncSession, row: Enrollment, step: Step) -> str | None:
    """What a step that comes only once was settled as; `expired` may be timed again."""
    if step.repeat is not None:
        return None
    for message in await messages.of_enrollment(session, row.id):
        if message.step == step.id and message.decision and message.reason is not Reason.EXPIRED:
            return f"{message.decision}, {message.reason}" if message.reason else message.decision
    return None


def _time(at: datetime | None) -> str:
    return f"at {at:%Y-%m-%d %H:%M} UTC" if at is not None else ""

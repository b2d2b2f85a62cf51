"""Writing down what the engine decided by itself, what comes next, and how it ended.

A report rides on `deliver`, or comes by the activity `record`; either way repeating it
changes nothing. What people did in the Temporal UI comes by `record` alone: its task is
known by the time at which it was ordered, the same at every attempt.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from engine.enrollment import Settlement
from engine.keys import message_key
from engine.orders import Report
from engine.reasons import Reason
from store import audit, enrollments, messages
from store.database import Database
from store.tables import AuditEntry, Enrollment, Message

# Who did it, as far as the store can know: somebody in the Temporal UI.
_ACTOR = "temporal"


async def record(database: Database, report: Report, ordered_at: datetime) -> None:
    """Write down what neither `deliver` nor the API has told the store."""
    async with database.transaction() as session:
        enrollment = await enrollments.held(session, report.enrollment_id)
        if enrollment is None:
            return
        await apply_report(session, enrollment, report, foretold=True)
        for order in report.by_hand:
            await _by_hand(session, enrollment, order, ordered_at)


async def apply_report(
    session: AsyncSession, enrollment: Enrollment, report: Report, *, foretold: bool
) -> None:
    """Write a report down in a transaction that holds the customer.

    `foretold` says whether its `next` and `ended` came true; what was decided always is.
    """
    await _decisions(session, enrollment, report.decided)
    if not foretold:
        return
    if report.ended is not None:
        ended = report.ended
        await enrollments.close(session, enrollment.id, ended.ending, ended.at, ended.by)
    else:
        told = report.next
        step, at, reason = (None,) * 3 if told is None else (told.step, told.at, told.reason)
        await enrollments.set_next(session, enrollment.id, step, at, reason)


async def _decisions(
    session: AsyncSession, enrollment: Enrollment, decided: Iterable[Settlement]
) -> None:
    for each in decided:
        row = Message(
            key=message_key(enrollment.id, each.step, each.occurrence),
            enrollment_id=enrollment.id,
            customer_id=enrollment.customer_id,
            journey=enrollment.journey,
            step=each.step,
            occurrence=each.occurrence,
            decision=each.decision,
            reason=each.reason,
            decided_at=each.at,
            due_at=each.due_at,
            zone=each.zone,
        )
        await messages.claim(session, row)
        if each.reason is Reason.SKIPPED:  # carried out: a repeat's next occurrence is free again
            await enrollments.unskip(session, enrollment.id, each.step)


async def _by_hand(
    session: AsyncSession, enrollment: Enrollment, order: str, ordered_at: datetime
) -> None:
    """An Update from the Temporal UI: our API has not seen it, so the store learns it here."""
    entry = AuditEntry(
        at=ordered_at,
        actor=_ACTOR,
        action=order,
        enrollment_id=enrollment.id,
        customer_id=enrollment.customer_id,
    )
    if not await audit.record_once(session, entry):
        return
    what = order.partition(" ")[0]  # an argument may follow; these two have no use for one
    if what == "pause":
        await enrollments.pause(session, enrollment.id, ordered_at)
    elif what == "resume":
        await enrollments.resume(session, enrollment.id)

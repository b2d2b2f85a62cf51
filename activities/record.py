"""Writing down what the engine decided by itself, what comes next, and how it ended.

A report rides on `deliver`, or comes by the activity `record`; either way repeating it
changes nothing.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from engine.enrollment import Settlement
from engine.keys import message_key
from engine.orders import Report
from store import audit, enrollments, messages
from store.tables import AuditEntry, Enrollment, Message


async def apply_report(
    session: AsyncSession, report: Report, now: datetime, *, foretold: bool
) -> None:
    """Write a report down in a transaction that has locked the customer. `now` is wall time.

    `foretold` says whether its `next` and `ended` came true; what was decided always is.
    """
    enrollment = await enrollments.get(session, report.enrollment_id)
    if enrollment is None:
        return
    await _decisions(session, enrollment, report.decided)
    for order in report.by_hand:
        await _by_hand(session, enrollment, order, now)
    if not foretold:
        return
    if report.ended is not None:
        ended = report.ended
        await enrollments.close(session, enrollment.id, ended.ending, ended.at, ended.by)
    else:
        step, at = (None, None) if report.next is None else (report.next.step, report.next.at)
        await enrollments.set_next(session, enrollment.id, step, at)


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


async def _by_hand(
    session: AsyncSession, enrollment: Enrollment, order: str, now: datetime
) -> None:
    """An Update from the Temporal UI: our API has not seen it, so the store learns it here."""
    if order == "pause":
        await enrollments.pause(session, enrollment.id, now)
    elif order == "resume":
        await enrollments.resume(session, enrollment.id)
    await audit.record(
        session,
        AuditEntry(
            at=now,
            actor="temporal",
            action=order,
            enrollment_id=enrollment.id,
            customer_id=enrollment.customer_id,
        ),
    )

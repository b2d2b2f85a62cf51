"""What is due to a customer and not decided yet, as far as the store has heard.

Decides nothing; `engine.caps` says who waits for whom. The surprising fact: what comes next
stands in the enrollment for a moment after it was decided, until its workflow tells what
follows. So the decisions are looked at too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.reasons import Reason
from store.tables import Enrollment, EnrollmentState, Message


@dataclass(frozen=True)
class Due:
    """The next step of an open enrollment."""

    enrollment: str
    journey: str
    version: str
    step: str
    at: datetime


_DECIDED = exists().where(
    col(Message.enrollment_id) == col(Enrollment.id),
    col(Message.step) == col(Enrollment.next_step),
    col(Message.decided_at) >= col(Enrollment.next_at),
)


async def due_to(
    session: AsyncSession, customer_id: str, but: str, before: datetime
) -> Sequence[Due]:
    """What comes next for the customer before then, in any enrollment `but` this one.

    Not what is held by a person: paused, skipped or stopped. A claim counts as decided.
    """
    rows = await session.execute(
        select(
            col(Enrollment.id),
            col(Enrollment.journey),
            col(Enrollment.version),
            col(Enrollment.next_step),
            col(Enrollment.next_at),
            col(Enrollment.skipped_steps),
        )
        .where(
            col(Enrollment.customer_id) == customer_id,
            col(Enrollment.id) != but,
            col(Enrollment.state) == EnrollmentState.OPEN,
            col(Enrollment.next_step).is_not(None),
            col(Enrollment.next_at) < before,
            col(Enrollment.paused_at).is_(None),
            or_(
                col(Enrollment.next_reason).is_(None),
                col(Enrollment.next_reason) != Reason.STOPPED,
            ),
            ~_DECIDED,
        )
        .order_by(col(Enrollment.next_at), col(Enrollment.id))
    )
    return [
        Due(enrollment, journey, version, step, at)
        for enrollment, journey, version, step, at, skipped in rows
        if step is not None and at is not None and step not in skipped
    ]

"""What the store says became of a customer, as the lines that the simulator prints.

Decides only the order of what happened at one instant, which rows don't tell: a
decision rides to the store with the next report, so rows of one instant may be written in
another order than they were made. Within an enrollment the machine's rules give it (steps
in file order, and what hangs on a step right after it); between enrollments, those that an
event ended or opened come before those whose time had come.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from engine.definition import Journey
from engine.expressions import StepAnchor
from engine.lines import LifeLine, Line, StepLine
from engine.reasons import Ending, Reason
from store import enrollments, journeys, messages
from store.tables import Enrollment, Message

_ENTERED, _DECIDED, _ENDED = range(3)


async def lines_of(
    session: AsyncSession, customer_id: str, begun: Sequence[str] = ()
) -> list[Line]:
    """Every decision and the life of every enrollment of one customer, in decision order.

    `begun` are the customer's enrollments in the order in which they began, where somebody
    knows it: of those that began at one instant, the store does not.
    """
    told: list[tuple[tuple[object, ...], Line]] = []
    rows = sorted(
        await enrollments.of_customer(session, customer_id),
        key=lambda row: begun.index(row.id) if row.id in begun else len(begun),
    )
    for place, row in enumerate(rows):
        journey = await journeys.version(session, row.journey, row.version)
        decided = await messages.of_enrollment(session, row.id)
        for within, line in _lines(row, journey, decided):
            told.append(((line.at, _phase(row, line.at), place, within), line))
    return [line for _, line in sorted(told, key=lambda each: each[0])]


def _phase(row: Enrollment, at: datetime) -> int:
    """At one instant events act before steps: first what they ended, then what they opened."""
    if row.ended_at == at and row.ending in (Ending.EXITED, Ending.CONVERTED):
        return 0
    return 1 if row.entered_at == at else 2


def _lines(
    row: Enrollment, journey: Journey, decided: Sequence[Message]
) -> list[tuple[tuple[object, ...], Line]]:
    lines: list[tuple[tuple[object, ...], Line]] = [((_ENTERED,), _life(row, row.entered_at, None))]
    for message in decided:
        if message.decision is not None:
            place = _place(journey, message, decided)
            lines.append(((_DECIDED, place, message.id), _step(row, message)))
    if row.ending is not None and row.ended_at is not None:
        at = max(row.ended_at, row.entered_at)  # an exit may be from before it was entered
        lines.append(((_ENDED,), _life(row, at, row.ending, row.ended_by)))
    return lines


def _place(journey: Journey, message: Message, decided: Sequence[Message]) -> tuple[int, ...]:
    """Where its step stands in the file; behind its parent's place if it fell with it."""
    step = journey.step(message.step)
    if message.reason is Reason.ANCHOR_MISSING:
        return (-1, journey.place(step.id))  # settled as the customer entered
    anchor = step.at.anchor if step.at is not None else None
    if message.reason is Reason.ANCHOR_NOT_SENT and isinstance(anchor, StepAnchor):
        parent = next(
            (m for m in decided if m.step == anchor.step and m.decided_at == message.decided_at),
            None,
        )
        if parent is not None:
            return (*_place(journey, parent, decided), journey.place(step.id))
    return (journey.place(step.id),)


def _step(row: Enrollment, message: Message) -> StepLine:
    assert message.decision is not None
    return StepLine(
        at=message.decided_at,
        customer=row.customer_id,
        journey=row.journey,
        key=row.key,
        step=message.step,
        decision=message.decision,
        channel=message.channel if message.reason is None else None,
        message=message.message if message.reason is None else None,
        reason=message.reason,
    )


def _life(
    row: Enrollment, at: datetime, ending: Ending | None, event: str | None = None
) -> LifeLine:
    return LifeLine(
        at=at,
        customer=row.customer_id,
        journey=row.journey,
        key=row.key,
        ending=ending,
        event=event,
    )

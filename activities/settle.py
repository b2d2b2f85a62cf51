"""The ends a delivery can come to, each written down in the transaction that decides it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from activities.record import apply_report
from engine.enrollment import NotBefore, Outcome, Over, Settled
from engine.localtime import next_opening, shift, zone
from engine.orders import Next
from engine.reasons import Decision, Reason
from store import enrollments, messages, suppressions
from store.database import Database
from store.tables import Message, Suppression

if TYPE_CHECKING:
    from activities.deliver import Attempt
    from activities.facts import Case
    from activities.providers.outcome import Refused


class Trouble(Exception):
    """It can't be settled now, and will be tried again, not before `retry_after` if given."""

    def __init__(self, reason: Reason, what: str, retry_after: timedelta | None = None) -> None:
        super().__init__(what)
        self.reason = reason
        self.retry_after = retry_after


async def without_send(
    session: AsyncSession, attempt: Attempt, case: Case, verdict: Settled | NotBefore | Over
) -> Outcome:
    """The step is decided, or put off, without a message."""
    report = attempt.order.report
    match verdict:
        case Settled():
            delivery = attempt.order.delivery
            decided = Message(
                key=attempt.key,
                enrollment_id=case.enrollment.id,
                customer_id=case.customer.id,
                journey=case.journey.journey,
                step=case.step.id,
                occurrence=delivery.occurrence,
                decision=verdict.decision,
                reason=verdict.reason,
                transactional=case.journey.topic_of(case.step) is None,
                topic=case.journey.topic_of(case.step),
                decided_at=delivery.at,
                due_at=delivery.due_at,
                zone=delivery.zone,
            )
            await messages.claim(session, decided)
            foretold = attempt.order.foretells(verdict)
            await apply_report(session, report, attempt.now, foretold=foretold)
            if verdict.reason is Reason.SKIPPED:
                await enrollments.unskip(session, case.enrollment.id, case.step.id)
        case NotBefore():
            await apply_report(session, report, attempt.now, foretold=False)
            await _note_next(session, attempt, case, verdict)
        case Over():
            await apply_report(session, report, attempt.now, foretold=False)
    return verdict


async def row(
    session: AsyncSession,
    attempt: Attempt,
    claimed: Message,
    decision: Decision,
    reason: Reason | None = None,
    provider_message_id: str | None = None,
) -> Settled:
    """Settle a claimed row, and write down what follows from it."""
    await messages.settle(
        session,
        claimed.key,
        decision,
        reason=reason,
        sent_at=attempt.now if decision is Decision.SENT else None,
        provider_message_id=provider_message_id,
    )
    sent = decision is not Decision.NOT_SENT
    outcome = Settled(
        decision=decision,
        reason=reason,
        channel=claimed.channel if sent else None,
        message=claimed.message if sent else None,
    )
    foretold = attempt.order.foretells(outcome)
    await apply_report(session, attempt.order.report, attempt.now, foretold=foretold)
    return outcome


async def refused(
    session: AsyncSession, attempt: Attempt, claimed: Message, answer: Refused
) -> Settled:
    """The provider will never take it; an address that is bad is not written to again."""
    if answer.bad_address and claimed.address is not None and claimed.channel is not None:
        await suppressions.add(
            session,
            Suppression(
                channel=claimed.channel,
                address=claimed.address,
                reason="refused",
                at=attempt.now,
                source=claimed.provider or "",
            ),
        )
    await messages.note_error(session, claimed.key, answer.detail)
    return await row(session, attempt, claimed, Decision.NOT_SENT, Reason.PROVIDER_REFUSED)


def answer_of(settled: Message) -> Settled:
    """What a row that is settled answers, however often it is asked."""
    assert settled.decision is not None
    sent = settled.decision is not Decision.NOT_SENT
    return Settled(
        decision=settled.decision,
        reason=settled.reason,
        channel=settled.channel if sent else None,
        message=settled.message if sent else None,
    )


async def release(database: Database, claimed: Message, error: str) -> None:
    """It was certainly not sent: the claim stands, and is no longer ambiguous."""
    async with database.transaction() as session:
        kept = await messages.get_by_key(session, claimed.key)
        if kept is not None and kept.decision is None:
            kept.claimed_at = None
            kept.last_error = error


async def note(database: Database, claimed: Message, error: str) -> None:
    """Keep what went wrong where people look for it."""
    async with database.transaction() as session:
        await messages.note_error(session, claimed.key, error)


async def _note_next(
    session: AsyncSession, attempt: Attempt, case: Case, verdict: NotBefore
) -> None:
    """What comes next is this step again, unless another comes before it."""
    mine = Next(step=case.step.id, at=verdict.until or _idle_again(attempt, case, verdict))
    other = attempt.order.report.next
    first = min((n for n in (mine, other) if n is not None), key=lambda n: n.at)
    await enrollments.set_next(session, case.enrollment.id, first.step, first.at)


def _idle_again(attempt: Attempt, case: Case, verdict: NotBefore) -> datetime:
    """When the customer would be idle again, as the machine works it out."""
    delivery, step = attempt.order.delivery, case.step
    tz = zone(delivery.zone)
    if verdict.last_activity_at is None or step.after_idle is None or tz is None:
        return delivery.at
    since = delivery.at if delivery.spell_settled else verdict.last_activity_at
    due_at = shift(since, step.after_idle.terms, tz)
    return next_opening(due_at, tz, step.between, step.days)

"""The ends a delivery can come to, each written down in the transaction that decides it.

The transaction holds the customer. The surprising fact: a row that is `unknown` is not at its
end; whoever learns more (an attempt that was taken for dead and was not) writes it down.
"""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from activities.case import Case
from activities.desk import Attempt
from activities.providers.outcome import Refused
from activities.record import apply_report
from engine.definition import Step
from engine.enrollment import NotBefore, Over, Settled
from engine.gate import CONSENT, Go
from engine.localtime import next_opening, shift, zone
from engine.orders import Next
from engine.reasons import Decision, Reason
from store import enrollments, mailbox, messages, offers, outbox, suppressions
from store.tables import Enrollment, Message, OutboxKind, Suppression


async def without_send(
    session: AsyncSession, attempt: Attempt, case: Case, verdict: Settled | NotBefore | Over
) -> None:
    """The step is decided, or put off, without a message."""
    report, delivery = attempt.order.report, attempt.order.delivery
    foretold = isinstance(verdict, Settled) and attempt.order.foretells(verdict)
    await apply_report(session, case.enrollment, report, foretold=foretold)
    match verdict:
        case Settled():
            decided = Message(
                key=attempt.key,
                enrollment_id=case.enrollment.id,
                customer_id=case.customer.id,
                journey=case.journey.journey,
                step=case.step.id,
                occurrence=delivery.occurrence,
                decision=verdict.decision,
                reason=verdict.reason,
                transactional=case.topic is None,
                topic=case.topic,
                decided_at=delivery.at,
                due_at=delivery.due_at,
                zone=delivery.zone,
            )
            await messages.claim(session, decided)
            if verdict.reason is Reason.SKIPPED:
                await enrollments.unskip(session, case.enrollment.id, case.step.id)
        case NotBefore():
            await _note_next(session, attempt, case, verdict)
        case Over():
            pass  # how it ended is in the store already


async def own_call(session: AsyncSession, attempt: Attempt, case: Case, go: Go) -> Settled:
    """The step sets traits or withdraws consent: sent with this transaction.

    Which also has ingestion take it in, as an `identify` of the customer's or as their word,
    known by the message key; so whatever hears of traits and consent hears of these.
    """
    delivery = attempt.order.delivery
    row = Message(
        key=attempt.key,
        enrollment_id=case.enrollment.id,
        customer_id=case.customer.id,
        journey=case.journey.journey,
        step=case.step.id,
        occurrence=delivery.occurrence,
        decision=Decision.SENT,
        channel=go.channel,
        message=go.message,
        transactional=True,
        address=go.address,
        sent_at=attempt.now,
        decided_at=delivery.at,
        due_at=delivery.due_at,
        zone=delivery.zone,
    )
    new = await messages.claim(session, row)
    assert new  # its absence was read while holding the customer
    await outbox.append(
        session,
        customer_id=case.customer.id,
        enrollment_id=case.enrollment.id,
        kind=OutboxKind.CONSENT if go.channel == CONSENT else OutboxKind.IDENTIFY,
        payload={
            "message_id": attempt.key,
            "at": delivery.at.isoformat(),
            **_said(case.step),
        },
        at=attempt.now,
    )
    outcome = answer_of(row)
    foretold = attempt.order.foretells(outcome)
    await apply_report(session, case.enrollment, attempt.order.report, foretold=foretold)
    return outcome


def _said(step: Step) -> dict[str, Any]:
    if step.set is not None:
        return {"traits": dict(step.set)}
    return {"topics": None if step.leaves is None else list(step.leaves)}


async def claimed(
    session: AsyncSession,
    attempt: Attempt,
    enrollment: Enrollment,
    row: Message,
    decision: Decision,
    reason: Reason | None = None,
    *,
    provider_message_id: str | None = None,
    error: str | None = None,
) -> Settled:
    """Settle a claimed row, and write down what follows from it. What is decided stays."""
    mine = await messages.settle(
        session,
        row.key,
        decision,
        reason=reason,
        sent_at=attempt.now if decision is Decision.SENT else None,
        provider_message_id=provider_message_id,
        error=error,
    )
    if not mine:
        return await _decided_before(session, row, decision, reason)
    if decision is Decision.NOT_SENT:
        await offers.withdraw(session, row.key)  # nobody was given its code
    outcome = _outcome(row, decision, reason)
    foretold = attempt.order.foretells(outcome)
    await apply_report(session, enrollment, attempt.order.report, foretold=foretold)
    if reason is Reason.SKIPPED:
        await enrollments.unskip(session, enrollment.id, row.step)
    return outcome


async def refused(
    session: AsyncSession, attempt: Attempt, enrollment: Enrollment, row: Message, answer: Refused
) -> Settled:
    """The provider will never take it; an address that is bad is not written to again."""
    if answer.bad_address:
        assert row.address is not None  # it was handed over
        assert row.channel is not None
        suppression = Suppression(
            channel=row.channel,
            address=row.address,
            reason="refused",
            at=attempt.now,
            source=row.provider or "",
        )
        await suppressions.add(session, suppression)
    return await claimed(
        session,
        attempt,
        enrollment,
        row,
        Decision.NOT_SENT,
        Reason.PROVIDER_REFUSED,
        error=answer.detail,
    )


async def withdraw(session: AsyncSession, row: Message) -> None:
    """Take back a claim that certainly came to nothing, as if it had never been made."""
    await offers.withdraw(session, row.key)
    await messages.withdraw(session, row.key)


def answer_of(row: Message) -> Settled:
    """What a row that is settled answers, however often it is asked."""
    assert row.decision is not None
    return _outcome(row, row.decision, row.reason)


def _outcome(row: Message, decision: Decision, reason: Reason | None) -> Settled:
    out = decision is not Decision.NOT_SENT
    return Settled(
        decision=decision,
        reason=reason,
        channel=row.channel if out else None,
        message=row.message if out else None,
    )


async def _decided_before(
    session: AsyncSession, row: Message, decision: Decision, reason: Reason | None
) -> Settled:
    """Another attempt was faster. What it took for unknown is known now."""
    key = row.key
    if decision is not Decision.UNKNOWN:
        await messages.resolve_unknown(session, key, decision, reason)
    known = await messages.get_by_key(session, key)
    if known is None:  # the customer was erased while it was under way: no copy stays here
        await mailbox.remove(session, key)
        return _outcome(row, decision, reason)
    return answer_of(known)


async def _note_next(
    session: AsyncSession, attempt: Attempt, case: Case, verdict: NotBefore
) -> None:
    """What comes next is this step again, unless another comes before it, then or in the file."""
    until = verdict.until or _idle_again(attempt, case, verdict)
    mine = Next(step=case.step.id, at=until, reason=verdict.reason)
    other = attempt.order.report.next
    first = mine
    if other is not None and (other.at, _place(case, other)) < (mine.at, _place(case, mine)):
        first = other
    await enrollments.set_next(session, case.enrollment.id, first.step, first.at, first.reason)


def _place(case: Case, following: Next) -> int:
    """The end comes after every step of the same instant, as the machine has it."""
    step, journey = following.step, case.journey
    return journey.place(step) if step is not None else len(journey.steps)


def _idle_again(attempt: Attempt, case: Case, verdict: NotBefore) -> datetime:
    """When the customer would be idle again, as the machine works it out."""
    delivery, step = attempt.order.delivery, case.step
    tz = zone(delivery.zone)
    if verdict.last_activity_at is None or step.after_idle is None or tz is None:
        return delivery.at
    since = delivery.at if delivery.spell_settled else verdict.last_activity_at
    due_at = shift(since, step.after_idle.terms, tz)
    return next_opening(due_at, tz, step.between, step.days)

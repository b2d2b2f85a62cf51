"""Settle one step of one enrollment, or say why it can't be yet.

Rules for whoever edits this next:

1. Nothing goes to a provider that has no claimed row, and what goes is the row's bytes.
2. The verdict that counts is the one made while holding the customer, in the transaction
   that claims; the one before it only says what to word.
3. A row with `claimed_at` and no decision is ambiguous: a provider may have it. Without
   `claimed_at` it certainly has not, and the claim can be taken back.
4. Before every further attempt exit, consent, stop buttons and grace are asked again.
5. Business outcomes are answers. `Trouble` alone is raised, and only before the deadline.
6. An ambiguous row is never left behind: whatever ends the delivery settles it.
"""

import asyncio
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from activities import settle
from activities.case import Case, read_case
from activities.desk import Attempt, Desk, Trouble
from activities.handing import (
    hand_over,
    is_ambiguous,
    is_repeatable,
    look_up,
    may_be_found,
    take_up,
)
from activities.offering import is_short, shops_code
from activities.pacing import another_turn, first_turn, its_moment
from activities.packing import pack
from activities.permission import is_held_up, is_stopped, may_go, put_by
from activities.providers.outcome import Accepted
from activities.record import apply_report
from activities.wording import Worded, word
from engine.enrollment import NotBefore, Outcome, Over, Settled
from engine.gate import OWN, Go, Verdict, refusal
from engine.matching import ConditionFailed
from engine.orders import DeliverOrder
from engine.reasons import Decision, Ending, Reason
from rendering.errors import RenderingError
from store import customers, enrollments, messages, offers
from store.tables import BroadcastState, Enrollment, EnrollmentState, Message, Offer

# How long a paused enrollment, whose workflow has not heard of it yet, waits to ask again.
_PAUSED_RETRY = timedelta(minutes=1)

# Facts may change between wording and claiming; a customer who changes faster than this
# many attempts to word is asked about again by the next attempt of the activity.
_MAX_WORDINGS = 5


async def deliver(desk: Desk, attempt: Attempt) -> Outcome:
    """One attempt. Raises Trouble to be tried again; settles the step at its deadline itself."""
    if attempt.order.settle_only:
        return await _bring_to_end(desk, attempt)
    async with desk.database.reading() as session:
        case = await read_case(session, desk, attempt)
    if case is None:
        return _unknown_here(attempt.order)
    try:
        if case.message is None:
            return await _begin(desk, attempt, case)
        return await _go_on(desk, attempt, case)
    except (ConditionFailed, RenderingError) as error:
        raise Trouble(Reason.TEMPLATE_ERROR, str(error)) from None
    except _ErasedError:
        return _unknown_here(attempt.order)


class _ErasedError(Exception):
    """The customer was erased since the attempt began; nothing of it was written."""


async def _begin(desk: Desk, attempt: Attempt, case: Case) -> Outcome:
    """Decide, word, claim, send: the first attempt, and any before there is a claim."""
    late = await _why_too_late(desk, attempt, case) if attempt.is_past_deadline else None
    turns: dict[str, NotBefore | Settled | None] = {}  # one a channel, however often it is worded
    for _ in range(_MAX_WORDINGS):
        verdict = _verdict(desk, attempt, case, late)
        worded = await _worded(desk, attempt, case, verdict) if isinstance(verdict, Go) else None
        if worded is not None and isinstance(verdict, Go) and verdict.channel not in turns:
            turns[verdict.channel] = await first_turn(desk, attempt, case, verdict.channel)
        async with desk.database.transaction() as session:
            fresh = await _read_again(session, desk, attempt, case)
            if fresh.message is not None:
                raise Trouble(Reason.PROVIDER_DOWN, "another attempt is under way")
            again = _verdict(desk, attempt, fresh, late)
            if isinstance(again, Go):
                again = turns.get(again.channel) or again
            if not isinstance(again, Go):
                await _leave(session, attempt, fresh, again)
                return again
            if again.channel in OWN:
                return await settle.own_call(session, attempt, fresh, again)
            if worded is None or again != verdict or not case.reads_like(fresh):
                case = fresh
                continue
            row = await _claim(session, desk, attempt, fresh, again, worded)
            wait = await its_moment(session, desk, row)
        await asyncio.sleep(wait.total_seconds())
        return await hand_over(desk, attempt, fresh.enrollment, row)
    raise Trouble(Reason.PROVIDER_DOWN, "the customer's data keep changing")


async def _worded(desk: Desk, attempt: Attempt, case: Case, go: Go) -> Worded | None:
    """What goes out; None if nothing has to. Raises RenderingError, Trouble."""
    if go.channel in OWN:
        return None
    desk.provider(go.channel)  # or there is nobody to word it for
    code = await shops_code(desk, attempt, case)
    return word(case, go, attempt, desk.links, code, label=desk.staging.label)


async def _go_on(desk: Desk, attempt: Attempt, case: Case) -> Outcome:
    """An earlier attempt made a row: answer what it came to, or bring it to its end."""
    found = await look_up(desk, case.message)
    if found is None and _may_go_again(desk, attempt, case):
        await another_turn(desk, attempt, case)
    async with desk.database.transaction() as session:
        fresh = await _read_again(session, desk, attempt, case)
        row = fresh.message
        if row is not None and row.decision is not None:
            return settle.answer_of(row)
        if row is not None:
            if is_ambiguous(row):
                over = await _give_up(session, desk, attempt, fresh, row, found)
            else:
                over = await _reconsider(session, desk, attempt, fresh, row)
            if over is not None:
                return over
            wait = await its_moment(session, desk, row)
    if row is None or not is_ambiguous(row):  # it was taken back
        return await _begin(desk, attempt, fresh)
    await asyncio.sleep(wait.total_seconds())
    return await hand_over(desk, attempt, fresh.enrollment, row)


def _may_go_again(desk: Desk, attempt: Attempt, case: Case) -> bool:
    """Whether what was claimed before may be handed over now, as far as can be told so early."""
    row = case.message
    if row is None or row.decision is not None or attempt.is_past_deadline:
        return False
    if _stands(attempt, case) is not None:
        return False
    return not is_ambiguous(row) or is_repeatable(desk, row, attempt.now)


async def _give_up(
    session: AsyncSession,
    desk: Desk,
    attempt: Attempt,
    case: Case,
    row: Message,
    found: Accepted | None,
) -> Outcome | None:
    """Leave an ambiguous row to a person, unless it was found; None if it may go once more."""
    stands = _stands(attempt, case)
    theirs = row.intended_address or row.address
    assert row.channel is not None
    assert theirs is not None
    if found is None and stands is None and not attempt.is_past_deadline:
        if (
            is_repeatable(desk, row, attempt.now)
            and not is_stopped(case, row)
            and not is_short(await _offer_in(session, case), attempt, case)
            and refusal(case.occasion, case.facts, case.policy, row.channel, theirs) is None
        ):
            take_up(row, desk, attempt.now)
            return None
        if may_be_found(desk, row, attempt.now):
            raise Trouble(Reason.PROVIDER_DOWN, f"{row.provider} has yet to say if it took it")
    settled = await _end_of_ambiguous(session, attempt, case.enrollment, row, found)
    return stands if isinstance(stands, Over) else settled


async def _end_of_ambiguous(
    session: AsyncSession,
    attempt: Attempt,
    enrollment: Enrollment,
    row: Message,
    found: Accepted | None,
) -> Settled:
    if found is None:
        return await settle.claimed(session, attempt, enrollment, row, Decision.UNKNOWN)
    return await settle.claimed(
        session,
        attempt,
        enrollment,
        row,
        Decision.SENT,
        provider_message_id=found.provider_message_id,
    )


async def _reconsider(
    session: AsyncSession, desk: Desk, attempt: Attempt, case: Case, row: Message
) -> Outcome | None:
    """Decide anew about a row that no provider has; None if it is handed over, or taken back."""
    late = Reason.PROVIDER_DOWN if attempt.is_past_deadline else None
    verdict = _verdict(desk, attempt, case, late)
    match verdict:
        case Settled(reason=reason):
            return await settle.claimed(
                session, attempt, case.enrollment, row, Decision.NOT_SENT, reason
            )
        case Go() if _is_what_was_claimed(verdict, row) and not is_short(
            await _offer_in(session, case), attempt, case
        ):
            take_up(row, desk, attempt.now)
            return None
    await settle.withdraw(session, row)
    if isinstance(verdict, Go):
        return None
    await _leave(session, attempt, case, verdict)
    return verdict


async def _leave(
    session: AsyncSession, attempt: Attempt, case: Case, verdict: Settled | NotBefore | Over
) -> None:
    """The step is decided, or put off, without a message."""
    await settle.without_send(session, attempt, case, verdict)
    if is_held_up(verdict):
        await put_by(session, attempt, case)


async def _bring_to_end(desk: Desk, attempt: Attempt) -> Outcome:
    """The workflow has no more use for it: settle what may be out, take back what is not."""
    report = attempt.order.report
    async with desk.database.reading() as session:
        left = await messages.get_by_key(session, attempt.key)
    found = await look_up(desk, left)
    async with desk.database.transaction() as session:
        enrollment = await enrollments.held(session, report.enrollment_id)
        if enrollment is None:
            return NotBefore()
        row = await messages.get_by_key(session, attempt.key)
        if row is not None and row.decision is not None:
            return settle.answer_of(row)
        if row is not None and is_ambiguous(row):
            return await _end_of_ambiguous(session, attempt, enrollment, row, found)
        if row is not None:
            await settle.withdraw(session, row)
        await apply_report(session, enrollment, report, foretold=False)
    return NotBefore()


async def _read_again(session: AsyncSession, desk: Desk, attempt: Attempt, case: Case) -> Case:
    """The case as it is, and stays until the transaction ends. Raises _ErasedError, Trouble."""
    await customers.hold(session, case.customer.id)
    fresh = await read_case(session, desk, attempt)
    if fresh is None:
        raise _ErasedError
    if fresh.customer.id != case.customer.id:  # another one now has it, who is not held
        raise Trouble(Reason.PROVIDER_DOWN, "the customer was joined with another just now")
    return fresh


async def _claim(
    session: AsyncSession, desk: Desk, attempt: Attempt, case: Case, go: Go, worded: Worded
) -> Message:
    delivery = attempt.order.delivery
    packed = pack(worded.parcel)
    row = Message(
        key=attempt.key,
        enrollment_id=case.enrollment.id,
        customer_id=case.customer.id,
        journey=case.journey.journey,
        step=case.step.id,
        occurrence=delivery.occurrence,
        channel=go.channel,
        topic=go.topic,
        transactional=go.topic is None,
        message=go.message,
        content_hash=worded.content_hash,
        address=packed.address,
        intended_address=go.intended,
        sender=packed.sender,
        subject=packed.subject,
        body=packed.body,
        decided_at=delivery.at,
        due_at=delivery.due_at,
        zone=delivery.zone,
    )
    take_up(row, desk, attempt.now)
    claimed = await messages.claim(session, row)
    assert claimed  # its absence was read while holding the customer
    if worded.offer is not None:
        await offers.issue(session, worded.offer)
    return row


async def _offer_in(session: AsyncSession, case: Case) -> Offer | None:
    """The coupon that the claimed message holds."""
    if case.terms is None or case.message is None:
        return None
    return await offers.of_message(session, case.message.key)


def _is_what_was_claimed(go: Go, row: Message) -> bool:
    return (go.channel, go.message, go.address, go.intended) == (
        row.channel,
        row.message,
        row.address,
        row.intended_address,
    )


def _stands(attempt: Attempt, case: Case) -> Over | NotBefore | Settled | None:
    """What people and events have said meanwhile, whether or not Temporal has heard of it."""
    enrollment = case.enrollment
    if enrollment.state is not EnrollmentState.OPEN:
        return _over(enrollment)
    if case.broadcast is BroadcastState.STOPPED:  # which closes the enrollment in its turn
        return Over(ending=Ending.CANCELLED, by="broadcast", at=case.at)
    if case.step.id in enrollment.skipped_steps:
        return Settled(decision=Decision.NOT_SENT, reason=Reason.SKIPPED)
    if enrollment.paused_at is not None or case.broadcast is BroadcastState.PAUSED:
        return NotBefore(until=max(case.at, attempt.at) + _PAUSED_RETRY)
    return None


def _over(enrollment: Enrollment) -> Over:
    assert enrollment.ending is not None
    assert enrollment.ended_at is not None
    return Over(ending=enrollment.ending, by=enrollment.ended_by, at=enrollment.ended_at)


def _unknown_here(order: DeliverOrder) -> Over:
    """Its customer was erased, or its start rolled back: the store decides, not Temporal."""
    return Over(ending=Ending.CANCELLED, by="unknown to the store", at=order.delivery.at)


def _verdict(desk: Desk, attempt: Attempt, case: Case, late: Reason | None) -> Verdict | Over:
    """What stands, else why it is too late, else what may become of it."""
    stands = _stands(attempt, case)
    if stands is not None:
        return stands
    if late is not None:
        return Settled(decision=Decision.NOT_SENT, reason=late)
    return may_go(desk, case)


async def _why_too_late(desk: Desk, attempt: Attempt, case: Case) -> Reason:
    """`expired`, unless it still could not go out: then that is what held it up."""
    try:
        match may_go(desk, case):
            case Go() as go:
                await _worded(desk, attempt, case, go)
            case Settled(reason=Reason.NOT_ALLOWED):
                return Reason.NOT_ALLOWED
            case Settled(reason=Reason.STOPPED) | NotBefore(reason=Reason.STOPPED):
                return Reason.STOPPED
    except (ConditionFailed, RenderingError):
        return Reason.TEMPLATE_ERROR
    except Trouble as trouble:
        return trouble.reason
    return Reason.EXPIRED

"""Settle one step of one enrollment, or say why it can't be yet.

Rules for whoever edits this next:

1. Nothing goes to a provider that has no claimed row, and what goes is the row's bytes.
2. The verdict that counts is the one made under the customer's lock, in the transaction
   that claims; the one before it only says what to word.
3. A row with `claimed_at` and no decision is ambiguous: a provider may have it. Without
   `claimed_at` it was certainly not sent. Whoever learns more writes it down at once.
4. Before every further attempt exit, consent and grace are asked again.
5. Business outcomes are answers. `Trouble` alone is raised, and only before the deadline.
6. Errors that Temporal will show never quote a customer's data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from activities import settle
from activities.facts import Case, read_case
from activities.providers.outcome import Accepted, Ambiguous, Mail, NotTaken, Provider, Refused
from activities.settle import Trouble
from activities.wording import UnsubscribeUrl, Worded, word
from engine.clock import journey_time
from engine.enrollment import NotBefore, Outcome, Over, Settled
from engine.gate import ConditionFailed, Go, Verdict, decide
from engine.keys import message_key
from engine.orders import DeliverOrder
from engine.reasons import Decision, Ending, Reason
from rendering.conditions import evaluate
from rendering.errors import RenderingError
from store import customers, messages, offers
from store.database import Database
from store.tables import EnrollmentState, Message

# How long a paused enrollment, whose workflow has not heard of it yet, waits to ask again.
_PAUSED_RETRY = timedelta(minutes=1)

# Facts may change between wording and claiming; a customer who changes faster than this
# many attempts to word is asked about again by the next attempt of the activity.
_MAX_WORDINGS = 5


@dataclass(frozen=True)
class Desk:
    """What `deliver` works with. Providers by channel."""

    database: Database
    providers: Mapping[str, Provider]
    unsubscribe_url: UnsubscribeUrl


@dataclass(frozen=True)
class Attempt:
    """One attempt at one order. `now` is real time, `at` journey time."""

    order: DeliverOrder
    key: str
    now: datetime
    at: datetime

    @property
    def is_past_deadline(self) -> bool:
        return self.at > self.order.delivery.until + self.order.tolerances.lateness


async def deliver(desk: Desk, order: DeliverOrder, now: datetime) -> Outcome:
    """One attempt. Raises Trouble to be tried again; settles the step at its deadline itself."""
    delivery = order.delivery
    key = message_key(order.report.enrollment_id, delivery.step, delivery.occurrence)
    attempt = Attempt(order=order, key=key, now=now, at=journey_time(order.clock, now))
    async with desk.database.reading() as session:
        case = await read_case(session, order, key)
    if case is None:
        return Over(ending=Ending.CANCELLED, by="unknown to the store", at=delivery.at)
    try:
        if case.message is None:
            return await _begin(desk, attempt, case)
        return await _go_on(desk, attempt, case)
    except (ConditionFailed, RenderingError) as error:
        return await _trouble(desk, attempt, Reason.TEMPLATE_ERROR, str(error), None)


async def _begin(desk: Desk, attempt: Attempt, case: Case) -> Outcome:
    """Decide, word, claim, send: the first attempt, and any before there is a claim."""
    if attempt.order.settle_only:
        return NotBefore()
    for _ in range(_MAX_WORDINGS):
        verdict = _stands(case) or _verdict(attempt, case)
        worded = None
        if isinstance(verdict, Go):
            worded = word(case, verdict, attempt.key, desk.unsubscribe_url, attempt.at)
        async with desk.database.transaction() as session:
            await customers.lock(session, case.customer.id, attempt.now)
            fresh = await read_case(session, attempt.order, attempt.key)
            assert fresh is not None  # enrollments are never deleted
            if fresh.message is not None:
                raise Trouble(Reason.PROVIDER_DOWN, "another attempt is under way")
            again = _stands(fresh) or _verdict(attempt, fresh)
            if not isinstance(again, Go):
                return await settle.without_send(session, attempt, fresh, again)
            if worded is None or again != verdict or _reads_otherwise(case, fresh):
                case = fresh
                continue
            row = await _claim(session, attempt, fresh, again, worded, desk)
        return await _send(desk, attempt, fresh, row)
    raise Trouble(Reason.PROVIDER_DOWN, "the customer's data keep changing")


async def _go_on(desk: Desk, attempt: Attempt, case: Case) -> Outcome:
    """An earlier attempt made a row: answer what it came to, or bring it to its end."""
    async with desk.database.transaction() as session:
        await customers.lock(session, case.customer.id, attempt.now)
        fresh = await read_case(session, attempt.order, attempt.key)
        assert fresh is not None and fresh.message is not None  # rows are never deleted here
        row = fresh.message
        if row.decision is not None:
            return settle.answer_of(row)
        outcome = await _may_not_repeat(session, desk, attempt, fresh, row)
        if outcome is not None:
            return outcome
        row.claimed_at = attempt.now
        row.attempts += 1
    return await _send(desk, attempt, fresh, row)


async def _may_not_repeat(
    session: AsyncSession, desk: Desk, attempt: Attempt, case: Case, row: Message
) -> Outcome | None:
    """Why the row must not be handed to the provider (again); None if it may."""
    ambiguous = row.claimed_at is not None
    stands = _stands(case)
    if ambiguous and not _can_repeat(desk, attempt, row):
        return await settle.row(session, attempt, row, Decision.UNKNOWN)
    if isinstance(stands, Over) or attempt.order.settle_only or attempt.is_past_deadline:
        if ambiguous:
            settled = await settle.row(session, attempt, row, Decision.UNKNOWN)
        else:
            settled = await settle.row(
                session, attempt, row, Decision.NOT_SENT, Reason.PROVIDER_DOWN
            )
        return stands if isinstance(stands, Over) and not attempt.order.settle_only else settled
    verdict = stands or _verdict(attempt, case)
    if isinstance(verdict, Settled):
        decision = Decision.UNKNOWN if ambiguous else Decision.NOT_SENT
        return await settle.row(
            session, attempt, row, decision, None if ambiguous else verdict.reason
        )
    return verdict if isinstance(verdict, NotBefore) else None


def _can_repeat(desk: Desk, attempt: Attempt, row: Message) -> bool:
    """Whether handing it over again can't make a second message, or a second is allowed.

    With a key that the provider still knows it can't. Without, only a transactional message
    is sent again: better twice than never.
    """
    remembers = desk.providers[row.channel or "email"].remembers_keys_for
    if remembers is None:
        return row.transactional
    assert row.first_claimed_at is not None
    return attempt.now - row.first_claimed_at < remembers


async def _claim(
    session: AsyncSession, attempt: Attempt, case: Case, go: Go, worded: Worded, desk: Desk
) -> Message:
    delivery = attempt.order.delivery
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
        address=go.address,
        sender=worded.mail.sender,
        subject=worded.mail.subject,
        body=worded.mail.raw,
        provider=desk.providers[go.channel].name,
        claimed_at=attempt.now,
        first_claimed_at=attempt.now,
        attempts=1,
        decided_at=delivery.at,
        due_at=delivery.due_at,
        zone=delivery.zone,
    )
    claimed = await messages.claim(session, row)
    assert claimed  # its absence was read under the customer's lock
    if worded.offer is not None:
        await offers.issue(session, worded.offer)
    return row


async def _send(desk: Desk, attempt: Attempt, case: Case, row: Message) -> Outcome:
    """Hand the stored bytes over, and write down what became of it."""
    assert row.body is not None and row.channel is not None
    provider = desk.providers[row.channel]
    mail = Mail(
        key=row.key,
        sender=row.sender or case.policy.sender.email,
        recipient=row.address or "",
        subject=row.subject or "",
        raw=row.body,
        customer_id=row.customer_id,
    )
    try:
        answer = await provider.send(mail)
    except NotTaken as trouble:
        await settle.release(desk.database, row, str(trouble))
        return await _trouble(
            desk,
            attempt,
            Reason.PROVIDER_DOWN,
            f"{provider.name} did not take it",
            trouble.retry_after,
        )
    except Ambiguous as trouble:
        await settle.note(desk.database, row, str(trouble))
        if _can_repeat(desk, attempt, row) and not attempt.is_past_deadline:
            raise Trouble(Reason.PROVIDER_DOWN, f"{provider.name} gave no answer") from trouble
        async with desk.database.transaction() as session:
            await customers.lock(session, row.customer_id, attempt.now)
            return await settle.row(session, attempt, row, Decision.UNKNOWN)
    async with desk.database.transaction() as session:
        await customers.lock(session, row.customer_id, attempt.now)
        match answer:
            case Accepted(provider_message_id=theirs):
                return await settle.row(
                    session, attempt, row, Decision.SENT, provider_message_id=theirs
                )
            case Refused() as refused:
                return await settle.refused(session, attempt, row, refused)


async def _trouble(
    desk: Desk, attempt: Attempt, reason: Reason, what: str, retry_after: timedelta | None
) -> Outcome:
    """Be tried again, or, at the end of the step's grace, settle it with what held it up."""
    if not attempt.is_past_deadline and not attempt.order.settle_only:
        raise Trouble(reason, what, retry_after)
    async with desk.database.transaction() as session:
        fresh = await read_case(session, attempt.order, attempt.key)
        assert fresh is not None
        await customers.lock(session, fresh.customer.id, attempt.now)
        if fresh.message is not None:
            return await settle.row(session, attempt, fresh.message, Decision.NOT_SENT, reason)
        verdict = Settled(decision=Decision.NOT_SENT, reason=reason)
        return await settle.without_send(session, attempt, fresh, verdict)


def _stands(case: Case) -> Over | NotBefore | Settled | None:
    """What people and events have said meanwhile, whether or not Temporal has heard of it."""
    enrollment = case.enrollment
    if enrollment.state is not EnrollmentState.OPEN:
        assert enrollment.ending is not None and enrollment.ended_at is not None
        return Over(ending=enrollment.ending, by=enrollment.ended_by, at=enrollment.ended_at)
    if case.step.id in enrollment.skipped_steps:
        return Settled(decision=Decision.NOT_SENT, reason=Reason.SKIPPED)
    if enrollment.paused_at is not None:
        return NotBefore(until=case.occasion.delivery.at + _PAUSED_RETRY)
    return None


def _verdict(attempt: Attempt, case: Case) -> Verdict:
    """The gate's verdict; a step that came up past its deadline has expired."""
    if attempt.is_past_deadline:
        return Settled(decision=Decision.NOT_SENT, reason=Reason.EXPIRED)
    return decide(case.occasion, case.facts, case.policy, evaluate)


def _reads_otherwise(worded: Case, fresh: Case) -> bool:
    """Whether what the wording was made from has changed since."""
    return (
        worded.customer.traits != fresh.customer.traits
        or worded.published.content_hash != fresh.published.content_hash
    )

"""Handing a claimed message to its provider, and writing down what became of it.

Decides nothing about whether it may go: that was decided when it was claimed. The surprising
fact: a failure that certainly sent nothing says so only of this attempt. Where an earlier one
may have got through, the row stays ambiguous.
"""

from datetime import datetime, timedelta
from typing import Any

from activities import settle
from activities.desk import Attempt, Desk, Trouble
from activities.packing import unpack
from activities.providers.outcome import (
    Accepted,
    Ambiguous,
    Finds,
    NotTaken,
    ProviderTrouble,
    Refused,
)
from engine.enrollment import Settled
from engine.reasons import Decision, Reason
from store import customers, messages
from store.tables import Enrollment, Message

# How long a provider's search may lag behind what it has taken. Postmark shows a message within
# seconds; what it has not shown after so many minutes, a person would not find there either.
_SEARCH_LAG = timedelta(minutes=5)


def take_up(row: Message, desk: Desk, now: datetime) -> None:
    """Mark a row, in the transaction that claims it, as being handed over from `now` on."""
    assert row.channel is not None
    row.provider = desk.provider(row.channel).name
    row.claimed_at = now
    row.first_claimed_at = row.first_claimed_at or now
    row.attempts += 1


def is_ambiguous(row: Message) -> bool:
    """Whether a provider may have it: somebody took it up, and nobody knows what came of it."""
    return row.decision is None and row.claimed_at is not None


def is_repeatable(desk: Desk, row: Message, now: datetime) -> bool:
    """Whether handing it over again can't make a second message, or a second is allowed.

    With a key that the provider still knows it can't. A provider that has taken over from
    another knows none of its keys.
    """
    assert row.channel is not None
    assert row.first_claimed_at is not None
    provider = desk.provider(row.channel)
    remembers = provider.remembers_keys_for if provider.name == row.provider else None
    if remembers is not None and now - row.first_claimed_at < remembers:
        return True
    return row.transactional and row.attempts < desk.copies


def may_be_found(desk: Desk, row: Message, now: datetime) -> bool:
    """Whether asking its provider for it once more, a little later, may tell what became of it."""
    assert row.claimed_at is not None
    return _finder(desk, row) is not None and now - row.claimed_at < _SEARCH_LAG


async def look_up(desk: Desk, row: Message | None) -> Accepted | None:
    """An ambiguous message as its provider took it; None if that is still not known."""
    if row is None or not is_ambiguous(row):
        return None
    provider = _finder(desk, row)
    if provider is None:
        return None
    try:
        return await provider.find(unpack(row))
    except ProviderTrouble:
        return None  # it can't say, as before


def _finder(desk: Desk, row: Message) -> Finds[Any] | None:
    assert row.channel is not None
    provider = desk.providers.get(row.channel)
    took_it = provider is not None and provider.name == row.provider
    return provider if took_it and isinstance(provider, Finds) else None


async def hand_over(desk: Desk, attempt: Attempt, enrollment: Enrollment, row: Message) -> Settled:
    """Give the stored bytes to the provider, and settle the row. Raises Trouble."""
    assert row.channel is not None
    provider = desk.provider(row.channel)
    try:
        answer = await provider.send(unpack(row))
    except NotTaken as trouble:
        await _not_taken(desk, row, trouble)
        what = f"{provider.name} did not take it: {trouble.what}"
        raise Trouble(Reason.PROVIDER_DOWN, what, trouble.retry_after) from None
    except Ambiguous as trouble:
        return await _nobody_knows(desk, attempt, enrollment, row, trouble)
    async with desk.database.transaction() as session:
        await customers.hold(session, row.customer_id)
        if not isinstance(answer, Refused):
            return await settle.claimed(
                session,
                attempt,
                enrollment,
                row,
                Decision.SENT,
                provider_message_id=answer.provider_message_id,
            )
        if row.attempts > 1 and provider.remembers_keys_for is None:
            # It refused a second copy; the first may still have got through.
            return await settle.claimed(
                session, attempt, enrollment, row, Decision.UNKNOWN, error=answer.detail
            )
        return await settle.refused(session, attempt, enrollment, row, answer)


async def _not_taken(desk: Desk, row: Message, trouble: NotTaken) -> None:
    """This attempt does not count: the row is as ambiguous as it was before, or not at all."""
    async with desk.database.transaction() as session:
        await customers.hold(session, row.customer_id)
        await messages.release(session, row.key, trouble.detail)


async def _nobody_knows(
    desk: Desk, attempt: Attempt, enrollment: Enrollment, row: Message, trouble: Ambiguous
) -> Settled:
    """Find out by handing it over again, where that is safe, or by looking it up.

    Where neither can be done, it is for a person to decide.
    """
    async with desk.database.transaction() as session:
        await customers.hold(session, row.customer_id)
        is_over = not is_repeatable(desk, row, attempt.now)
        if is_over and not may_be_found(desk, row, attempt.now):
            return await settle.claimed(
                session, attempt, enrollment, row, Decision.UNKNOWN, error=trouble.detail
            )
        await messages.note_error(session, row.key, trouble.detail)
    what = f"nobody knows whether {row.provider} took it: {trouble.what}"
    raise Trouble(Reason.PROVIDER_DOWN, what)

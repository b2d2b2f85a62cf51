"""Waiting for one's turn on a channel that carries only so many a second.

Decides nothing (`engine.rates` does), and costs nothing where no rate is set. The surprising
fact: the turn is taken before the claim and in a transaction of its own. What is claimed may
be out as far as anyone knows, so nothing may lie claimed while it waits.
"""

import asyncio
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from activities.case import Case
from activities.desk import Attempt, Desk, Trouble
from engine.clock import journey_time, real_span
from engine.enrollment import NotBefore, Settled
from engine.rates import Ask, Place, Slot, Turn
from engine.reasons import Decision, Reason
from store import send_slots
from store.tables import Message


async def first_turn(
    desk: Desk, attempt: Attempt, case: Case, channel: str
) -> NotBefore | Settled | None:
    """Wait until it may be claimed and sent, and answer None; or what to answer instead.

    That is when to come back; or that it can't go out within its grace, however it waits.
    """
    every = desk.every(channel)
    if every is None:
        return None
    delivery, clock, before = attempt.order.delivery, attempt.order.clock, attempt.passed
    ask = Ask(
        transactional=case.topic is None,
        waited=delivery.at > delivery.due_at,
        left=real_span(clock, delivery.until - attempt.at) - before,
        lateness=real_span(clock, attempt.order.tolerances.lateness),
    )
    match await _turn(desk, channel, every, ask):
        case Slot(wait=wait):
            await asyncio.sleep(wait.total_seconds())
            if ask.left + ask.lateness >= attempt.passed - before:
                return None
        case Place(wait=wait):
            return NotBefore(until=journey_time(clock, attempt.now + wait))
    # Its turn came too late, or the machine was so busy that it has passed.
    return Settled(decision=Decision.NOT_SENT, reason=Reason.EXPIRED)


async def another_turn(desk: Desk, attempt: Attempt, case: Case) -> None:
    """Wait until what has a row, and no decision, may be handed over once more.

    Raises Trouble where that takes longer: a claim can't be put off as if there were none.
    """
    row = case.message
    if row is None or row.decision is not None or row.channel is None:
        return
    channel, every = row.channel, desk.every(row.channel)
    if every is None:
        return
    left = real_span(attempt.order.clock, attempt.deadline - attempt.at)
    ask = Ask(transactional=case.topic is None, waited=True, left=left)
    match await _turn(desk, channel, every, ask):
        case Slot(wait=wait):
            await asyncio.sleep(wait.total_seconds())
        case Place(wait=wait):
            raise Trouble(Reason.PROVIDER_DOWN, f"{channel} is at its rate", wait)
        case None:  # the attempt at its deadline settles it
            raise Trouble(Reason.PROVIDER_DOWN, f"{channel} is at its rate", left)


async def its_moment(session: AsyncSession, desk: Desk, row: Message) -> timedelta:
    """How long after this transaction, which claims it, a message is handed over.

    Hardly ever any time at all: its turn has come. But those whose turns were one after the
    other may have been held up since, together.
    """
    if row.claimed_at is None or row.channel is None or (every := desk.every(row.channel)) is None:
        return timedelta(0)
    return await send_slots.take_moment(session, row.channel, every)


async def _turn(desk: Desk, channel: str, every: timedelta, ask: Ask) -> Turn | None:
    # A turn that is forgotten by a crash of the database costs a moment's excess.
    async with desk.database.transaction(durable=False) as session:
        return await send_slots.take_turn(session, channel, every, ask)

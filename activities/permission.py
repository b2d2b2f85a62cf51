"""Whether a message may go out: the gate's word, then the place's, then the stop buttons'.

Decides only their order. The surprising fact: what a stop button holds up is written down
with its wake-up (`store.held`), in the transaction that answers so.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from activities.case import Case
from activities.desk import Attempt, Desk
from engine.clock import real_span
from engine.enrollment import NotBefore
from engine.gate import Go, Verdict, decide
from engine.reasons import Reason
from engine.stops import Outgoing, held_up
from rendering.conditions import evaluate
from store import held
from store.tables import Message


def may_go(desk: Desk, case: Case) -> Verdict:
    """What may become of it now. Raises ConditionFailed."""
    go = decide(case.occasion, case.facts, case.policy, evaluate)
    if not isinstance(go, Go):
        return go
    carrier = desk.providers.get(go.channel)
    placed = desk.staging.placed(go, carrier.name if carrier is not None else "")
    if not isinstance(placed, Go):
        return placed
    return held_up(case.stopped, _outgoing(case, go), case.occasion.delivery) or placed


def is_stopped(case: Case, row: Message) -> bool:
    """Whether a stop button holds back a message that may be out already."""
    assert row.channel is not None
    message = Outgoing(row.journey, row.step, row.channel, is_marketing=not row.transactional)
    return held_up(case.stopped, message, case.occasion.delivery) is not None


async def put_by(session: AsyncSession, attempt: Attempt, case: Case) -> None:
    """Have a step that is stopped woken, once nothing stops it any more."""
    go = decide(case.occasion, case.facts, case.policy, evaluate)
    assert isinstance(go, Go)  # stop buttons are asked about nothing else
    left = real_span(attempt.order.clock, attempt.order.delivery.until - attempt.at)
    await held.put_by(
        session,
        customer_id=case.customer.id,
        enrollment_id=case.enrollment.id,
        message=_outgoing(case, go),
        now=attempt.now,
        until=attempt.now + left,
        broadcast_id=case.enrollment.broadcast_id,
    )


def is_held_up(verdict: object) -> bool:
    """Whether the verdict is that a stop button holds it up."""
    return isinstance(verdict, NotBefore) and verdict.reason is Reason.STOPPED


def _outgoing(case: Case, go: Go) -> Outgoing:
    return Outgoing(
        case.journey.journey, case.step.id, go.channel, is_marketing=go.topic is not None
    )

"""What is computed of a customer, as of a delivery's own time: their traits and segments.

Decides nothing. The surprising fact: nothing is kept of the values themselves, for time alone
changes them; the row holds what they are computed from, and here they are, at any instant.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from engine.definition import Step
from engine.localtime import zone
from engine.routing import zone_of
from rendering.computed import computations_of
from rendering.conditions import compile_condition, evaluate
from store import computed
from store.deliveries import Rows


@dataclass(frozen=True)
class Seen:
    """The rows with the computed traits among the others, and the segments that are asked about."""

    rows: Rows
    segments: frozenset[str] = frozenset()


async def as_of(session: AsyncSession, rows: Rows, step: Step, at: datetime) -> Seen:
    """The customer as of `at`, as far as the step asks."""
    policy = rows.published.policy
    by = computations_of(policy)
    if by.is_empty:
        return Seen(rows)
    customer = rows.customer
    state = await computed.state_of(session, by, evaluate, customer.id, rows.computed)
    tz = zone(zone_of(customer.traits, customer.context_timezone, policy.timezone)[0])
    assert tz is not None  # a customer's zone exists
    asks = step.when is not None and bool(compile_condition(step.when).segments)
    return Seen(
        rows=replace(rows, traits=by.known(rows.traits, state, at, tz)),
        segments=by.inside(state, rows.traits, at, tz, evaluate) if asks else frozenset(),
    )

"""Who of a page of customers is in an audience.

Decides nothing but that: the condition does. The surprising fact: a page takes the same few
statements however many are on it, so everything that the condition asks about is read before
it is asked about anybody.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from api.computing import computing
from api.people import zone_now
from engine.company import known_traits
from engine.consent import ConsentState, Word, state_of
from engine.expressions import Duration, Term
from engine.localtime import shift, zone
from engine.matching import Evaluate
from engine.policy import Policy
from engine.reached import ReadPhone, reached
from rendering.computed import computations_of
from rendering.conditions import Condition, ConditionContext
from rendering.errors import ConditionError
from store import broadcasts, companies, consents
from store.computed import with_traits
from store.journeys import Published
from store.tables import Company, Computed, Customer

# By which people are written to; a topic is subscribed to on each by itself.
CHANNELS = ("email", "sms", "post")

_Asked = tuple[str, Duration | None]


@dataclass(frozen=True)
class Candidate:
    """A customer who may be in an audience, as everything that reads traits sees them."""

    row: Customer
    traits: Mapping[str, Any]
    zone: ZoneInfo


@dataclass(frozen=True)
class Judged:
    """A page of candidates: those in the audience, and those of whom it could not be said."""

    inside: frozenset[str]
    failed: frozenset[str] = frozenset()


async def candidates(
    session: AsyncSession,
    rows: Sequence[Customer],
    published: Published,
    at: datetime,
    evaluate: Evaluate,
) -> list[Candidate]:
    """The rows with what else is known of them at `at` (journey time), in their order."""
    by = computations_of(published.policy)
    ids = [row.id for row in rows]
    kept = await with_traits(session, ids)
    computed = await computing(session, by, evaluate, kept, ids, ())
    named = {row.company_id for row in rows if row.company_id is not None}
    known = await companies.get_many(session, named) if named else {}
    found: list[Candidate] = []
    for row in rows:
        tz = zone(zone_now(row, published))
        assert tz is not None  # `zone_now` gives one that exists
        own = customer_traits(row, known.get(row.company_id or ""))
        mine = computed.get(row.id)
        found.append(Candidate(row, own if mine is None else mine.known(own, at, tz), tz))
    return found


def customer_traits(row: Customer, company: Company | None) -> dict[str, Any]:
    """Those that were told, of the customer and of their company."""
    return known_traits(row.traits, row.company_id, company.traits if company else None)


async def judge(
    session: AsyncSession,
    candidates: Sequence[Candidate],
    condition: Condition | None,
    policy: Policy,
    at: datetime,
    read_phone: ReadPhone,
) -> Judged:
    """Who is in the audience at `at` (journey time); None is everybody's."""
    ids = [each.row.id for each in candidates]
    if condition is None:
        return Judged(frozenset(ids))
    count = await counting(session, candidates, condition.counts, at)
    segments = await segments_of(session, ids) if condition.segments else {}
    said = await consents.of_customers(session, ids) if condition.topics else {}
    inside, failed = set(), set()
    for each in candidates:
        try:
            holds = condition.evaluate(
                _context(each, count, segments, said.get(each.row.id, ()), policy, read_phone)
            )
        except ConditionError:
            failed.add(each.row.id)
            continue
        if holds:
            inside.add(each.row.id)
    return Judged(frozenset(inside), frozenset(failed))


Count = Callable[[Candidate, str, Duration | None], int]


async def counting(
    session: AsyncSession,
    candidates: Sequence[Candidate],
    asked: Collection[_Asked],
    at: datetime,
) -> Count:
    """What `count(…)` answers for these, read beforehand: one statement for each of `asked`."""
    found: dict[_Asked, Mapping[str, int]] = {}
    for event, within in asked:
        since: dict[datetime | None, list[str]] = {}
        for each in candidates:
            since.setdefault(_since(at, within, each.zone), []).append(each.row.id)
        found[event, within] = await broadcasts.counts(session, event, since)

    def count(candidate: Candidate, event: str, within: Duration | None) -> int:
        return found[event, within].get(candidate.row.id, 0)

    return count


async def segments_of(
    session: AsyncSession, customer_ids: Collection[str]
) -> Mapping[str, frozenset[str]]:
    """The segments that customers are in; of whom nothing was computed is in none."""
    rows = await session.execute(
        select(col(Computed.customer_id), col(Computed.inside)).where(
            col(Computed.customer_id).in_(customer_ids)
        )
    )
    return {row.customer_id: frozenset(row.inside) for row in rows}


def is_subscribed(
    said: Sequence[Word],
    topic: str,
    traits: Mapping[str, Any],
    policy: Policy,
    read_phone: ReadPhone,
) -> bool:
    """Whether a topic's messages are welcome by some channel: of those they can be reached by.

    Who can't be reached at all is asked about every channel: that is another question.
    """
    known = policy.topics.get(topic)
    by_default = known is not None and known.subscribed
    at_hand = [each for each in CHANNELS if reached(traits, each, read_phone) is not None]
    states = [state_of(said, channel, topic) for channel in at_hand or CHANNELS]
    return any(
        by_default if state is None else state is ConsentState.SUBSCRIBED for state in states
    )


def _context(
    candidate: Candidate,
    count: Count,
    segments: Mapping[str, frozenset[str]],
    said: Sequence[Word],
    policy: Policy,
    read_phone: ReadPhone,
) -> ConditionContext:
    traits = candidate.traits
    return ConditionContext(
        customer=traits,
        event={},
        count=lambda event, within: count(candidate, event, within),
        inside=lambda segment: segment in segments.get(candidate.row.id, frozenset()),
        subscribed=lambda topic: is_subscribed(said, topic, traits, policy, read_phone),
    )


def _since(at: datetime, within: Duration | None, tz: ZoneInfo) -> datetime | None:
    """The time after which it counts, by the customer's calendar."""
    if within is None:
        return None
    return shift(at, (Term(-term.count, term.unit) for term in within.terms), tz)

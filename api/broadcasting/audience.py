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

from sqlalchemy.ext.asyncio import AsyncSession

from api.computing import computing
from api.people import zone_now
from engine.company import known_traits
from engine.consent import ConsentState, Word, state_of
from engine.expressions import Duration
from engine.localtime import zone
from engine.matching import Evaluate
from engine.policy import Policy
from engine.reached import ReadPhone, reached
from engine.seen import Seen
from rendering.computed import computations_of
from rendering.conditions import ConditionContext, Kind, compile_condition
from rendering.errors import ConditionError
from store import companies, consents, counting
from store.computed import of_customers
from store.journeys import Published
from store.tables import Company, Customer

# By which people are written to; a topic is subscribed to on each by itself.
CHANNELS = ("email", "sms", "post")

_Asked = tuple[str, Duration | None]


@dataclass(frozen=True)
class Candidate:
    """A customer who may be in an audience, as they are at the time that it is asked about."""

    row: Customer
    seen: Seen

    @property
    def traits(self) -> Mapping[str, Any]:
        """As everything that reads traits sees them."""
        return self.seen.traits

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which their times are computed."""
        return self.seen.zone

    def is_inside(self, segment: str) -> bool:
        """Whether they are in it, whether or not anybody has looked since time put them there."""
        return segment in self.seen.segments


# How often a candidate did something, ever or within so long.
Count = Callable[[Candidate, str, Duration | None], int]


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
    kept = {} if by.is_empty else await of_customers(session, ids)
    computed = await computing(session, by, evaluate, kept, ids, ())
    named = {row.company_id for row in rows if row.company_id is not None}
    known = await companies.get_many(session, named) if named else {}
    found: list[Candidate] = []
    for row in rows:
        tz = zone(zone_now(row, published))
        assert tz is not None  # `zone_now` gives one that exists
        own = _told(row, known.get(row.company_id or ""))
        state = computed[row.id].state if row.id in computed else {}
        found.append(Candidate(row, Seen(by, state, own, at, tz, evaluate)))
    return found


def _told(row: Customer, company: Company | None) -> dict[str, Any]:
    """The traits that were told, of the customer and of their company."""
    return known_traits(row.traits, row.company_id, company.traits if company else None)


async def judge(
    session: AsyncSession,
    candidates: Sequence[Candidate],
    audience: str | None,
    policy: Policy,
    at: datetime,
    read_phone: ReadPhone,
) -> Judged:
    """Who is in the audience at `at` (journey time); None is everybody's."""
    ids = [each.row.id for each in candidates]
    if audience is None:
        return Judged(frozenset(ids))
    condition = compile_condition(audience, Kind.AUDIENCE)
    count = await count_of(session, candidates, condition.counts, at)
    said = await consents.of_customers(session, ids) if condition.topics else {}
    inside, failed = set(), set()
    for each in candidates:
        try:
            holds = condition.evaluate(
                _context(each, count, said.get(each.row.id, ()), policy, read_phone)
            )
        except ConditionError:
            failed.add(each.row.id)
            continue
        if holds:
            inside.add(each.row.id)
    return Judged(frozenset(inside), frozenset(failed))


async def count_of(
    session: AsyncSession,
    candidates: Sequence[Candidate],
    asked: Collection[_Asked],
    at: datetime,
) -> Count:
    """What `count(…)` answers for these, read beforehand: one statement for each of `asked`."""
    zones = {each.row.id: each.zone for each in candidates}
    found = {
        (event, within): await counting.how_often(session, event, within, zones, at)
        for event, within in asked
    }

    def count(candidate: Candidate, event: str, within: Duration | None) -> int:
        return found[event, within].get(candidate.row.id, 0)

    return count


def _is_subscribed(
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
    said: Sequence[Word],
    policy: Policy,
    read_phone: ReadPhone,
) -> ConditionContext:
    traits = candidate.traits
    return ConditionContext(
        customer=traits,
        event={},
        count=lambda event, within: count(candidate, event, within),
        inside=candidate.is_inside,
        subscribed=lambda topic: _is_subscribed(said, topic, traits, policy, read_phone),
    )

"""What is computed of customers: of locked ones while their calls are taken in, and to look at.

Knows what is in the store and what the definitions ask; what comes of it is `api.segments`'.
The surprising fact: of a customer whose row is by other definitions than those published now
(or who has none), everything is computed anew from their events, here and once; so publishing
a new definition takes no scan before it is right for whoever does something.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from engine.calls import Track
from engine.computed import Computations, State, TakenBy
from engine.matching import Evaluate, PastEvent, past
from engine.policy import Policy
from engine.seen import Seen
from rendering.computed import computations_of
from store import computed, events
from store.computed import Kept
from store.tables import Customer


@dataclass
class Computing:
    """What is computed of one customer.

    `inside` None: nobody knows yet in which segments they are, and whoever finds out makes
    nothing of it. `computed_at` is the latest time that was looked at; `changes_at` when time
    alone changes the segments after that. `is_stale`: what was found then may be otherwise now.
    """

    by: Computations
    state: State
    inside: frozenset[str] | None
    computed_at: datetime | None = None
    changes_at: datetime | None = None
    is_stale: bool = False
    is_changed: bool = False  # and to be kept

    @classmethod
    def of(cls, by: Computations, row: Kept) -> "Computing":
        """As the row has it, which is by these definitions."""
        return cls(by, row.state, frozenset(row.inside), row.computed_at, row.changes_at)

    def at(self, moment: datetime) -> datetime:
        """The time as of which something that happened at `moment` is looked at now."""
        return moment if self.computed_at is None else max(moment, self.computed_at)

    def happened(self, track: Track, evaluate: Evaluate) -> bool:
        """Take in an event; whether it changes anything that is computed.

        Whether the customer's segments are to be found anew after it is `is_stale`.
        """
        event = past(track)
        return self.take_in(event, self.by.taken_by(event, evaluate))

    def take_in(self, event: PastEvent, measures: TakenBy) -> bool:
        """`happened`, of an event of which it is known what measures it is for."""
        state = self.by.take_in(self.state, event, measures)
        if state is self.state:
            return False
        self.state, self.is_changed = state, True
        self.is_stale |= event.name in self.by.deciding
        return True

    def known(self, own: Mapping[str, Any], at: datetime, tz: ZoneInfo) -> dict[str, Any]:
        """The customer's own traits, and those that are computed as of `at`."""
        return self.by.known(own, self.state, at, tz)

    def look(
        self,
        own: Mapping[str, Any],
        at: datetime,
        tz: ZoneInfo,
        evaluate: Evaluate,
        after: str | None = None,
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Find the segments anew, as of `at`; those that were left, and those entered.

        `own` are the customer's traits without what is computed. With `after` nothing else has
        changed since the last look than that one such event was taken in.
        """
        by = self.by if after is None else self.by.about(after)
        inside, changes_at = by.look(self.state, own, at, tz, evaluate)
        before = inside if self.inside is None else self.inside
        if after is not None:
            inside |= before - set(by.segments)
            times = filter(None, (changes_at, self.changes_at))
            changes_at = min(times, default=None)
        self.inside, self.computed_at = inside, at
        self.is_stale, self.is_changed = False, True
        self.changes_at = changes_at
        return before - inside, inside - before

    @property
    def has_to_look(self) -> bool:
        """Whether the segments have to be found anew after a call."""
        return self.is_stale or self.computed_at is None

    def kept(self, customer_id: str) -> Kept:
        """What is to be kept."""
        assert self.computed_at is not None  # whoever changes it looks at it
        return Kept(
            customer_id=customer_id,
            by=self.by.version,
            state=self.state,
            inside=sorted(self.inside or ()),
            computed_at=self.computed_at,
            changes_at=self.changes_at,
        )


async def computing(
    session: AsyncSession,
    by: Computations | None,
    evaluate: Evaluate,
    kept: Mapping[str, Kept],
    known: Collection[str],
    new: Collection[str],
) -> dict[str, Computing]:
    """What is computed of these customers, of whom those `new` have never done anything.

    `kept` is what there is of them in the store; there may be others in it.
    """
    if by is None or by.is_empty:
        return {}
    found = {each: Computing(by, {}, frozenset()) for each in new}
    for customer_id in known:
        row = kept.get(customer_id)
        if row is not None and row.by == by.version:
            found[customer_id] = Computing.of(by, row)
    left = [each for each in known if each not in found]
    for customer_id, theirs in (await events.of_customers(session, left, by.events)).items():
        found[customer_id] = Computing(by, computed.folded(by, theirs, evaluate), None)
    return found


async def recomputed(
    session: AsyncSession,
    by: Computations,
    evaluate: Evaluate,
    customer_id: str,
    inside: frozenset[str],
) -> Computing:
    """Everything from the customer's events, who was inside these segments so far."""
    theirs = await events.of_customers(session, [customer_id], by.events)
    state = computed.folded(by, theirs[customer_id], evaluate)
    return Computing(by, state, inside, is_stale=True, is_changed=True)


async def seen(
    session: AsyncSession, row: Customer, policy: Policy, at: datetime, evaluate: Evaluate
) -> Seen:
    """A customer as of `at`, for people to look at. No company's traits: no segment sees those."""
    by = computations_of(policy)
    kept = {} if by.is_empty else await computed.of_customers(session, [row.id])
    return await computed.seen(
        session, row, row.traits, kept.get(row.id), by, policy.timezone, at, evaluate
    )

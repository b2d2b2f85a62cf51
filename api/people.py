"""A customer while calls of theirs are accepted: the locked row, and their enrollments.

Knows what is in the store and decides nothing. The surprising fact: `enrolled` is kept up
to date by hand as effects are carried out, so that a batch sees its own consequences.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from api.computing import Computing, computing
from engine.company import known_traits
from engine.computed import Computations
from engine.effects import Enrolled, Profile
from engine.keys import is_anonymous
from engine.localtime import zone
from engine.matching import Evaluate
from engine.reasons import Ending
from engine.routing import zone_of
from store import companies
from store.computed import Kept
from store.enrolled import Standing
from store.journeys import Published
from store.tables import Company, Customer

# Where nothing was ever published there is no policy, and no journey to be wrong about.
_ZONE_WITHOUT_POLICY = "UTC"


@dataclass
class Person:
    """`waiting` holds the message ids of this request that are yet to be routed.

    `at` is the time as of which the customer is looked at: that of the call being taken in.
    `is_unseen`: no call of this customer was accepted before. `computing` is None where
    nothing is computed, as of whom nobody knows.
    """

    row: Customer
    enrolled: list[Enrolled]
    at: datetime
    company: Company | None = None
    default_zone: str = _ZONE_WITHOUT_POLICY
    waiting: set[str] = field(default_factory=set)
    is_unseen: bool = False
    computing: Computing | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody knows who this is: then no journey concerns them."""
        return is_anonymous(self.row.id)

    @property
    def traits(self) -> dict[str, Any]:
        """The customer's traits as everything that reads them sees them."""
        own = self.own_traits
        if self.computing is None:
            return own
        return self.computing.known(own, self.at, self.tz)

    @property
    def own_traits(self) -> dict[str, Any]:
        """Those that were told, of the customer and of their company: nothing computed."""
        company = self.company.traits if self.company is not None else None
        return known_traits(self.row.traits, self.row.company_id, company)

    @property
    def zone(self) -> str:
        """The zone in which the customer's times are computed."""
        return zone_of(self.row.traits, self.row.context_timezone, self.default_zone)[0]

    @property
    def zone_is_unknown(self) -> bool:
        """Whether the customer's zone was given by a name that no zone has."""
        return zone_of(self.row.traits, self.row.context_timezone, self.default_zone)[1]

    @property
    def tz(self) -> ZoneInfo:
        """That zone."""
        found = zone(self.zone)
        assert found is not None  # a customer's zone exists
        return found

    def profile(self) -> Profile:
        """The customer as routing sees them now."""
        return Profile(
            id=self.row.id,
            traits=self.traits,
            zone=self.zone,
            last_activity_at=self.row.last_seen_at,
            ordinals_after=self.row.ordinals_after,
        )

    def enrollment(self, enrollment_id: str) -> Enrolled:
        """The customer's enrollment of that id; StopIteration if it is not theirs."""
        return next(each for each in self.enrolled if each.id == enrollment_id)

    def close(self, enrollment_id: str, ending: Ending, at: datetime, by: str | None) -> None:
        """The enrollment has ended so."""
        self.enrolled = [
            replace(each, ending=ending, ended_at=at, ended_by=by)
            if each.id == enrollment_id
            else each
            for each in self.enrolled
        ]


async def people(
    session: AsyncSession,
    rows: Iterable[Customer],
    published: Published | None,
    standing: Standing | None,
    at: datetime,
    by: Computations | None,
    kept: Mapping[str, Kept],
    evaluate: Evaluate,
    locked_companies: Iterable[Company] = (),
) -> dict[str, Person]:
    """The locked customers by id, in order of id, as they are at `at`.

    `standing` has the enrollments of those to whom they may matter. `by` says what is computed
    of them, and `kept` what is kept of that.
    """
    ordered = sorted(rows, key=lambda row: row.id)
    found = standing.enrolled if standing is not None else {}
    known = {company.id: company for company in locked_companies}
    missing = {row.company_id for row in ordered if row.company_id is not None} - known.keys()
    known |= await companies.get_many(session, missing)
    default_zone = _default_zone(published)
    persons = [row for row in ordered if not is_anonymous(row.id)]
    computed = await computing(
        session,
        by,
        evaluate,
        kept,
        [row.id for row in persons if row.first_seen_at is not None],
        [row.id for row in persons if row.first_seen_at is None],
    )
    return {
        row.id: Person(
            row=row,
            enrolled=found.get(row.id, []),
            at=at,
            company=known.get(row.company_id or ""),
            default_zone=default_zone,
            is_unseen=row.first_seen_at is None,
            computing=computed.get(row.id),
        )
        for row in ordered
    }


def zone_now(row: Customer, published: Published | None) -> str:
    """The zone in which the customer's times are computed now."""
    return zone_of(row.traits, row.context_timezone, _default_zone(published))[0]


def _default_zone(published: Published | None) -> str:
    return published.policy.timezone if published is not None else _ZONE_WITHOUT_POLICY

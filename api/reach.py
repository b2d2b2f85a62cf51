"""Whom a request concerns: everything that is locked, all at once, before anything is decided.

Companies are locked before customers, each in order of id, so no two requests can block each
other. The one surprising fact: whom a request concerns is fully known only once some of it is
locked (an id may be a name of somebody else, a company's members are known by its lock).
Then `NotReachedError` says who was missing, everything is let go, and it begins anew.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from engine.calls import Call, Group
from engine.watching import Watched
from store import companies, customers
from store.tables import Company, Customer

# Each time somebody new is reached; more than a few times means that ids move under us.
MOST_TRIES = 10


@dataclass(frozen=True)
class Reach:
    """`makes`: some customers may be new. `with_members`: companies whose members matter."""

    customers: frozenset[str]
    companies: frozenset[str] = frozenset()
    with_members: frozenset[str] = frozenset()
    makes: bool = False


class NotReachedError(Exception):
    """The request concerns more than was locked; `wider` is what to lock next time."""

    def __init__(self, wider: Reach) -> None:
        super().__init__("more has to be locked")
        self.wider = wider


@dataclass(frozen=True)
class Locked:
    """What is locked. `customers` holds also those who are only names of others."""

    reach: Reach
    customers: Mapping[str, Customer]
    companies: Mapping[str, Company]
    members: frozenset[str] = field(default=frozenset())

    def owner(self, customer_id: str) -> Customer:
        """The customer whom an id means. Raises NotReachedError."""
        row = self.customers[customer_id]
        while row.merged_into is not None:  # several, if this request joins them
            if row.merged_into not in self.customers:
                raise NotReachedError(self.wider(customers={row.merged_into}))
            row = self.customers[row.merged_into]
        return row

    def need_members(self, company_id: str) -> None:
        """Raise NotReachedError unless the company and its members who matter are locked."""
        if company_id not in self.reach.with_members:
            raise NotReachedError(self.wider(with_members={company_id}))

    def wider(self, customers: Collection[str] = (), with_members: Collection[str] = ()) -> Reach:
        """This reach, and more."""
        return replace(
            self.reach,
            customers=self.reach.customers | set(customers),
            companies=self.reach.companies | set(with_members),
            with_members=self.reach.with_members | set(with_members),
        )


def reach_of(calls: Iterable[Call]) -> Reach:
    """Those whom the calls name."""
    known = list(calls)
    named = {call.customer_id for call in known}
    named.update(name for call in known for name in call.formerly)
    return Reach(
        customers=frozenset(named),
        companies=frozenset(call.company_id for call in known if isinstance(call, Group)),
    )


async def lock(session: AsyncSession, reach: Reach, watched: Watched, at: datetime) -> Locked:
    """Lock them, and make those that are new at `at` (wall time). Raises NotReachedError."""
    rows = await companies.lock_many(session, reach.companies, at)
    members = await companies.members_inside(session, reach.with_members, watched.company_versions)
    wanted = reach.customers | members
    found = await customers.lock_many(session, wanted, at, make=reach.makes)
    if len(found) < len(wanted):
        raise NotReachedError(replace(reach, makes=True))
    return Locked(reach, found, rows, members)

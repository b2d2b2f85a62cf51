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
from store.customers import Known
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
    """What is locked. `known` holds also those who are only names of others.

    `rows` are the whole rows of those of whom more is asked than `known` tells.
    """

    reach: Reach
    known: Mapping[str, Known]
    companies: Mapping[str, Company]
    members: frozenset[str] = frozenset()
    rows: dict[str, Customer] = field(default_factory=dict)

    async def load(self, session: AsyncSession, customer_ids: Collection[str]) -> None:
        """Read the rows of these, and of those whom they are names of. Raises NotReachedError."""
        wanted = set(customer_ids)
        for each in customer_ids:
            name = self.known[each].merged_into
            while name is not None:
                if name not in self.known:
                    raise NotReachedError(self.wider(customers={name}))
                wanted.add(name)
                name = self.known[name].merged_into
        self.rows.update(await customers.load_locked(session, wanted))

    def owner(self, customer_id: str) -> Customer:
        """The customer whom an id means, of those whose rows were loaded."""
        row = self.rows[customer_id]
        while row.merged_into is not None:  # several, if this request joins them
            row = self.rows[row.merged_into]
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
    found = await customers.lock_known(session, wanted, at, make=reach.makes)
    if len(found) < len(wanted):
        raise NotReachedError(replace(reach, makes=True))
    return Locked(reach, found, rows, members)

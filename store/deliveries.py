"""What `deliver` reads first, in one query: the enrollment, its customer, the message, and what
is published.

The one surprising fact: on PostgreSQL the lock must be a statement of its own, before this
one. A `SELECT … FOR UPDATE` that had to wait reads the locked row afresh, but all rows joined
to it as they were before: an enrollment that was closed meanwhile would still look open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, exists, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, defer
from sqlmodel import col

from engine.company import known_traits
from engine.stops import Target
from store import stops
from store.journeys import NEWEST, Published, publication_of
from store.tables import (
    Company,
    Computed,
    Consent,
    Customer,
    Enrollment,
    EnrollmentState,
    Message,
)

# Some kilobytes of definition, which only a start needs.
_WITHOUT_INPUT = defer(col(Enrollment.input), raiseload=True)  # type: ignore[arg-type]


_NEWEST = NEWEST.subquery()

_HAS_SPOKEN = exists().where(col(Consent.customer_id) == col(Customer.id))

# Enrollments of the customer beside this one in which something is due.
_OTHER = aliased(Enrollment)
_OTHERS = (
    select(func.count())
    .where(
        col(_OTHER.customer_id) == col(Enrollment.customer_id),
        col(_OTHER.id) != col(Enrollment.id),
        col(_OTHER.state) == EnrollmentState.OPEN,
        col(_OTHER.next_step).is_not(None),
    )
    .scalar_subquery()
)

# Built once: putting it together takes longer than running it.
_ROWS = (
    select(
        Enrollment,
        Customer,
        Message,
        col(Company.traits),
        Computed,
        _HAS_SPOKEN,
        _OTHERS,
        stops.IN_FORCE,
        _NEWEST,
    )
    .join(Customer, col(Customer.id) == col(Enrollment.customer_id))
    .outerjoin(Company, col(Company.id) == col(Customer.company_id))
    .outerjoin(Computed, col(Computed.customer_id) == col(Customer.id))
    .join(_NEWEST, true())  # whoever is enrolled, something was published for them
    .outerjoin(Message, col(Message.key) == bindparam("key"))
    .where(col(Enrollment.id) == bindparam("enrollment_id"))
    .options(_WITHOUT_INPUT)
    .execution_options(populate_existing=True)
)


@dataclass(frozen=True)
class Rows:
    """`message` is the row of the key asked for, if there is one.

    `traits` are the customer's, with what they have through their company. `has_spoken`:
    whether the customer ever said anything about being written to. Most never do, and for
    them there are no consents to read. `others`: in how many more enrollments of theirs
    something is due; mostly none, and then nobody has to be left any room. `stopped` is what
    stop buttons hold now: nearly always nothing, which this query knows as well. `computed` is
    what is kept of what is computed, by whatever definitions.
    """

    enrollment: Enrollment
    customer: Customer
    traits: Mapping[str, Any]
    message: Message | None
    has_spoken: bool
    others: int
    stopped: tuple[Target, ...]
    published: Published
    computed: Computed | None = None


async def read(session: AsyncSession, enrollment_id: str, key: str) -> Rows | None:
    """The rows as they are now; None if there is no such enrollment."""
    found = await session.execute(_ROWS, {"enrollment_id": enrollment_id, "key": key})
    row = found.one_or_none()
    if row is None:
        return None
    enrollment, customer, message, company, computed, has_spoken, others, is_stopped, *head = row
    return Rows(
        enrollment=enrollment,
        customer=customer,
        traits=known_traits(customer.traits, customer.company_id, company),
        message=message,
        has_spoken=has_spoken,
        others=others,
        stopped=await stops.targets(session) if is_stopped else (),
        published=await publication_of(session, *head),
        computed=computed,
    )

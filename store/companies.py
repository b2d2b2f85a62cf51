"""Companies: their row, which is also the lock on who their members are, and their traits.

Whoever needs both locks companies before customers. The one surprising fact: members are
found by the customers' own `company_id`, so they can't change while the company is locked,
because nobody joins or leaves without that lock.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.inserting import insert_new
from store.tables import Company, Customer, Enrollment, EnrollmentState


async def lock_many(
    session: AsyncSession, company_ids: Collection[str], at: datetime
) -> dict[str, Company]:
    """Lock them, in order of id; make those that are new at `at` (wall time)."""
    ordered = sorted(set(company_ids))
    if not ordered:
        return {}
    rows = [Company(id=each, created_at=at, updated_at=at) for each in ordered]
    await insert_new(session, rows, unique="id")
    statement = select(Company).where(col(Company.id).in_(ordered)).order_by(col(Company.id))
    found = await session.scalars(
        statement.with_for_update().execution_options(populate_existing=True)
    )
    return {company.id: company for company in found}


async def get_many(session: AsyncSession, company_ids: Collection[str]) -> dict[str, Company]:
    """Those companies as they are now."""
    if not company_ids:
        return {}
    found = await session.scalars(select(Company).where(col(Company.id).in_(set(company_ids))))
    return {company.id: company for company in found}


async def members_inside(
    session: AsyncSession,
    company_ids: Collection[str],
    versions: Collection[tuple[str, str]],
) -> frozenset[str]:
    """The members who are inside one of these journey versions now."""
    if not company_ids or not versions:
        return frozenset()
    found = await session.scalars(
        select(col(Enrollment.customer_id))
        .join(Customer, col(Customer.id) == col(Enrollment.customer_id))
        .where(
            col(Customer.company_id).in_(set(company_ids)),
            col(Enrollment.state) == EnrollmentState.OPEN,
            tuple_(col(Enrollment.journey), col(Enrollment.version)).in_(set(versions)),
        )
    )
    return frozenset(found)


async def member_ids(session: AsyncSession, company_id: str) -> frozenset[str]:
    """All members."""
    found = await session.scalars(
        select(col(Customer.id)).where(col(Customer.company_id) == company_id)
    )
    return frozenset(found)

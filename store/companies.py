"""Companies: their row, which is also the lock on who their members are, and their traits.

Whoever needs both locks companies before customers. The one surprising fact: members are
found by the customers' own `company_id`, so they can't change while the company is locked,
because nobody joins or leaves without that lock.
"""

from collections.abc import Collection
from datetime import datetime
from functools import cache

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.among import among
from store.inserting import insert_new, sql_table
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
    statement = _companies(session.get_bind().dialect.name).order_by(col(Company.id))
    found = await session.scalars(
        statement.with_for_update().execution_options(populate_existing=True), {"ids": ordered}
    )
    return {company.id: company for company in found}


async def get_many(session: AsyncSession, company_ids: Collection[str]) -> dict[str, Company]:
    """Those companies as they are now."""
    if not company_ids:
        return {}
    statement = _companies(session.get_bind().dialect.name)
    found = await session.scalars(statement, {"ids": sorted(set(company_ids))})
    return {company.id: company for company in found}


async def members_inside(
    session: AsyncSession,
    company_ids: Collection[str],
    versions: Collection[tuple[str, str]],
) -> frozenset[str]:
    """The members who are inside one of these journey versions now."""
    if not company_ids or not versions:
        return frozenset()
    statement = _insiders(session.get_bind().dialect.name)
    found = await session.execute(statement, {"ids": sorted(set(company_ids))})
    return frozenset(who for who, *version in found if tuple(version) in versions)


async def member_ids(session: AsyncSession, company_id: str) -> frozenset[str]:
    """All members."""
    found = await session.scalars(
        select(col(Customer.id)).where(col(Customer.company_id) == company_id)
    )
    return frozenset(found)


@cache
def _companies(dialect: str) -> Select[Company]:
    return select(Company).where(among(dialect, sql_table(Company).c.id, "ids"))


@cache
def _insiders(dialect: str) -> Select[str, str, str]:
    """Members inside of whatever journey, with its version.

    By the company alone: SQLite would rather go through all who are inside one of some journeys.
    """
    return (
        select(col(Enrollment.customer_id), col(Enrollment.journey), col(Enrollment.version))
        .join(Customer, col(Customer.id) == col(Enrollment.customer_id))
        .where(
            among(dialect, sql_table(Customer).c.company_id, "ids"),
            col(Enrollment.state) == EnrollmentState.OPEN,
        )
    )

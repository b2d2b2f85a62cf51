"""Two customers turn out to be one: everything that was one's becomes the other's.

The row of the first stays, as a name of the second (`merged_into`), so that what comes
under the old id later finds them. Decides nothing about enrollments; it moves them.
Both customers are locked.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store import computed, events
from store.tables import (
    AuditEntry,
    Consent,
    Customer,
    DeliveryEvent,
    Enrollment,
    Event,
    EventStats,
    MailboxMail,
    Message,
    Offer,
    OutboxRow,
    Table,
)
from store.traits import absorb_traits

# Every table that says whose a row is; `event_stats` are added up instead.
_THEIRS: Sequence[type[Table]] = (
    Event,
    Enrollment,
    Message,
    Offer,
    Consent,
    DeliveryEvent,
    OutboxRow,
    MailboxMail,
    AuditEntry,
)


async def join(session: AsyncSession, other: Customer, into: Customer, at: datetime) -> None:
    """Make `other` a name of `into`, as a call of `at` (event time) says."""
    if other.first_seen_at is not None:  # else nothing is theirs yet
        for table in _THEIRS:
            owner = table.__table__.c.customer_id  # type: ignore[attr-defined]
            await session.execute(
                update(table).where(owner == other.id).values(customer_id=into.id)
            )
        await _add_up_stats(session, other, into)
        await computed.forget(session, [other.id])  # and whoever joins them computes anew
        _take_over(other, into)
    await session.flush()
    await session.execute(
        update(Customer)
        .where(col(Customer.merged_into) == other.id)
        .values(merged_into=into.id)
        .execution_options(synchronize_session=False)
    )
    other.traits, other.trait_times = {}, {}
    other.context_timezone = other.context_locale = None
    other.company_id = other.company_at = None
    other.merged_into, other.merged_at = into.id, at
    await session.flush()


def point_to(other: Customer, into: Customer, at: datetime) -> bool:
    """Make a name that is another customer's one of `into`; False if a later call said otherwise.

    For a device that somebody else uses now: what came from it before stays where it is.
    """
    if other.merged_at is not None and at < other.merged_at:
        return False
    other.merged_into, other.merged_at = into.id, at
    return True


async def _add_up_stats(session: AsyncSession, other: Customer, into: Customer) -> None:
    theirs = list(
        await session.scalars(select(EventStats).where(col(EventStats.customer_id) == other.id))
    )
    await events.add_stats(
        session,
        [
            EventStats(
                customer_id=into.id,
                name=each.name,
                first_at=each.first_at,
                last_at=each.last_at,
                count=each.count,
            )
            for each in theirs
        ],
    )
    await session.execute(delete(EventStats).where(col(EventStats.customer_id) == other.id))


def _take_over(other: Customer, into: Customer) -> None:
    """What the row itself holds: of two that say the same, the later in event time."""
    absorb_traits(into, other)
    into.first_seen_at = min(filter(None, (into.first_seen_at, other.first_seen_at)), default=None)
    into.last_seen_at = max(filter(None, (into.last_seen_at, other.last_seen_at)), default=None)
    if _is_later(other.context_timezone_at, into.context_timezone_at):
        into.context_timezone = other.context_timezone
        into.context_timezone_at = other.context_timezone_at
    if _is_later(other.context_locale_at, into.context_locale_at):
        into.context_locale = other.context_locale
        into.context_locale_at = other.context_locale_at
    if _is_later(other.company_at, into.company_at):
        into.company_id, into.company_at = other.company_id, other.company_at
    into.ordinals_after = max(into.ordinals_after, other.ordinals_after)


def _is_later(theirs: datetime | None, mine: datetime | None) -> bool:
    return theirs is not None and (mine is None or theirs >= mine)

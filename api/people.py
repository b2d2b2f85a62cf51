"""A customer while calls of theirs are accepted: the locked row, and their enrollments.

Knows what is in the store and decides nothing. The surprising fact: `enrolled` is kept up
to date by hand as effects are carried out, so that a batch sees its own consequences.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from engine.reasons import Ending
from engine.routing import Enrolled, Profile, zone_of
from store import enrollments, journeys
from store.journeys import Published
from store.tables import Customer, Enrollment

# Where nothing was ever published there is no policy, and no journey to be wrong about.
_ZONE_WITHOUT_POLICY = "UTC"


@dataclass
class Person:
    """`waiting` holds the message ids of this request that are yet to be routed."""

    row: Customer
    enrolled: list[Enrolled]
    default_zone: str = _ZONE_WITHOUT_POLICY
    waiting: set[str] = field(default_factory=set)

    @property
    def is_unseen(self) -> bool:
        """Whether no call of this customer was ever accepted."""
        return self.row.first_seen_at is None

    @property
    def zone_is_unknown(self) -> bool:
        """Whether the customer's zone was given by a name that no zone has."""
        return zone_of(self.row.traits, self.row.context_timezone, self.default_zone)[1]

    def profile(self) -> Profile:
        """The customer as routing sees them now."""
        name, _ = zone_of(self.row.traits, self.row.context_timezone, self.default_zone)
        return Profile(
            id=self.row.id,
            traits=dict(self.row.traits),
            zone=name,
            last_activity_at=self.row.last_seen_at,
        )

    def enrollment(self, enrollment_id: str) -> Enrolled:
        """The customer's enrollment of that id; StopIteration if it is not theirs."""
        return next(each for each in self.enrolled if each.id == enrollment_id)

    def close(self, enrollment_id: str, ending: Ending, at: datetime) -> None:
        """The enrollment has ended."""
        self.enrolled = [
            replace(each, ending=ending, ended_at=at) if each.id == enrollment_id else each
            for each in self.enrolled
        ]


async def people(
    session: AsyncSession, locked: Iterable[Customer], published: Published | None
) -> list[Person]:
    """The locked customers with their enrollments, in order of id."""
    rows = sorted(locked, key=lambda row: row.id)
    found = await enrollments.of_customers(session, [row.id for row in rows])
    default_zone = _default_zone(published)
    return [
        Person(
            row=row,
            enrolled=[await enrolled(session, each) for each in found.get(row.id, [])],
            default_zone=default_zone,
        )
        for row in rows
    ]


async def enrolled(session: AsyncSession, row: Enrollment) -> Enrolled:
    """An enrollment as routing sees it, with the definition it is pinned to."""
    return Enrolled(
        id=row.id,
        journey=await journeys.version(session, row.journey, row.version),
        key=row.key,
        start_at=row.start_at,
        start_event_id=row.start_event_id,
        ordinal=row.ordinal,
        ending=row.ending,
        ended_at=row.ended_at,
    )


def zone_now(row: Customer, published: Published | None) -> str:
    """The zone in which the customer's times are computed now."""
    return zone_of(row.traits, row.context_timezone, _default_zone(published))[0]


def _default_zone(published: Published | None) -> str:
    return published.policy.timezone if published is not None else _ZONE_WITHOUT_POLICY

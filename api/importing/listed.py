"""Customers from a list into a journey, as if each had begun when the list says.

Decides who on the list may enter, by the rules of `api.by_hand`, and what it would come to
for them. The one surprising fact: an enrollment is known by journey, customer and key, so
the same list again enrolls nobody twice, and goes on where it was stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.accept import accept_in
from api.errors import (
    AlreadyEnrolledError,
    JourneyArchivedError,
    NoKeyError,
    NoSuchJourneyError,
)
from api.importing.rows import Refusal, Row, RowCode, RowError, content_id, text_of, time_of
from api.importing.running import RolledBack, let_others_in
from api.people import zone_now
from api.services import Services
from engine.calls import EnrollByHand
from engine.definition import Journey
from engine.enrollment import Notice
from engine.localtime import zone
from engine.machine import Machine
from engine.matching import key_of
from engine.orders import EnrollmentInput
from engine.outlook import Outlook, outlook
from store import archives, audit, customers, enrollments, journeys, outbox
from store.journeys import Published
from store.tables import AuditEntry, Customer, OutboxKind

ID = "id"

# What a preview calls soon: by then somebody has looked at what the first of them got.
SOON = timedelta(days=1)

# A preview plays each enrollment and takes it back. Few at once, for it holds the store's
# lock meanwhile as a real one does.
AT_ONCE = 50


@dataclass(frozen=True)
class Begins:
    """When the journey began for those on a list: by a column, else by `default`, else now."""

    column: str = "start_at"
    default: str | None = None


@dataclass(frozen=True)
class Entered:
    """A row that enrolled its customer. `outlook` is what a preview saw."""

    enrollment_id: str
    outlook: Outlook | None = None


@dataclass(frozen=True)
class AlreadyThere:
    """A row whose customer the same list has enrolled before."""


Became = Entered | AlreadyThere | Refusal


class ListedEnrolling:
    """Enrolls those on a list into one journey. `actor` is whom the audit log names."""

    def __init__(self, services: Services, journey: str, begins: Begins, actor: str) -> None:
        self._services = services
        self._journey = journey
        self._begins = begins
        self._actor = actor

    async def find_journey(self) -> Journey:
        """The journey as it is published. Raises NoSuchJourneyError, JourneyArchivedError."""
        async with self._services.database.reading() as session:
            _, journey = await self._published(session)
            if journey.journey in await archives.names(session):
                raise JourneyArchivedError(journey.journey)
        return journey

    async def enroll(self, row: Row) -> Became:
        """Enroll the customer of a row, in a transaction of its own."""
        async with self._services.database.transaction() as session:
            became = await self._enroll(session, row)
        self._services.woken.set()
        return became

    async def preview(self, rows: Sequence[Row]) -> list[Became]:
        """What enrolling them now would come to; nothing is written."""
        told: list[Became] = []
        began = perf_counter()
        try:
            async with self._services.database.transaction() as session:
                for row in rows:
                    became = await self._enroll(session, row)
                    if isinstance(became, Entered):
                        became = await self._foreseen(session, became)
                    told.append(became)
                raise RolledBack
        except RolledBack:
            await let_others_in(self._services, perf_counter() - began)
        return told

    async def _enroll(self, session: AsyncSession, row: Row) -> Became:
        try:
            return await self._enroll_or_refuse(session, row)
        except RowError as error:
            return error.of(row)

    async def _enroll_or_refuse(self, session: AsyncSession, row: Row) -> Became:
        published, journey = await self._published(session)
        now = self._services.now()
        customer = await _customer(session, row)
        call = self._call(row, customer, published, journey, now)
        try:
            accepted = await accept_in(session, self._services, [call], now)
        except AlreadyEnrolledError as error:
            raise RowError(RowCode.ALREADY_ENROLLED, error.message) from None
        except NoKeyError as error:
            raise RowError(RowCode.NO_KEY, error.message) from None
        if not accepted.enrolled:
            return AlreadyThere()
        (enrollment_id,) = accepted.enrolled
        entry = AuditEntry(
            at=self._services.wall(),
            actor=self._actor,
            action="enroll",
            enrollment_id=enrollment_id,
            customer_id=customer.id,
            details={"start_at": call.start_at.isoformat()},
        )
        await audit.record(session, entry)
        return Entered(enrollment_id)

    def _call(
        self, row: Row, customer: Customer, published: Published, journey: Journey, now: datetime
    ) -> EnrollByHand:
        theirs = zone(zone_now(customer, published))
        assert theirs is not None  # `zone_now` gives one that exists
        start_at = time_of(row, self._begins.column, now, self._begins.default, theirs) or now
        given = _properties(row, self._begins.column)
        key = key_of(journey, given)
        return EnrollByHand(
            customer_id=customer.id,
            at=now,
            message_id=content_id("enroll", journey.journey, customer.id, key),
            journey=journey.journey,
            start_at=start_at,
            properties=given,
        )

    async def _published(self, session: AsyncSession) -> tuple[Published, Journey]:
        published = await journeys.newest_publication(session)
        journey = published.journeys.get(self._journey) if published is not None else None
        if published is None or journey is None:
            names = published.journeys if published is not None else {}
            known = ", ".join(f"`{name}`" for name in names) or "none"
            raise NoSuchJourneyError(f"there is no journey `{self._journey}`; published: {known}")
        return published, journey

    async def _foreseen(self, session: AsyncSession, entered: Entered) -> Entered:
        """What this enrollment, which is to be taken back, would do."""
        await session.flush()
        row = await enrollments.get(session, entered.enrollment_id)
        assert row is not None  # it was made just now
        given = EnrollmentInput.model_validate(row.input)
        journey = await journeys.version(session, row.journey, row.version)
        machine = Machine(journey, given.start, given.facts, tolerances=given.tolerances)
        for told in await outbox.of_enrollment(session, row.id):
            if told.kind is OutboxKind.SIGNAL:  # what happened since its start
                machine.apply(Notice.model_validate(told.payload))
        return Entered(row.id, outlook(machine, given.start.entered_at, SOON))


async def _customer(session: AsyncSession, row: Row) -> Customer:
    customer_id = text_of(row, ID)
    if customer_id is None:
        raise RowError(RowCode.NO_ID, "`id` is missing: whom does the row mean?")
    customer = await customers.known(session, customer_id)
    if customer is None:
        raise RowError(
            RowCode.NO_SUCH_CUSTOMER,
            f"there is no customer `{customer_id}`: import the customers first",
        )
    if customer.erased_at is not None:
        raise RowError(RowCode.ERASED, f"`{customer_id}` was erased on request")
    return customer


def _properties(row: Row, start_column: str) -> Mapping[str, Any]:
    """All else that the row says, as properties of the event that usually enrolls."""
    return {
        name: value
        for name, value in row.values.items()
        if name not in (ID, start_column) and value is not None
    }

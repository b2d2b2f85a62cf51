"""Rows that stay for their number when a customer is erased, without saying whose they were.

Decides which columns could tell. Enrollments, decisions, delivery events, offers and audit
entries move to a customer without a person, the tombstone, under names that nobody had. The
one surprising fact: a time may tell as well (a birthday that a step was due on), so of a
decision only when it was made is kept.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import String, cast, delete, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.disposition import Disposition
from engine.events import BuiltInEvent
from engine.keys import erased_customer, pseudonym
from engine.reasons import Decision, Ending
from store import journeys
from store.tables import (
    AuditEntry,
    Customer,
    DeliveryEvent,
    Enrollment,
    EnrollmentState,
    Event,
    Message,
    Offer,
    OutboxRow,
)

# No object of this session is looked at again: searching them for changes is wasted.
UNSEEN = {"synchronize_session": False}


@dataclass(frozen=True)
class Who:
    """Whom to erase. `token` is random, and stands for their ids from now on.

    `at` is journey time, as enrollments end by it; `wall` is real.
    """

    ids: frozenset[str]
    token: str
    at: datetime
    wall: datetime

    @property
    def tombstone(self) -> str:
        """The customer without a person."""
        return erased_customer(self.token)

    @property
    def prefix(self) -> str:
        """What the new names of their rows begin with."""
        return f"erased-{self.token}"


async def tombstone(session: AsyncSession, who: Who) -> None:
    """Make the customer without a person."""
    row = Customer(
        id=who.tombstone,
        pseudonym=pseudonym(who.tombstone),
        created_at=who.wall,
        updated_at=who.wall,
        erased_at=who.wall,
    )
    session.add(row)
    await session.flush()


async def journeys_of(
    session: AsyncSession, who: Who, old: Collection[Enrollment], new_ids: Mapping[str, str]
) -> None:
    """Write the enrollments anew; the old rows are still there, for what points at them."""
    for row in old:
        session.add(await _nameless(session, who, row, new_ids[row.id]))
    await session.flush()


async def settle_messages(session: AsyncSession, who: Who) -> int:
    """Leave no claim behind; how many were with a provider just now.

    Of those nobody will know what came: who was to be told is gone.
    """
    mine = col(Message.customer_id).in_(who.ids)
    undecided = col(Message.decision).is_(None)
    untaken = mine, undecided, col(Message.claimed_at).is_(None)
    keys = select(col(Message.key)).where(*untaken)
    await session.execute(
        delete(Offer).where(col(Offer.message_key).in_(keys)), execution_options=UNSEEN
    )
    await session.execute(delete(Message).where(*untaken), execution_options=UNSEEN)
    return await _changed(
        session,
        update(Message).where(mine, undecided).values(decision=Decision.UNKNOWN),
        Message,
    )


async def offers(session: AsyncSession, who: Who, new_ids: Mapping[str, str]) -> int:
    """Codes that were not used can't be any more, as nobody is left whose they are; how many."""
    mine = col(Offer.customer_id).in_(who.ids)
    unused = mine, col(Offer.redeemed_at).is_(None), col(Offer.revoked_at).is_(None)
    revoked = await _changed(
        session, update(Offer).where(*unused).values(revoked_at=who.wall), Offer
    )
    await _point_to(session, Offer, new_ids)
    name = literal(f"{who.prefix}-") + cast(col(Offer.id), String)
    values = {
        "customer_id": who.tombstone,
        "code": name,
        "redeemed_for": None,
        "revoked_by": None,
        "message_key": func.coalesce(_new_key(who, col(Offer.message_key)), name),
    }
    await session.execute(update(Offer).where(mine).values(values), execution_options=UNSEEN)
    return revoked


async def delivery_events(session: AsyncSession, who: Who) -> None:
    """What became of messages; before these have their new keys."""
    key = _new_key(who, col(DeliveryEvent.message_key))
    values = {
        "customer_id": who.tombstone,
        "provider_event_id": literal(f"{who.prefix}-") + cast(col(DeliveryEvent.id), String),
        "message_key": func.coalesce(key, literal(who.prefix)),
        "details": {},
    }
    await session.execute(
        update(DeliveryEvent).where(col(DeliveryEvent.customer_id).in_(who.ids)).values(values),
        execution_options=UNSEEN,
    )


async def messages(session: AsyncSession, who: Who, new_ids: Mapping[str, str]) -> int:
    """Decisions, without text, address and what the provider calls them; how many."""
    await _point_to(session, Message, new_ids)
    texts = ("sender", "address", "intended_address", "subject", "body", "last_error")
    nothing = (*texts, "provider_message_id")
    # The occurrence may be a date of theirs, as it was received, and so may be the due time.
    values: dict[str, Any] = {
        **dict.fromkeys((*nothing, "due_at", "zone")),
        "customer_id": who.tombstone,
        "occurrence": "",
        "key": _key(who),
    }
    mine = col(Message.customer_id).in_(who.ids)
    return await _changed(session, update(Message).where(mine).values(values), Message)


async def colleagues_events(
    session: AsyncSession, who: Who, old: Collection[Enrollment], new_ids: Mapping[str, str]
) -> None:
    """Colleagues' events that did something to an enrollment say to which."""
    names: set[str] = set()
    for row in old:
        names |= (await journeys.version(session, row.journey, row.version)).company_event_names
    if not names:
        return
    told = select(col(OutboxRow.event_id)).where(col(OutboxRow.customer_id).in_(who.ids))
    companies = select(col(Customer.company_id)).where(col(Customer.id).in_(who.ids))
    colleagues = select(col(Customer.id)).where(col(Customer.company_id).in_(companies))
    found = await session.scalars(
        select(Event).where(
            or_(col(Event.message_id).in_(told), col(Event.customer_id).in_(colleagues)),
            col(Event.name).in_(names),
            col(Event.customer_id).not_in(who.ids),
            col(Event.disposition).is_not(None),
        )
    )
    for event in found:
        known = Disposition.model_validate(event.disposition)
        did = tuple(
            deed.model_copy(update={"enrollment": new_ids.get(deed.enrollment, deed.enrollment)})
            for deed in known.did
        )
        if did != known.did:
            event.disposition = known.model_copy(update={"did": did}).kept()
    await session.flush()


async def audit_log(session: AsyncSession, who: Who, new_ids: Mapping[str, str]) -> None:
    """What people did stays; about whom, and in what words, does not."""
    concerned = or_(
        col(AuditEntry.customer_id).in_(who.ids), col(AuditEntry.enrollment_id).in_(new_ids)
    )
    for entry in await session.scalars(select(AuditEntry).where(concerned)):
        entry.customer_id, entry.details = who.tombstone, {}
        entry.enrollment_id = new_ids.get(entry.enrollment_id or "")
        entry.action = entry.action.partition(" ")[0]  # an Update's argument may follow
    await session.flush()


async def _nameless(session: AsyncSession, who: Who, row: Enrollment, new_id: str) -> Enrollment:
    """The enrollment as a number: which journey, when, how it ended; not whose."""
    is_open = row.state is EnrollmentState.OPEN
    journey = await journeys.version(session, row.journey, row.version)
    # Beside an event, a person's own words may stand here.
    says_event = row.ended_by in journey.event_names or row.ended_by in tuple(BuiltInEvent)
    return Enrollment(
        id=new_id,
        customer_id=who.tombstone,
        journey=row.journey,
        version=row.version,
        ordinal=row.ordinal,
        start_event_id=new_id,
        start_at=row.start_at,
        entered_at=row.entered_at,
        state=EnrollmentState(Ending.EXITED.value) if is_open else row.state,
        ended_at=who.at if is_open else row.ended_at,
        ended_by=BuiltInEvent.CUSTOMER_ERASED
        if is_open
        else (row.ended_by if says_event else None),
        converted_at=row.converted_at,
        conversion_value=row.conversion_value,
        holdout=row.holdout,
        broadcast_id=row.broadcast_id,
    )


async def _point_to(
    session: AsyncSession, table: type[Message] | type[Offer], new_ids: Mapping[str, str]
) -> None:
    """Point a table's rows at the enrollments as they are written anew."""
    for old, new in new_ids.items():
        await session.execute(
            update(table).where(col(table.enrollment_id) == old).values(enrollment_id=new),
            execution_options=UNSEEN,
        )


def _key(who: Who) -> Any:
    return literal(f"{who.prefix}/") + cast(col(Message.id), String)


def _new_key(who: Who, old_key: Any) -> Any:
    """The key that the message with an old one is about to have."""
    return select(_key(who)).where(col(Message.key) == old_key).scalar_subquery()


async def _changed(
    session: AsyncSession, statement: Any, table: type[Message] | type[Offer]
) -> int:
    """How many rows an UPDATE changes."""
    changed = await session.execute(statement.returning(col(table.id)), execution_options=UNSEEN)
    return len(changed.all())

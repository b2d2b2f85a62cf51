"""Erasing a customer: what is deleted, what is cleared, and what Temporal must still hear.

Decides which rows say who somebody was. Those of which only the number matters stay without a
person (`store.nameless`); suppressions stay as they are (docs/decisions). The one surprising
fact: what is still to reach Temporal keeps its workflow's id, which holds the customer's,
until it has. Everything of theirs is locked.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.enrollment import Notice
from engine.events import BuiltInEvent
from engine.keys import is_anonymous
from engine.reasons import Ending
from store import audiences, broadcasts, enrollments, nameless
from store.nameless import UNSEEN, Who
from store.tables import (
    Computed,
    Consent,
    Customer,
    Enrollment,
    EnrollmentState,
    Event,
    EventKind,
    EventStats,
    MailboxMail,
    Message,
    OutboxKind,
    OutboxRow,
    RefusedCall,
    Table,
)

# The traits by which channels reach somebody (`engine.reached.address_of`), to be known again by.
_EMAIL, _PHONE = "email", "phone"


@dataclass(frozen=True)
class Traces:
    """Everything by which they were known and reached."""

    ids: frozenset[str]
    emails: frozenset[str]
    phones: frozenset[str]
    ordinals: int


@dataclass(frozen=True)
class Cleared:
    """What was done. `exited` were open; of those `workflows` Temporal has to hear."""

    exited: int
    workflows: tuple[str, ...]
    enrollments: int
    messages: int
    under_way: int
    events: int
    mails: int
    consents: int
    offers_revoked: int


async def traces(session: AsyncSession, rows: Iterable[Customer]) -> Traces:
    """Under which ids and addresses these rows' customer was ever known."""
    known = list(rows)
    ids = frozenset(row.id for row in known)
    held: list[Mapping[str, Any]] = [row.traits for row in known]
    held += await session.scalars(
        select(col(Event.properties)).where(
            col(Event.customer_id).in_(ids), col(Event.kind) == EventKind.IDENTIFY
        )
    )
    sent = await session.execute(
        select(
            col(Message.channel), func.coalesce(col(Message.intended_address), col(Message.address))
        )
        .where(col(Message.customer_id).in_(ids))
        .distinct()
    )
    written_to = {(channel, address) for channel, address in sent if address is not None}
    highest = await session.scalar(
        select(func.max(col(Enrollment.ordinal))).where(col(Enrollment.customer_id).in_(ids))
    )
    return Traces(
        ids=ids,
        emails=_texts(held, _EMAIL)
        | {address for channel, address in written_to if channel == "email"}
        | {each for each in ids if "@" in each and not is_anonymous(each)},
        phones=_texts(held, _PHONE)
        | {address for channel, address in written_to if channel == "sms"},
        ordinals=max([highest or 0, *(row.ordinals_after for row in known)]),
    )


async def clear(session: AsyncSession, who: Who, known: Traces) -> Cleared:
    """Clear it all."""
    if session.get_bind().dialect.name == "sqlite":
        # Else the bytes stay in the file, on pages that are free, until something needs them.
        await session.execute(text("PRAGMA secure_delete = ON"))
    await nameless.tombstone(session, who)
    old = [row for each in sorted(who.ids) for row in await enrollments.of_customer(session, each)]
    new_ids = {row.id: f"{who.prefix}:{n}" for n, row in enumerate(old, start=1)}
    exited = [row for row in old if row.state is EnrollmentState.OPEN]
    await broadcasts.forget(session, who.ids)
    await audiences.forget(session, known.emails | known.phones, known.ids)
    await nameless.colleagues_events(session, who, old, new_ids)
    await _outbox(session, who)
    await nameless.journeys_of(session, who, old, new_ids)
    under_way = await nameless.settle_messages(session, who)
    revoked = await nameless.offers(session, who, new_ids)
    await nameless.delivery_events(session, who)
    written = await nameless.messages(session, who, new_ids)
    await nameless.audit_log(session, who, new_ids)
    await _refused(session, known)
    cleared = Cleared(
        exited=len(exited),
        workflows=tuple(row.id for row in exited if row.broadcast_id is None),
        enrollments=len(old),
        messages=written,
        under_way=under_way,
        events=await _delete(session, Event, who),
        mails=await _delete(session, MailboxMail, who),
        consents=await _delete(session, Consent, who),
        offers_revoked=revoked,
    )
    await _delete(session, EventStats, who)
    await _delete(session, Computed, who)
    await _delete(session, Enrollment, who)
    await session.execute(
        delete(Customer).where(col(Customer.id).in_(who.ids)), execution_options=UNSEEN
    )
    return cleared


def _texts(held: Iterable[Mapping[str, Any]], trait: str) -> frozenset[str]:
    found = (traits.get(trait) for traits in held)
    return frozenset(each.strip() for each in found if isinstance(each, str) and each.strip())


async def _outbox(session: AsyncSession, who: Who) -> None:
    """What begins or ends a run must still reach it; of the rest, nobody needs to hear.

    A start is not carried any more, but one that is under way comes before what ends it.
    """
    mine = col(OutboxRow.customer_id).in_(who.ids)
    over = or_(col(OutboxRow.done_at).is_not(None), col(OutboxRow.parked_at).is_not(None))
    await session.execute(delete(OutboxRow).where(mine, over), execution_options=UNSEEN)
    for row in list(await session.scalars(select(OutboxRow).where(mine))):
        told = row.kind in (OutboxKind.SIGNAL, OutboxKind.PACED)
        ending = row.payload.get("ending") if told else None
        if row.kind in (OutboxKind.START, OutboxKind.CANCEL):
            row.payload = {}
        elif ending is not None:
            row.payload = ending_notice(
                who, Ending(ending), Notice.model_validate(row.payload)
            ).model_dump(mode="json")
        else:
            await session.delete(row)
            continue
        row.customer_id, row.event_id, row.last_error = who.tombstone, None, None
    await session.flush()


def ending_notice(who: Who, ending: Ending, told: Notice | None = None) -> Notice:
    """What ends a workflow: by the erasure, or as `told` already, without what names them."""
    return Notice(
        event_id=who.prefix,
        name=told.name if told is not None else BuiltInEvent.CUSTOMER_ERASED,
        at=told.at if told is not None else who.at,
        ending=ending,
    )


async def _refused(session: AsyncSession, known: Traces) -> None:
    """Calls that named them, also by an address alone."""
    bare = {each.partition(":")[2] for each in known.ids if is_anonymous(each)}
    ids = known.ids | bare
    payload = col(RefusedCall.payload)
    named = [json.dumps(each, ensure_ascii=False) for each in sorted(ids)]
    named += sorted(known.emails | known.phones)
    await session.execute(
        delete(RefusedCall).where(
            or_(
                col(RefusedCall.customer_id).in_(ids),
                *(payload.icontains(each, autoescape=True) for each in named),
            )
        ),
        execution_options=UNSEEN,
    )


async def _delete(session: AsyncSession, table: type[Table], who: Who) -> int:
    """Delete a table's rows of theirs; how many there were."""
    owner = table.__table__.c.customer_id  # type: ignore[attr-defined]
    statement = delete(table).where(owner.in_(who.ids)).returning(owner)
    return len((await session.execute(statement, execution_options=UNSEEN)).all())

"""Erasing a customer: everybody's data who they are, gone in one transaction, and a report.

Decides whom an id means and what must be locked for it: the customer, every name of theirs,
and their company, whose members change. What is cleared is the store's to know. The one
surprising fact: the workflow ids of what was exited are told to Temporal under a customer
who is not theirs any more, so that nothing of it can be mistaken for somebody who comes back.
"""

import secrets
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from api.errors import NotFoundError
from api.reach import MOST_TRIES, NotReachedError, Reach
from api.services import Services
from engine.reasons import Ending
from store import audit, companies, customers, erasing, erasures, outbox, suppressions
from store.away import is_conflict
from store.erasing import Cleared, Traces
from store.nameless import Who
from store.tables import AuditEntry, Customer, OutboxKind

# 64 bits: no two erasures of one store ever draw the same.
_TOKEN_BYTES = 8

# Enough of a hash to find the erasure by, when somebody asks whether it was done.
_SHOWN = 12


class ErasureReply(BaseModel):
    """What erasing a customer did."""

    model_config = ConfigDict(frozen=True)

    erased: bool = True
    enrollments_exited: int = Field(description="Those that were open.")
    enrollments_kept: int = Field(description="All of them, without a person, for the numbers.")
    messages_cleared: int = Field(description="Decisions that lost their text and address.")
    messages_under_way: int = Field(
        description="With a provider at that moment: these may still arrive."
    )
    events_removed: int
    mails_removed: int = Field(description="From the mailbox that imitates the world outside.")
    consents_removed: int
    offers_revoked: int
    suppressions_kept: int = Field(
        description="Addresses that bounced or complained stay blocked, whoever has them."
    )
    temporal: str


async def erase(services: Services, customer_id: str, actor: str) -> ErasureReply:
    """Erase whom this id means, whole. Raises NotFoundError if nobody is called so."""
    reach = Reach(frozenset({customer_id}))
    for _ in range(MOST_TRIES):
        try:
            async with services.database.transaction() as session:
                rows = await _held(session, services, reach, customer_id)
                reply = await _erase(session, services, rows, customer_id, actor)
        except NotReachedError as short:
            reach = short.wider
            continue
        except DBAPIError as error:
            if not is_conflict(error):  # a broadcast's page holds its row, and waits for theirs
                raise
            continue
        services.woken.set()
        return reply
    raise RuntimeError("whom this concerns has kept changing")


async def _held(
    session: AsyncSession, services: Services, reach: Reach, customer_id: str
) -> list[Customer]:
    """The customer's rows, all locked. Raises NotFoundError, NotReachedError."""
    locked = await companies.lock_many(session, reach.companies, services.wall())
    found = await customers.lock_existing(session, reach.customers)
    row = found.get(customer_id)
    if row is None or row.erased_at is not None:
        raise NotFoundError(f"there is no customer `{customer_id}`", code="no_such_customer")
    owner_id = row.merged_into or row.id
    whole = {customer_id, owner_id} | await customers.names_of(session, owner_id)
    missing = whole - found.keys()
    company_id = found[owner_id].company_id if owner_id in found else None
    if missing or (company_id is not None and company_id not in locked):
        of_company = frozenset({company_id} if company_id is not None else ())
        raise NotReachedError(
            replace(
                reach,
                customers=reach.customers | whole,
                companies=reach.companies | of_company,
            )
        )
    return [found[each] for each in sorted(whole)]


async def _erase(
    session: AsyncSession, services: Services, rows: list[Customer], customer_id: str, actor: str
) -> ErasureReply:
    who = Who(
        ids=frozenset(row.id for row in rows),
        token=secrets.token_hex(_TOKEN_BYTES),
        at=services.now(),
        wall=services.wall(),
    )
    known = await erasing.traces(session, rows)
    salt = await erasures.salted(session, secrets.token_bytes(erasures.SALT_BYTES))
    await _remember(session, salt, who, known)
    blocked = await suppressions.suppressed_among(
        session,
        {("email", each) for each in known.emails} | {("sms", each) for each in known.phones},
    )
    cleared = await erasing.clear(session, who, known)
    await _tell_temporal(session, who, cleared)
    told = await outbox.count_pending(session, who.tombstone)
    reply = _reply(cleared, len(blocked), told)
    entry = AuditEntry(
        at=who.wall,
        actor=actor,
        action="erase",
        customer_id=who.tombstone,
        details={
            "hash": erasures.hash_of(salt, erasures.Kind.CUSTOMER, customer_id)[:_SHOWN],
            **reply.model_dump(exclude={"erased"}),
        },
    )
    await audit.record(session, entry)
    return reply


async def _remember(session: AsyncSession, salt: bytes, who: Who, known: Traces) -> None:
    """Keep the hashes by which an import must not bring them back."""
    for kind, texts, ordinals in (
        (erasures.Kind.CUSTOMER, known.ids, known.ordinals),
        (erasures.Kind.EMAIL, known.emails, 0),
        (erasures.Kind.PHONE, known.phones, 0),
    ):
        for text in sorted(texts):
            await erasures.remember(session, salt, kind, text, who.wall, ordinals)


async def _tell_temporal(session: AsyncSession, who: Who, cleared: Cleared) -> None:
    notice = erasing.ending_notice(who, Ending.EXITED).model_dump(mode="json")
    for workflow_id in cleared.workflows:
        await outbox.append(
            session,
            customer_id=who.tombstone,
            kind=OutboxKind.SIGNAL,
            payload=notice,
            at=who.wall,
            enrollment_id=workflow_id,
        )


def _reply(cleared: Cleared, blocked: int, told: int) -> ErasureReply:
    return ErasureReply(
        enrollments_exited=cleared.exited,
        enrollments_kept=cleared.enrollments,
        messages_cleared=cleared.messages,
        messages_under_way=cleared.under_way,
        events_removed=cleared.events,
        mails_removed=cleared.mails,
        consents_removed=cleared.consents,
        offers_revoked=cleared.offers_revoked,
        suppressions_kept=blocked,
        temporal="will be told" if told else "has nothing to hear",
    )

"""Decisions about steps: claimed at most once, settled at most once.

The claim is the row itself: whoever inserts the message key has it. Lists come without the
stored bytes, which only `get_by_key` reads.
"""

from datetime import datetime

from sqlalchemy import String, bindparam, case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from engine.delivery_status import DeliveryStatus
from engine.reasons import Decision, Reason
from store.built_once import run
from store.inserting import insert_new, sql_table
from store.tables import Message

# Reading the bytes of a row that was listed is a mistake, and raises. (`col` calls a column
# `Mapped`; at run time it is the attribute that `defer` wants.)
_WITHOUT_BODY = defer(col(Message.body), raiseload=True)  # type: ignore[arg-type]

# Of the most frequent update; through the class it would cost twice as much, looking for
# objects in the session to change along.
_TABLE = sql_table(Message)

# Built once, for the same reason. A name of a column would be taken for a value to set.
_SETTLE = (
    update(_TABLE)
    .where(_TABLE.c.key == bindparam("of_key"), _TABLE.c.decision.is_(None))
    .values(
        decision=bindparam("as_decision"),
        reason=bindparam("for_reason"),
        sent_at=bindparam("was_sent_at"),
        provider=func.coalesce(bindparam("by_provider", type_=String), _TABLE.c.provider),
        provider_message_id=bindparam("under_id"),
        last_error=func.coalesce(bindparam("with_error", type_=String), _TABLE.c.last_error),
    )
    .returning(_TABLE.c.id)
)


async def claim(session: AsyncSession, message: Message) -> bool:
    """Insert the row; False if its key exists, and then nothing changes.

    With `decision` None the row is a claim to be settled; a step that is decided without a
    send (`not_sent`) is inserted with its decision at once.
    """
    ids = await insert_new(session, [message], unique="key", returning="id")
    if ids:
        message.id = ids[0]
    return bool(ids)


async def get_by_key(session: AsyncSession, key: str) -> Message | None:
    """The row of a message key, with its bytes."""
    statement = select(Message).where(col(Message.key) == key)
    return await session.scalar(statement.execution_options(populate_existing=True))


async def by_provider_message_id(session: AsyncSession, provider_message_id: str) -> Message | None:
    """The message that a provider knows by this id."""
    return await session.scalar(
        select(Message)
        .where(col(Message.provider_message_id) == provider_message_id)
        .options(_WITHOUT_BODY)
        .limit(1)
    )


async def count_attempt(session: AsyncSession, key: str) -> int:
    """Note that a provider is about to be given this claim; how many attempts that makes."""
    attempts = await session.scalar(
        update(Message)
        .where(col(Message.key) == key, col(Message.decision).is_(None))
        .values(attempts=Message.attempts + 1)
        .returning(col(Message.attempts))
    )
    return attempts or 0


async def note_error(session: AsyncSession, key: str, error: str) -> None:
    """Keep what went wrong with a claim that will be tried again."""
    await session.execute(
        update(Message)
        .where(col(Message.key) == key, col(Message.decision).is_(None))
        .values(last_error=error)
    )


async def release(session: AsyncSession, key: str, error: str) -> None:
    """The latest attempt certainly sent nothing, so it does not count.

    If it was the only one, the claim is not ambiguous any more.
    """
    is_only_one = col(Message.attempts) <= 1
    await session.execute(
        update(Message)
        .where(col(Message.key) == key, col(Message.decision).is_(None))
        .values(
            attempts=Message.attempts - 1,
            claimed_at=case((is_only_one, None), else_=col(Message.claimed_at)),
            first_claimed_at=case((is_only_one, None), else_=col(Message.first_claimed_at)),
            last_error=error,
        )
    )


async def withdraw(session: AsyncSession, key: str) -> None:
    """Take back a claim that no provider has, as if it had never been made."""
    await session.execute(
        delete(Message).where(
            col(Message.key) == key,
            col(Message.decision).is_(None),
            col(Message.claimed_at).is_(None),
        )
    )


async def settle(
    session: AsyncSession,
    key: str,
    decision: Decision,
    *,
    reason: Reason | None = None,
    sent_at: datetime | None = None,
    provider: str | None = None,
    provider_message_id: str | None = None,
    error: str | None = None,
) -> bool:
    """Settle a claim; False if it is settled already (or was never claimed): the first stays."""
    values = {
        "of_key": key,
        "as_decision": decision,
        "for_reason": reason,
        "was_sent_at": sent_at,
        "by_provider": provider,
        "under_id": provider_message_id,
        "with_error": error,
    }
    return (await run(session, _SETTLE, values)).scalar() is not None


async def resolve_unknown(
    session: AsyncSession, key: str, decision: Decision, reason: Reason | None = None
) -> bool:
    """A person found out what became of an `unknown` one; False if it is not `unknown`."""
    resolved = await session.scalar(
        update(Message)
        .where(col(Message.key) == key, col(Message.decision) == Decision.UNKNOWN)
        .values(decision=decision, reason=reason)
        .returning(col(Message.id))
    )
    return resolved is not None


async def set_status(session: AsyncSession, key: str, status: DeliveryStatus, at: datetime) -> None:
    """Keep what its provider last told; the caller has seen that it moves forward."""
    await session.execute(
        update(Message).where(col(Message.key) == key).values(status=status, status_at=at)
    )


async def customers_at(session: AsyncSession, channel: str, address: str) -> list[str]:
    """Those who were ever written to at this address, sorted."""
    found = await session.scalars(
        select(col(Message.customer_id))
        .where(col(Message.channel) == channel, col(Message.address) == address)
        .distinct()
        .order_by(col(Message.customer_id))
    )
    return list(found)


async def of_enrollment(session: AsyncSession, enrollment_id: str) -> list[Message]:
    """Every decision of an enrollment, in the order in which they were made."""
    found = await session.scalars(
        select(Message)
        .where(col(Message.enrollment_id) == enrollment_id)
        .order_by(col(Message.decided_at), col(Message.id))
        .options(_WITHOUT_BODY)
    )
    return list(found)


async def of_customer(session: AsyncSession, customer_id: str, limit: int = 200) -> list[Message]:
    """The customer's decisions, newest first."""
    found = await session.scalars(
        select(Message)
        .where(col(Message.customer_id) == customer_id)
        .order_by(col(Message.decided_at).desc(), col(Message.id).desc())
        .limit(limit)
        .options(_WITHOUT_BODY)
    )
    return list(found)


async def unknown(session: AsyncSession, limit: int = 100) -> list[Message]:
    """What a person must decide, oldest first."""
    found = await session.scalars(
        select(Message)
        .where(col(Message.decision) == Decision.UNKNOWN)
        .order_by(col(Message.claimed_at), col(Message.id))
        .limit(limit)
        .options(_WITHOUT_BODY)
    )
    return list(found)


async def stale_claims(session: AsyncSession, before: datetime, limit: int = 100) -> list[Message]:
    """Claims made before `before` (wall time) that nobody has settled, oldest first."""
    found = await session.scalars(
        select(Message)
        .where(col(Message.decision).is_(None), col(Message.claimed_at) < before)
        .order_by(col(Message.claimed_at), col(Message.id))
        .limit(limit)
        .options(_WITHOUT_BODY)
    )
    return list(found)

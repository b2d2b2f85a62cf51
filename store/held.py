"""Those whom a stop button holds up, until it is lifted: their wake-ups, put by in the outbox.

`deliver` puts one by in the transaction in which it answers `stopped`; whoever lifts the
button gives each its turn. So who waits is known exactly, of every step, and to be stopped
in the middle of waking loses nobody and wakes nobody twice. A wake-up too many is harmless.
The surprising fact: nobody takes one back. It says itself until when it is of use.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.stops import Outgoing
from store import waking
from store.outbox import HELD
from store.tables import OutboxKind, OutboxRow


async def put_by(
    session: AsyncSession,
    *,
    customer_id: str,
    enrollment_id: str,
    message: Outgoing,
    now: datetime,
    until: datetime,
    broadcast_id: str | None = None,
) -> None:
    """Have this step woken once nothing stops it any more, if that is before `until` (wall).

    For a customer whom the transaction has locked.
    """
    row = OutboxRow(
        customer_id=customer_id,
        enrollment_id=enrollment_id,
        kind=OutboxKind.PACED,
        payload={
            "step": message.step,
            "journey": message.journey,
            "channel": message.channel,
            "marketing": message.is_marketing,
            **({} if broadcast_id is None else {"broadcast": broadcast_id}),
        },
        created_at=now,
        not_before_at=until,
        parked_at=now,
        parked_reason=HELD,
    )
    session.add(row)
    await session.flush()


def outgoing(row: OutboxRow) -> Outgoing:
    """The message that a row waits to go out with."""
    told = row.payload
    return Outgoing(
        journey=told["journey"],
        step=told["step"],
        channel=told["channel"],
        is_marketing=told["marketing"],
    )


def broadcast_of(row: OutboxRow) -> str | None:
    """The broadcast whose message waits: it goes by its own row, and Temporal is told nothing."""
    return row.payload.get("broadcast")


async def page(session: AsyncSession, after: int, limit: int) -> list[OutboxRow]:
    """The next of those held up, in the order in which they were."""
    found = await session.scalars(
        select(OutboxRow)
        .where(*_held(), col(OutboxRow.id) > after)
        .order_by(col(OutboxRow.id))
        .limit(limit)
    )
    return list(found)


async def still(session: AsyncSession, row_ids: list[int]) -> list[OutboxRow]:
    """Those of the rows that are held up now, in their order."""
    found = await session.scalars(
        select(OutboxRow)
        .where(*_held(), col(OutboxRow.id).in_(row_ids))
        .order_by(col(OutboxRow.id))
        .execution_options(populate_existing=True)
    )
    return list(found)


async def let_go(session: AsyncSession, turns: Mapping[int, datetime]) -> None:
    """Give each row its turn (wall). Their customers are locked."""
    for row_id, at in turns.items():
        await session.execute(
            update(OutboxRow)
            .where(col(OutboxRow.id) == row_id, *_held())
            .values(parked_at=None, parked_reason=None, created_at=at, not_before_at=at)
            .execution_options(synchronize_session=False)
        )
    await waking.tell(session)


async def let_lapse(session: AsyncSession, row_ids: list[int], at: datetime) -> None:
    """Nobody waits for these any more."""
    await session.execute(
        update(OutboxRow)
        .where(col(OutboxRow.id).in_(row_ids), *_held())
        .values(parked_at=None, parked_reason=None, done_at=at)
        .execution_options(synchronize_session=False)
    )


async def last_turn(session: AsyncSession) -> datetime | None:
    """The latest turn that was given and has not come; the next comes after it."""
    return await session.scalar(
        select(func.max(col(OutboxRow.not_before_at))).where(
            col(OutboxRow.kind) == OutboxKind.PACED,
            col(OutboxRow.done_at).is_(None),
            col(OutboxRow.parked_at).is_(None),
        )
    )


async def count(session: AsyncSession, now: datetime) -> int:
    """How many wait."""
    counted = select(func.count()).select_from(OutboxRow).where(*_held())
    return await session.scalar(counted.where(col(OutboxRow.not_before_at) >= now)) or 0


def _held() -> tuple[ColumnElement[bool], ...]:
    return (
        col(OutboxRow.kind) == OutboxKind.PACED,
        col(OutboxRow.parked_at).is_not(None),
        col(OutboxRow.parked_reason) == HELD,
    )

"""Enrollments: who is or was in which journey, and how it ended.

The row decides, not Temporal: an enrollment that is closed here sends nothing more, and
one that exists here forbids another. Whoever changes a row has locked its customer.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation, Overflow

from sqlalchemy import and_, bindparam, func, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.util import identity_key
from sqlmodel import col

from engine.reasons import Ending, Reason
from store import customers
from store.built_once import run
from store.database import StoreError
from store.inserting import insert_new, sql_table
from store.tables import Enrollment, EnrollmentState
from store.tables.columns import UTC_TIME

# Of the most frequent update; through the class it would cost twice as much.
_TABLE = sql_table(Enrollment)

# Built once, for of each new one SQLAlchemy asks first whether it knows it. A name of a column
# would be taken for a value to set.
_SET_NEXT = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("of_id"), _TABLE.c.state == EnrollmentState.OPEN)
    .values(
        next_step=bindparam("to_step"),
        next_at=bindparam("due_at"),
        next_reason=bindparam("held_by"),
    )
    .returning(_TABLE.c.id)
)

_CLOSE = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("of_id"), _TABLE.c.state == EnrollmentState.OPEN)
    .values(
        state=bindparam("as_state"),
        ended_at=bindparam("at"),
        ended_by=bindparam("by"),
        converted_at=func.coalesce(bindparam("reached_at", type_=UTC_TIME), _TABLE.c.converted_at),
        next_step=null(),
        next_at=null(),
        next_reason=null(),
    )
    .returning(_TABLE.c.id)
)

# What the column holds: 18 digits, four of them decimals.
_TOO_MUCH = Decimal(10) ** 14


class MovedError(StoreError):
    """An enrollment has another customer than the one who was locked for it."""


@dataclass(frozen=True)
class Filter:
    """Which enrollments to list; None does not filter."""

    journey: str | None = None
    state: EnrollmentState | None = None
    customer_id: str | None = None
    paused: bool | None = None


async def insert(session: AsyncSession, enrollment: Enrollment) -> bool:
    """Begin an enrollment; False if its id exists, and then nothing changes."""
    return bool(await insert_new(session, [enrollment], unique="id"))


async def get(session: AsyncSession, enrollment_id: str) -> Enrollment | None:
    """One enrollment, as it is now."""
    return await session.get(Enrollment, enrollment_id, populate_existing=True)


async def held(session: AsyncSession, enrollment_id: str) -> Enrollment | None:
    """One enrollment, its customer locked until the transaction ends; None if it is not there.

    Raises MovedError if its customer was joined with another while we waited: begin anew.
    """
    row = await get(session, enrollment_id)
    if row is None:
        return None
    await customers.hold(session, row.customer_id)
    again = await get(session, enrollment_id)  # or the customer was erased while we waited
    if again is not None and again.customer_id != row.customer_id:
        raise MovedError(f"enrollment `{enrollment_id}` has another customer now")
    return again


async def of_customer(session: AsyncSession, customer_id: str) -> list[Enrollment]:
    """All of the customer's enrollments, ended ones too, in the order they began."""
    found = await session.scalars(
        select(Enrollment)
        .where(col(Enrollment.customer_id) == customer_id)
        .order_by(col(Enrollment.start_at), col(Enrollment.id))
    )
    return list(found)


async def open_for(session: AsyncSession, customer_id: str) -> list[Enrollment]:
    """The customer's open enrollments, in the order they began."""
    found = await session.scalars(
        select(Enrollment)
        .where(
            col(Enrollment.customer_id) == customer_id,
            col(Enrollment.state) == EnrollmentState.OPEN,
        )
        .order_by(col(Enrollment.start_at), col(Enrollment.id))
    )
    return list(found)


async def open_in(
    session: AsyncSession, journey: str, after: str, limit: int
) -> list[tuple[str, str, bool]]:
    """Ids of open enrollments in a journey, by id, those after `after`: with whose they are,
    and whether they have a workflow.
    """
    found = await session.execute(
        select(
            col(Enrollment.id), col(Enrollment.customer_id), col(Enrollment.broadcast_id).is_(None)
        )
        .where(
            col(Enrollment.journey) == journey,
            col(Enrollment.state) == EnrollmentState.OPEN,
            col(Enrollment.id) > after,
        )
        .order_by(col(Enrollment.id))
        .limit(limit)
    )
    return [(id_, owner, has_workflow) for id_, owner, has_workflow in found]


async def count_open(session: AsyncSession, journey: str) -> int:
    """How many are inside a journey."""
    counted = select(func.count()).select_from(Enrollment)
    open_ones = col(Enrollment.journey) == journey, col(Enrollment.state) == EnrollmentState.OPEN
    return await session.scalar(counted.where(*open_ones)) or 0


async def latest(
    session: AsyncSession, customer_id: str, journey: str, key: str | None
) -> Enrollment | None:
    """The customer's newest enrollment with this journey and key; the next has its ordinal + 1."""
    return await session.scalar(
        select(Enrollment)
        .where(
            col(Enrollment.customer_id) == customer_id,
            col(Enrollment.journey) == journey,
            col(Enrollment.key) == key,
        )
        .order_by(col(Enrollment.ordinal).desc())
        .limit(1)
    )


async def close(
    session: AsyncSession, enrollment_id: str, ending: Ending, at: datetime, by: str | None
) -> bool:
    """End an enrollment at `at` (journey time); False if it is not open: the first ending stays."""
    state = EnrollmentState(ending.value)
    reached_at = at if ending is Ending.CONVERTED else None
    values = {"of_id": enrollment_id, "as_state": state, "at": at, "by": by}
    if (await run(session, _CLOSE, {**values, "reached_at": reached_at})).scalar() is None:
        return False
    told = {"state": state, "ended_at": at, "ended_by": by}
    told |= dict.fromkeys(("next_step", "next_at", "next_reason"))
    _tell(session, enrollment_id, told if reached_at is None else {**told, "converted_at": at})
    return True


async def amend(
    session: AsyncSession,
    enrollment_id: str,
    ending: Ending,
    at: datetime,
    by: str,
    value: Decimal | None,
) -> None:
    """It had ended before, and otherwise than was known: an event that arrived late says so."""
    converts = ending is Ending.CONVERTED
    await session.execute(
        update(Enrollment)
        .where(col(Enrollment.id) == enrollment_id)
        .values(
            state=EnrollmentState(ending.value),
            ended_at=at,
            ended_by=by,
            converted_at=at if converts else None,
            conversion_value=value if converts else None,
        )
    )


async def record_conversion(
    session: AsyncSession, enrollment_id: str, at: datetime, value: object
) -> bool:
    """The goal was reached at `at` and worth `value`, as received; False if it was before.

    Also for an enrollment that `close` ended as converted at the same instant.
    """
    converted_at = col(Enrollment.converted_at)
    recorded = await session.scalar(
        update(Enrollment)
        .where(
            col(Enrollment.id) == enrollment_id,
            or_(
                converted_at.is_(None),
                and_(converted_at == at, col(Enrollment.conversion_value).is_(None)),
            ),
        )
        .values(converted_at=at, conversion_value=read_money(value))
        .returning(col(Enrollment.id))
    )
    return recorded is not None


def read_money(raw: object) -> Decimal | None:
    """The amount that a property holds, a number or its text; None where it is not one.

    A conversion counts whatever the app sends as its worth, so nothing raises here.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(raw).strip())
        # `1e9999999` can be written, but not compared: Overflow.
        return amount if amount.is_finite() and abs(amount) < _TOO_MUCH else None
    except (InvalidOperation, Overflow):
        return None


async def set_next(
    session: AsyncSession,
    enrollment_id: str,
    step: str | None,
    at: datetime | None,
    reason: Reason | None = None,
) -> bool:
    """Note what comes next, as the workflow told; False if the enrollment is not open.

    `reason` is what holds it up, if it was put off to then.
    An enrollment that the session has read already does not hear of it.
    """
    values = {"of_id": enrollment_id, "to_step": step, "due_at": at, "held_by": reason}
    return (await run(session, _SET_NEXT, values)).scalar() is not None


async def let_go_on(session: AsyncSession, enrollment_id: str, at: datetime) -> None:
    """What a person had stopped comes up at `at` (journey time)."""
    await session.execute(
        update(Enrollment)
        .where(
            col(Enrollment.id) == enrollment_id,
            col(Enrollment.state) == EnrollmentState.OPEN,
            col(Enrollment.next_reason) == Reason.STOPPED,
        )
        .values(next_at=at, next_reason=None)
        .execution_options(synchronize_session=False)
    )


async def pause(session: AsyncSession, enrollment_id: str, at: datetime) -> bool:
    """Hold every step from `at` on; False if it is not open. Paused twice keeps the first time."""
    values: dict[str, object] = {"paused_at": func.coalesce(col(Enrollment.paused_at), at)}
    return await _change(session, enrollment_id, values)


async def resume(session: AsyncSession, enrollment_id: str) -> bool:
    """Let it go on; False if it is not open."""
    return await _change(session, enrollment_id, {"paused_at": None})


async def skip(session: AsyncSession, enrollment_id: str, step: str) -> bool:
    """Note that a person had this step skipped; False if the enrollment is not open."""
    enrollment = await get(session, enrollment_id)
    if enrollment is None or enrollment.state is not EnrollmentState.OPEN:
        return False
    if step not in enrollment.skipped_steps:
        enrollment.skipped_steps = [*enrollment.skipped_steps, step]
        await session.flush()
    return True


async def unskip(session: AsyncSession, enrollment_id: str, step: str) -> None:
    """The skip has been carried out: a later occurrence of the step is free again."""
    enrollment = await get(session, enrollment_id)
    if enrollment is not None and step in enrollment.skipped_steps:
        enrollment.skipped_steps = [s for s in enrollment.skipped_steps if s != step]
        await session.flush()


async def found(
    session: AsyncSession, which: Filter | None = None, limit: int = 100, offset: int = 0
) -> list[Enrollment]:
    """The enrollments that pass the filter, newest first, a page at a time."""
    which = which or Filter()
    statement = select(Enrollment)
    if which.journey is not None:
        statement = statement.where(col(Enrollment.journey) == which.journey)
    if which.state is not None:
        statement = statement.where(col(Enrollment.state) == which.state)
    if which.customer_id is not None:
        statement = statement.where(col(Enrollment.customer_id) == which.customer_id)
    if which.paused is not None:
        paused_at = col(Enrollment.paused_at)
        statement = statement.where(paused_at.is_not(None) if which.paused else paused_at.is_(None))
    newest_first = col(Enrollment.entered_at).desc(), col(Enrollment.id)
    page = await session.scalars(statement.order_by(*newest_first).limit(limit).offset(offset))
    return list(page)


async def counts(
    session: AsyncSession, journeys: Collection[str] | None = None
) -> dict[tuple[str, EnrollmentState], int]:
    """How many enrollments each journey has in each state."""
    statement = select(col(Enrollment.journey), col(Enrollment.state), func.count()).group_by(
        col(Enrollment.journey), col(Enrollment.state)
    )
    if journeys is not None:
        statement = statement.where(col(Enrollment.journey).in_(set(journeys)))
    rows = await session.execute(statement)
    return {(journey, state): count for journey, state, count in rows}


def _tell(session: AsyncSession, enrollment_id: str, values: dict[str, object]) -> None:
    """Have an enrollment that the session has read say what was written past it."""
    row = session.identity_map.get(identity_key(Enrollment, enrollment_id))
    if row is not None:
        for name, value in values.items():
            set_committed_value(row, name, value)


async def _change(session: AsyncSession, enrollment_id: str, values: dict[str, object]) -> bool:
    """Change an open enrollment; False if it is not there or not open."""
    changed = await session.scalar(
        update(Enrollment)
        .where(col(Enrollment.id) == enrollment_id, col(Enrollment.state) == EnrollmentState.OPEN)
        .values(**values)
        .returning(col(Enrollment.id))
    )
    return changed is not None

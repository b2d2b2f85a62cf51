"""Statements of the hot paths are the same text for a few values as for many.

On PostgreSQL every text is a statement of its own, which each connection prepares and keeps.
"""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event as listening
from sqlalchemy.ext.asyncio import AsyncSession

from engine.expressions import parse_duration
from store import (
    broadcasts,
    companies,
    computed,
    consents,
    counting,
    customers,
    enrolled,
    erasures,
    events,
    free_rows,
    outbox,
    suppressions,
)
from store.database import Database
from store.inserting import insert_new
from store.tables import Customer, Enrollment, OutboxKind, OutboxRow
from tests.store.given import NOON, an_enrollment, event

Call = Callable[[AsyncSession, Sequence[str]], Awaitable[Any]]

_SHARED = ("customer_id", "journey", "version", "start_event_id", "start_at", "entered_at")

UTC = ZoneInfo("UTC")
MANY = [f"c{n}" for n in range(7)]

HOT: dict[str, Call] = {
    "customers.lock_known": lambda session, ids: customers.lock_known(session, ids, NOON),
    "customers.load_locked": customers.load_locked,
    "enrolled.of_customers": enrolled.of_customers,
    "consents.of_customers": consents.of_customers,
    "computed.of_customers": computed.of_customers,
    "companies.lock_many": lambda session, ids: companies.lock_many(session, ids, NOON),
    "companies.get_many": companies.get_many,
    "companies.members_inside": lambda session, ids: companies.members_inside(
        session, ids, [(each, "v1") for each in ids]
    ),
    "events.of_customers": lambda session, ids: events.of_customers(session, ids, ["app_opened"]),
    "events.dispositions": events.dispositions,
    "counting.how_often, ever": lambda session, ids: counting.how_often(
        session, "app_opened", None, dict.fromkeys(ids, UTC), NOON
    ),
    "counting.how_often, within": lambda session, ids: counting.how_often(
        session, "app_opened", parse_duration("1 week"), dict.fromkeys(ids, UTC), NOON
    ),
    "suppressions.suppressed_among": lambda session, ids: suppressions.suppressed_among(
        session, [(each, each) for each in ids]
    ),
    "erasures.recognised": lambda session, ids: erasures.recognised(session, ids, ids, ids),
    "broadcasts.lock": broadcasts.lock,
    "broadcasts.had_as_another": lambda session, ids: broadcasts.had_as_another(
        session, ids, lambda name: name
    ),
    "outbox.mark_done": lambda session, ids: outbox.mark_done(session, range(len(ids)), NOON),
    "outbox.inputs": lambda session, ids: outbox.inputs(session, [_start(each) for each in ids]),
    "free_rows.free_firsts": lambda session, ids: free_rows.free_firsts(session, ids, NOON),
    "free_rows.leased": lambda session, ids: free_rows.leased(
        session, list(range(len(ids))), NOON, NOON
    ),
}


@pytest.mark.parametrize("call", HOT.values(), ids=HOT)
async def test_a_statement_is_one_text_however_many_it_is_given(db: Database, call: Call) -> None:
    async with db.transaction() as session:
        await insert_new(session, [_customer(each) for each in MANY], unique="id")
        await erasures.salted(session, b"salt")
        told = [await _texts(session, call, MANY[:number]) for number in (2, 1, 7)]
    few, one, many = [[text for text in texts if "INSERT" not in text] for texts in told]
    assert few == one == many != []


async def test_on_postgresql_rows_are_inserted_by_two_texts(db: Database) -> None:
    """One row by one of its own, which is faster for it; SQLite keeps no statement for long."""

    async def accept(session: AsyncSession, ids: Sequence[str]) -> None:
        new = await events.accept(session, [event(each) for each in ids])
        assert new == set(ids)

    numbers = (1, 2, 7, 500)
    ids = [[f"{number}-{n}" for n in range(number)] for number in numbers]
    async with db.transaction() as session:
        await insert_new(session, [_customer("c1")], unique="id")
        one, *more = [await _texts(session, accept, some) for some in ids]
    if not db.is_sqlite:
        assert more[0] == more[1] == more[2] != one


async def test_several_rows_are_inserted_as_each_was_given(db: Database) -> None:
    """Lists, whatever their length, objects in their order, amounts, times, and nothing."""
    async with db.transaction() as session:
        first = await an_enrollment(session)
        given: list[dict[str, Any]] = [
            {"skipped_steps": [], "conversion_value": None, "start_properties": {}},
            {"skipped_steps": ["tip", "{}"], "conversion_value": Decimal("12.5")},
            {"skipped_steps": ["é\\,'\""], "input": {"b": [1, None], "a": {"y": 1, "x": "\u2028"}}},
        ]
        rows = [
            Enrollment(
                **{name: getattr(first, name) for name in _SHARED},
                id=f"more-{number}",
                ordinal=number,
                **each,
            )
            for number, each in enumerate(given, 2)
        ]
        told = await insert_new(session, [*rows, rows[0]], unique="id", returning="ordinal")
    assert sorted(told) == [2, 3, 4]
    async with db.reading() as session:
        for number, each in enumerate(given, 2):
            kept = await session.get_one(Enrollment, f"more-{number}")
            assert {name: getattr(kept, name) for name in each} == each
            assert kept.start_at == first.start_at
            assert list(kept.input or {}) == list(each.get("input", {}))


async def _texts(session: AsyncSession, call: Call, ids: Sequence[str]) -> list[str]:
    """The statements that the call runs."""
    texts: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        texts.append(statement)

    bind = session.get_bind()
    listening.listen(bind, "before_cursor_execute", note)
    try:
        await call(session, ids)
    finally:
        listening.remove(bind, "before_cursor_execute", note)
    return texts


def _customer(name: str) -> Customer:
    return Customer(id=name, pseudonym=name, first_seen_at=NOON, created_at=NOON, updated_at=NOON)


def _start(name: str) -> OutboxRow:
    return OutboxRow(
        customer_id=name,
        enrollment_id=name,
        kind=OutboxKind.START,
        created_at=NOON,
        not_before_at=NOON,
    )

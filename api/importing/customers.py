"""Customers from a file: each row an `identify` that starts nothing.

Decides which fields are traits (all but `id` and `timestamp`) and since when they are true.
The one surprising fact: a row is known by what it says, so the same row again changes
nothing, even if something else was said in between; a `timestamp` makes it another row.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.accept import accept_in
from api.importing.rows import (
    ERASED,
    Refusal,
    Row,
    RowCode,
    RowError,
    Taken,
    content_id,
    text_of,
    time_of,
)
from api.services import Services
from engine.calls import Identify
from engine.segment import parse_call
from engine.segment_fields import Refused
from store.erasures import erased_among

ID, TIMESTAMP = "id", "timestamp"


class CustomerImport:
    """Takes rows of customers; `now` (journey time) is when the import began."""

    def __init__(self, services: Services, now: datetime) -> None:
        self._services = services
        self._now = now

    async def look_ahead(self, session: AsyncSession, rows: Sequence[Row]) -> None:
        """Nothing has to be known before."""

    async def take(self, session: AsyncSession, rows: Sequence[Row]) -> Taken:
        """Accept them in this transaction."""
        read = [_read(row, self._now) for row in rows]
        refused = [each for each in read if isinstance(each, Refusal)]
        calls = [each for each in read if not isinstance(each, Refusal)]
        erased = await _erased(session, [call for _, call in calls])
        refused += [
            Refusal(row.line, RowCode.ERASED, f"`{call.customer_id}` {ERASED}", row.values)
            for row, call in calls
            if call.customer_id in erased
        ]
        taken = [call for _, call in calls if call.customer_id not in erased]
        if not taken:
            return Taken(refused=tuple(refused))
        accepted = await accept_in(session, self._services, taken, self._now)
        known = len(taken) - len(accepted.new)
        return Taken(tuple(sorted(accepted.new)), known, tuple(refused))


def _read(row: Row, now: datetime) -> tuple[Row, Identify] | Refusal:
    try:
        return row, _identify(row, now)
    except RowError as error:
        return error.of(row)


def _identify(row: Row, now: datetime) -> Identify:
    customer_id = text_of(row, ID)
    if customer_id is None:
        raise RowError(RowCode.NO_ID, "`id` is missing: a customer is known by it")
    at = time_of(row, TIMESTAMP, now)
    traits = {name: each for name, each in row.values.items() if name not in (ID, TIMESTAMP)}
    when = None if at is None else at.isoformat()
    call = parse_call(
        {
            "type": "identify",
            "userId": customer_id,
            "traits": traits,
            "timestamp": when,
            "messageId": content_id("import", customer_id, when, traits),
        },
        now,
        historical=True,
    )
    if isinstance(call, Refused):
        raise RowError(call.code, call.message.replace("`userId`", "`id`"))
    assert isinstance(call, Identify)
    return call


async def _erased(session: AsyncSession, calls: Sequence[Identify]) -> frozenset[str]:
    """The ids of those who were erased, known by their id or by an address."""
    found = await erased_among(
        session,
        {call.customer_id for call in calls},
        {text for call in calls if (text := _address(call.traits, "email"))},
        {text for call in calls if (text := _address(call.traits, "phone"))},
    )
    return frozenset(
        call.customer_id
        for call in calls
        if {call.customer_id, _address(call.traits, "email"), _address(call.traits, "phone")}
        & found
    )


def _address(traits: Mapping[str, Any], name: str) -> str | None:
    value = traits.get(name)
    return value if isinstance(value, str) else None

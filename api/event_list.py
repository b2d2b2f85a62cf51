"""The last events, accepted and refused in one list, for the API and for the page.

They are two tables, read side by side and merged by the time they were received; at the
same instant the refused come first. The one surprising fact: a page is named by the place
of its last row and not by a number, so that nothing is shown twice while events arrive.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from sqlalchemy.ext.asyncio import AsyncSession

from api.errors import BadRequestError
from api.event_replies import EventReply, EventsReply
from api.services import Services
from engine.keys import anonymous_customer
from store import customers, events, journeys, outbox, refusals
from store.events import EventFilter, EventPlace
from store.json_text import keepable_text
from store.refusals import RefusedFilter, RefusedPlace
from store.tables import Event, EventKind, OutboxRow, RefusedCall

_Place = EventPlace | RefusedPlace

_MOMENT = timedelta(microseconds=1)  # as exact as both databases are
_NEVER = datetime.min.replace(tzinfo=UTC)
_TOO_LARGE = 2**63  # no row has such a number, and a driver would stumble over it


@dataclass(frozen=True)
class Wanted:
    """Which events; None does not filter. `customer` is any id they have or had."""

    customer: str | None = None
    name: str | None = None
    kind: EventKind | None = None
    rejected: bool | None = None
    since: datetime | None = None

    @classmethod
    def by(
        cls,
        *,
        customer: str | None,
        name: str | None,
        kind: EventKind | None,
        rejected: bool | None,
        since: datetime | None = None,
    ) -> Self:
        """As a person asks: an empty text does not filter, and no text makes a driver stumble."""
        return cls(
            customer=keepable_text(customer or "") or None,
            name=keepable_text(name or "") or None,
            kind=kind,
            rejected=rejected,
            since=since,
        )


async def event_list(
    services: Services, wanted: Wanted, limit: int, cursor: str | None = None
) -> EventsReply:
    """The newest, or those that follow the cursor. Raises BadRequestError for a wrong one."""
    after = _place(cursor) if cursor is not None else None
    async with services.database.reading() as session:
        rows = await _rows(session, wanted, limit + 1, after)
        shown = rows[:limit]
        published = await journeys.newest_publication(session)
        watched = await journeys.watched_by_all(session, published)
        carried = await _outbox(session, shown)
    return EventsReply(
        events=[
            EventReply.of_refused(row)
            if isinstance(row, RefusedCall)
            else EventReply.of(row, carried.get(row.message_id, ()), watched.events)
            for row in shown
        ],
        next_cursor=_cursor(shown[-1]) if len(rows) > limit else None,
    )


async def _rows(
    session: AsyncSession, wanted: Wanted, limit: int, after: _Place | None
) -> list[Event | RefusedCall]:
    """The first of both, merged."""
    owner, names = None, None
    if wanted.customer is not None:
        owner, names = await _whose(session, wanted.customer)
    found: list[Event | RefusedCall] = []
    if wanted.rejected is not False:
        refused = RefusedFilter(names, wanted.kind, wanted.name, wanted.since)
        found += await refusals.newest(session, refused, limit=limit, after=_among_refused(after))
    if wanted.rejected is not True:
        accepted = EventFilter(owner, wanted.kind, wanted.name, wanted.since)
        found += await events.received(session, accepted, limit=limit, after=_among_accepted(after))
    found.sort(key=lambda row: row.received_at, reverse=True)  # stable, so each keeps its order
    return found[:limit]


async def _whose(session: AsyncSession, customer: str) -> tuple[str, frozenset[str]]:
    """Who has the events, and every id under which calls may have been refused."""
    for name in (customer, anonymous_customer(customer)):
        row = await customers.known(session, name)
        if row is not None:
            names = await customers.names_of(session, row.id)
            return row.id, frozenset({*names, row.id, customer, name})
    return customer, frozenset({customer, anonymous_customer(customer)})


async def _outbox(
    session: AsyncSession, shown: Sequence[Event | RefusedCall]
) -> dict[str, list[OutboxRow]]:
    """What Temporal is told of those that did something, by event."""
    ids = [row.message_id for row in shown if isinstance(row, Event) and row.disposition]
    rows: dict[str, list[OutboxRow]] = {}
    for row in await outbox.of_events(session, ids):
        rows.setdefault(row.event_id or "", []).append(row)
    return rows


def _among_refused(after: _Place | None) -> RefusedPlace | None:
    if isinstance(after, EventPlace):
        return RefusedPlace(after.received_at, 0)  # those of this instant came before
    return after


def _among_accepted(after: _Place | None) -> EventPlace | None:
    if isinstance(after, RefusedPlace):
        return EventPlace(after.received_at + _MOMENT, _NEVER, "")  # of this instant all follow
    return after


def _cursor(row: Event | RefusedCall) -> str:
    received_at = row.received_at.isoformat()
    place: list[str | int | None] = (
        [received_at, row.id]
        if isinstance(row, RefusedCall)
        else [received_at, row.occurred_at.isoformat(), row.message_id]
    )
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _place(cursor: str) -> _Place:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        match json.loads(text):
            case [str(received_at), int(number)] if abs(number) < _TOO_LARGE:
                return RefusedPlace(_time(received_at), number)
            case [str(received_at), str(occurred_at), str(message_id)]:
                happened_at = _time(occurred_at)
                return EventPlace(_time(received_at), happened_at, keepable_text(message_id))
    except (binascii.Error, ValueError, RecursionError):
        pass
    raise BadRequestError(
        "the cursor can't be read: give `next_cursor` back as it was answered",
        code="invalid_cursor",
    )


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or not 1 < at.year < 9999:  # any zone's time of it is a time
        raise ValueError("no time that was ever in a cursor")
    return at

"""How a customer stands towards a send: what they said, what went out to them, and which of
their addresses are blocked; in one statement.

Decides nothing, and reads only what is asked: `deliver` asks twice a send. The surprising
fact: three kinds of rows come in one shape, each with the columns of the others empty, since
on PostgreSQL every statement is a round trip, which costs more than running it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Row,
    Select,
    String,
    and_,
    bindparam,
    cast,
    exists,
    literal_column,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.selectable import CompoundSelect

from engine.caps import PastMessage
from engine.consent import ConsentState, Spoken
from engine.reasons import Decision
from store.built_once import run
from store.inserting import sql_table
from store.suppressions import normal_address
from store.tables import Consent, DeliveryEvent, Message, Suppression
from store.tables.columns import ROW_NUMBER, UTC_TIME, word

_CONSENTS = sql_table(Consent).c
_MESSAGES = sql_table(Message).c
_EVENTS = sql_table(DeliveryEvent).c
_SUPPRESSIONS = sql_table(Suppression).c

# The first column, which tells the kinds of rows apart.
_SAID, _SENT, _BLOCKED = "said", "sent", "blocked"

# The others, with what each is where a kind of row has none. The names are nobody's own: a
# word and a message share what both have. PostgreSQL wants to know of an empty column too
# what it would hold, and SQLite's answers are understood by the types of the first kind.
_COLUMNS: dict[str, ColumnElement[Any]] = {
    "at": cast(null(), UTC_TIME),
    "id": cast(null(), ROW_NUMBER),
    "channel": cast(null(), String),
    "topic": cast(null(), String),
    "state": cast(null(), word(ConsentState)),
    "enrollment": cast(null(), String),
    "step": cast(null(), String),
    "clicked": cast(null(), Boolean),
    "address": cast(null(), String),
}


@dataclass(frozen=True)
class Past:
    """Which messages are asked for: those after `since` (exclusive), or all of them.

    `besides` is the key of one that is not meant. `clicks`: whether it is asked which of
    them were clicked; else none is said to be.
    """

    since: datetime | None
    besides: str | None = None
    clicks: bool = False


@dataclass(frozen=True)
class Standing:
    """`said` and `sent` are oldest first; `blocked` are (channel, address) pairs as given."""

    said: tuple[Spoken, ...] = ()
    sent: tuple[PastMessage, ...] = ()
    blocked: frozenset[tuple[str, str]] = frozenset()


async def read(
    session: AsyncSession,
    customer_id: str,
    *,
    said: bool,
    past: Past | None,
    addresses: Iterable[tuple[str, str]],
) -> Standing:
    """What is asked for, as it is now; of anything else nothing.

    Claims under way and `unknown` count as sent: a cap that looked only at what has finished
    would let two through at once. What a machine clicked was not clicked.
    """
    given = {pair: (pair[0], normal_address(pair[1])) for pair in addresses}
    if not (said or past or given):
        return Standing()
    pairs = sorted(set(given.values()))
    statement = _statement(
        said=said,
        sent=past is not None,
        since=past is not None and past.since is not None,
        clicks=past is not None and past.clicks,
        blocked=len(pairs),
    )
    values: dict[str, Any] = {}
    if said or past:
        values["customer_id"] = customer_id
    if past is not None:
        values["besides"] = past.besides or ""  # the key of none
        if past.since is not None:
            values["since"] = past.since
    if given:
        for number, pair in enumerate(pairs):
            values[f"channel_{number}"], values[f"address_{number}"] = pair
    rows = (await run(session, statement, values)).all()
    blocked = {(row.channel, row.address) for row in rows if row.kind == _BLOCKED}
    return Standing(
        said=tuple(_spoken(row) for row in _oldest_first(rows, _SAID)),
        sent=tuple(_past_message(row) for row in _oldest_first(rows, _SENT)),
        blocked=frozenset(pair for pair, normal in given.items() if normal in blocked),
    )


def _oldest_first(rows: Sequence[Row[Any]], kind: str) -> list[Row[Any]]:
    return sorted((row for row in rows if row.kind == kind), key=lambda row: (row.at, row.id))


def _spoken(row: Row[Any]) -> Spoken:
    return Spoken(at=row.at, channel=row.channel, topic=row.topic, state=row.state)


def _past_message(row: Row[Any]) -> PastMessage:
    return PastMessage(
        enrollment=row.enrollment,
        step=row.step,
        at=row.at,
        channel=row.channel or "",
        topic=row.topic,
        clicked=bool(row.clicked),
    )


@cache  # putting a statement together takes longer than running it
def _statement(
    *, said: bool, sent: bool, since: bool, clicks: bool, blocked: int
) -> CompoundSelect[Any]:
    parts: list[Select[Any]] = []
    if said:
        parts.append(_what_was_said())
    if sent:
        parts.append(_what_was_sent(since=since, clicks=clicks))
    if blocked:
        parts.append(_what_is_blocked(blocked))
    return union_all(*parts)


def _what_was_said() -> Select[Any]:
    mine = _CONSENTS.customer_id == bindparam("customer_id")
    return _rows(
        _SAID,
        at=_CONSENTS.at,
        id=_CONSENTS.id,
        channel=_CONSENTS.channel,
        topic=_CONSENTS.topic,
        state=_CONSENTS.state,
    ).where(mine)


def _what_was_sent(*, since: bool, clicks: bool) -> Select[Any]:
    clicked = exists().where(
        _EVENTS.message_key == _MESSAGES.key,
        _EVENTS.customer_id == bindparam("customer_id"),
        _EVENTS.kind == "clicked",
        _EVENTS.is_machine.is_(False),
    )
    found = _rows(
        _SENT,
        at=_MESSAGES.decided_at,
        id=_MESSAGES.id,
        channel=_MESSAGES.channel,
        topic=_MESSAGES.topic,
        enrollment=_MESSAGES.enrollment_id,
        step=_MESSAGES.step,
        **({"clicked": clicked} if clicks else {}),
    ).where(
        _MESSAGES.customer_id == bindparam("customer_id"),
        _MESSAGES.key != bindparam("besides"),
        or_(
            _MESSAGES.decision.is_(None),
            _MESSAGES.decision.in_([Decision.SENT, Decision.UNKNOWN]),
        ),
    )
    return found.where(_MESSAGES.decided_at > bindparam("since")) if since else found


def _what_is_blocked(addresses: int) -> Select[Any]:
    """Another statement for each number of addresses: of a step there are as many as channels.

    Not pairs in a list, for which SQLite goes through all that are suppressed, nor lists of
    both, for which PostgreSQL makes a plan each time.
    """
    each = (
        and_(
            _SUPPRESSIONS.channel == bindparam(f"channel_{number}"),
            _SUPPRESSIONS.address == bindparam(f"address_{number}"),
        )
        for number in range(addresses)
    )
    columns = {"channel": _SUPPRESSIONS.channel, "address": _SUPPRESSIONS.address}
    return _rows(_BLOCKED, **columns).where(or_(*each))


def _rows(kind: str, **own: ColumnElement[Any]) -> Select[Any]:
    """Rows of a kind in the shape of all, which has these columns of its own."""
    kind_of_row = literal_column(f"'{kind}'", String).label("kind")
    return select(
        kind_of_row, *(own.get(name, empty).label(name) for name, empty in _COLUMNS.items())
    )

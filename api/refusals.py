"""Keeping refused calls for whoever wires the app, without letting them fill the disk.

Decides what of a refused call is kept, and how many: some of each request, and of each key
so many an hour. Whoever sends was recognised first. The one surprising fact: nothing here
fails a request. What can't be kept is logged, and its sender is answered as ever.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from api.errors import kind_of
from api.keyring import KnownKey
from engine.keys import anonymous_customer
from engine.segment_fields import Refused
from store import refusals
from store.database import Database
from store.json_text import keepable_text
from store.tables import RefusedCall

_log = structlog.get_logger("parcours.ingest")

# Of one request. Who has made the same mistake a hundred times learns nothing from the rest.
MOST_A_REQUEST = 100

# Of one key and process: an afternoon of wiring at once, then a trickle in which a change for
# the better or the worse still shows. At most 60 MB a day, from a key that sends nothing good.
MOST_A_KEY = 1_000
_REFILL = timedelta(hours=1)

# Enough to see what was meant; a call has up to 32 KB.
LONGEST_PAYLOAD = 2_000

# What can be valid is at most so long (`engine.segment`); the rest is in the payload.
_LONGEST_WORD = 255

# A sender waits so long for its refusal to be kept, and no longer: the store may be away.
_PATIENCE = timedelta(seconds=2)

# An encoder that looks for circles and is left in the middle holds what it has seen until
# garbage is collected; what was JSON has none.
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False)

# The code of the row that stands for those that were not kept.
AND_MORE = "and_more"


@dataclass(frozen=True)
class RefusedRaw:
    """A call as it came (None: there is nothing to be read), and why it was refused."""

    raw: object
    code: str
    message: str

    @classmethod
    def of(cls, raw: object, refused: Refused) -> "RefusedRaw":
        return cls(raw, refused.code, refused.message)


@dataclass
class _Left:
    """How many more of a key's refused calls are kept, as of `at`."""

    level: float
    at: datetime


class Refusals:
    """One process's sense of how many refused calls each key had kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._left: dict[int, _Left] = {}  # of keys that exist, so there are few
        self._keeping: set[asyncio.Task[None]] = set()

    def admit(
        self, key: KnownKey, refused: Sequence[RefusedRaw], received_at: datetime, now: datetime
    ) -> list[RefusedCall]:
        """Choose what is kept of a request's refused calls; the last row may count the others.

        `received_at` is journey time, `now` real time.
        """
        left = self._filled(key, now)
        room = min(MOST_A_REQUEST, int(left.level))
        kept = list(refused) if len(refused) <= room else list(refused[: max(0, room - 1)])
        if room > 0 and len(kept) < len(refused):
            more = len(refused) - len(kept)
            kept.append(
                RefusedRaw(
                    None,
                    AND_MORE,
                    f"{more} more calls of this request were refused, and are not kept",
                )
            )
        left.level -= len(kept)
        return [_row(each, key, received_at) for each in kept]

    async def keep(self, rows: Sequence[RefusedCall]) -> None:
        """Write them, in a transaction of their own; raises nothing, and soon returns."""
        if not rows:
            return
        task = asyncio.create_task(self._keep(rows), name="keeping refused calls")
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)
        await asyncio.wait([task], timeout=_PATIENCE.total_seconds())

    async def _keep(self, rows: Sequence[RefusedCall]) -> None:
        try:
            async with self._database.transaction() as session:
                await refusals.append(session, rows)
        except (SQLAlchemyError, OSError) as error:
            _not_kept(rows, error)

    def _filled(self, key: KnownKey, now: datetime) -> _Left:
        left = self._left.setdefault(key.id, _Left(MOST_A_KEY, now))
        passed = max(timedelta(0), now - left.at)
        left.level = min(MOST_A_KEY, left.level + MOST_A_KEY * (passed / _REFILL))
        left.at = now
        return left


async def keep_with(session: AsyncSession, rows: Sequence[RefusedCall]) -> None:
    """Write them in the transaction of the calls that were accepted, which they can't undo."""
    if not rows:
        return
    try:
        async with session.begin_nested():
            await refusals.append(session, rows)
    except SQLAlchemyError as error:
        _not_kept(rows, error)


def _not_kept(rows: Sequence[RefusedCall], error: Exception) -> None:
    _log.warning("refused calls could not be kept", calls=len(rows), error=kind_of(error))


def _row(refused: RefusedRaw, key: KnownKey, received_at: datetime) -> RefusedCall:
    raw = refused.raw if isinstance(refused.raw, Mapping) else {}
    return RefusedCall(
        received_at=received_at,
        customer_id=_customer(raw),
        kind=_word(raw.get("type")),
        name=_word(raw.get("event")),
        message_id=_word(raw.get("messageId")),
        code=refused.code,
        message=keepable_text(refused.message),
        api_key=key.name,
        payload=_payload(refused.raw),
    )


def _customer(raw: Mapping[str, Any]) -> str | None:
    """Whom it is about, as the store would call them."""
    if (user := _word(raw.get("userId"))) is not None:
        return user
    anonymous = _word(raw.get("anonymousId"))
    return None if anonymous is None else anonymous_customer(anonymous)


def _word(given: object) -> str | None:
    """A text or a number as text that a column can hold; None for anything else."""
    if isinstance(given, float) and given.is_integer():
        given = int(given)  # as ids are read
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return None
    return keepable_text(str(given)[:_LONGEST_WORD]) or None


def _payload(raw: object) -> str:
    """Its JSON, cut; without the key that some SDKs put there."""
    if raw is None:
        return ""
    if isinstance(raw, Mapping):
        raw = {name: held for name, held in raw.items() if name != "writeKey"}
    text = ""
    with suppress(RecursionError):  # nested deeper than anyone writes: the beginning tells
        for part in _ENCODER.iterencode(raw):
            text += part
            if len(text) >= LONGEST_PAYLOAD:
                break
    return keepable_text(text[:LONGEST_PAYLOAD])

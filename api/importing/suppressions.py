"""Suppressions from a file: addresses that nothing may be sent to, whosever they are.

Decides what an address may look like, by its channel. The one surprising fact: an address
that is suppressed already keeps its first reason, so no import overwrites what a bounce said.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from api.importing.rows import (
    ERASED,
    Refusal,
    Row,
    RowCode,
    RowError,
    Taken,
    one_of,
    only,
    text_of,
    time_of,
)
from authoring.policy_file import CHANNELS
from engine.addresses import valid_email
from store import suppressions
from store.erasures import erased_among
from store.tables import Suppression

COLUMNS = ("channel", "address", "reason", "at")
_SOURCE = "import"
_REASON = "imported"  # where a row gives none

# E.164: at most 15 digits with the country's; no country's numbers have fewer than seven.
_PHONE = re.compile(r"\+[0-9]{7,15}")
_BETWEEN_DIGITS = re.compile(r"[\s().\-/]")

# As long as an e-mail address may be; a postal address is a few lines.
_LONGEST_ADDRESS = 1000


class SuppressionImport:
    """Takes rows of suppressions; `now` is when the import began."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    async def look_ahead(self, session: AsyncSession, rows: Sequence[Row]) -> None:
        """Nothing has to be known before."""

    async def take(self, session: AsyncSession, rows: Sequence[Row]) -> Taken:
        """Suppress them in this transaction."""
        refused: list[Refusal] = []
        read: list[tuple[Row, Suppression]] = []
        for row in rows:
            try:
                read.append((row, _suppression(row, self._now)))
            except RowError as error:
                refused.append(error.of(row))
        erased = await erased_among(
            session,
            (),
            {each.address for _, each in read if each.channel == "email"},
            {each.address for _, each in read if each.channel == "sms"},
        )
        refused += [
            Refusal(row.line, RowCode.ERASED, f"`{each.address}` {ERASED}", row.values)
            for row, each in read
            if each.address in erased
        ]
        taken = [each for _, each in read if each.address not in erased]
        added = await suppressions.add_all(session, taken)
        new = tuple(sorted(f"{channel}:{address}" for channel, address in added))
        return Taken(new, len(taken) - len(new), tuple(refused))


def _suppression(row: Row, now: datetime) -> Suppression:
    only(row, COLUMNS)
    channel = one_of(row, "channel", CHANNELS, RowCode.UNKNOWN_CHANNEL)
    return Suppression(
        channel=channel,
        address=_address(row, channel),
        reason=text_of(row, "reason") or _REASON,
        at=time_of(row, "at", now) or now,
        source=_SOURCE,
    )


def _address(row: Row, channel: str) -> str:
    address = text_of(row, "address")
    if address is None:
        raise RowError(RowCode.INVALID_ADDRESS, "`address` is missing")
    if channel == "email" and not valid_email(address):
        raise RowError(RowCode.INVALID_ADDRESS, f"`{address}` is not an e-mail address")
    if channel == "sms":
        address = _BETWEEN_DIGITS.sub("", address)
        if not _PHONE.fullmatch(address):
            raise RowError(
                RowCode.INVALID_ADDRESS,
                f"`{address}` is no phone number with its country: write it as `+33612345678`",
            )
    if len(address) > _LONGEST_ADDRESS or not address.isprintable():
        raise RowError(
            RowCode.INVALID_ADDRESS,
            f"`address` may have at most {_LONGEST_ADDRESS} characters, all of them printable",
        )
    return address

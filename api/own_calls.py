"""Calls that Parcours makes itself: traits that a journey's step sets, topics it takes people off.

They are taken in as an app's own are, so that moved dates, other journeys and whoever else
hears of traits and of consent hear of these. Known by their message ids, so once however often
they are carried. The surprising fact: a customer who was erased meanwhile must not come back
by them, so the row that brings them is looked for again once the customer is held.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.exc import DBAPIError

from api.accept import accept_in
from api.courier import Done, Outcome, Trouble
from api.services import Services
from api.taking import Said
from engine.calls import Call, Identify
from engine.consent import withdrawal
from store import outbox
from store.away import is_conflict
from store.tables import OutboxKind, OutboxRow

# Where the ledger says that such a word of consent comes from.
_SAID = Said(source="journey", actor="journey")


class _GoneError(Exception):
    """The customer was erased, and the row with them: nothing of it is written."""


async def take_own(services: Services, row: OutboxRow) -> Outcome:
    """Take in what a row says. Raises what `accept` raises."""
    assert row.id is not None  # it was read
    calls = _calls(row)
    try:
        async with services.database.transaction() as session:
            accepted = await accept_in(session, services, calls, services.now(), _SAID)
            if await outbox.owner(session, row.id) is None:
                raise _GoneError
    except _GoneError:
        return Done("the customer is gone")
    except DBAPIError as error:
        if not is_conflict(error):
            raise
        return Trouble("Conflict: another transaction was writing the same rows")
    services.metrics.accepted(calls, accepted.new)
    if accepted.carried:
        services.woken.set()
    return Done()


def _calls(row: OutboxRow) -> Sequence[Call]:
    said = row.payload
    at, message_id = datetime.fromisoformat(said["at"]), said["message_id"]
    if row.kind is OutboxKind.CONSENT:
        return withdrawal(row.customer_id, at, message_id, said["topics"])
    who = row.customer_id
    return [Identify(customer_id=who, at=at, message_id=message_id, traits=said["traits"])]

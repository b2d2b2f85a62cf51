"""Calls that Parcours makes itself: the traits that a journey's step sets.

They are taken in as an app's `identify` is, so that moved dates, other journeys and whoever
else hears of traits hear of these. Known by their message id, so once however often they are
carried. The surprising fact: a customer who was erased meanwhile must not come back by them,
so the row that brings them is looked for again once the customer is held.
"""

from datetime import datetime

from sqlalchemy.exc import DBAPIError

from api.accept import accept_in
from api.courier import Done, Outcome, Trouble
from api.services import Services
from engine.calls import Identify
from store import outbox
from store.away import is_conflict
from store.tables import OutboxRow


class _GoneError(Exception):
    """The customer was erased, and the row with them: nothing of it is written."""


async def take_identify(services: Services, row: OutboxRow) -> Outcome:
    """Take in the traits of a row. Raises what `accept` raises."""
    assert row.id is not None  # it was read
    call = Identify(
        customer_id=row.customer_id,
        at=datetime.fromisoformat(row.payload["at"]),
        message_id=row.payload["message_id"],
        traits=row.payload["traits"],
    )
    try:
        async with services.database.transaction() as session:
            accepted = await accept_in(session, services, [call], services.now())
            if await outbox.owner(session, row.id) is None:
                raise _GoneError
    except _GoneError:
        return Done("the customer is gone")
    except DBAPIError as error:
        if not is_conflict(error):
            raise
        return Trouble("Conflict: another transaction was writing the same rows")
    services.metrics.accepted([call], accepted.new)
    if accepted.carried:
        services.woken.set()
    return Done()

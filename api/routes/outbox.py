"""The outbox: what Temporal has yet to hear, and what was put aside for a person."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import actor_of
from api.event_replies import OutboxReply, OutboxRowsReply
from api.fields import RowNumber
from api.given import Given, Supporter, SupportRoute
from api.parked import try_again
from api.schemas import SUPPORT_RESPONSES, refusals
from store import outbox

router = APIRouter(
    tags=["Looking in"],
    prefix="/v1/outbox",
    route_class=SupportRoute,
    responses=SUPPORT_RESPONSES,
)

_MOST = 500  # as of events


@router.get("")
async def list_rows(
    services: Given,
    key: Supporter,
    parked: Annotated[
        bool, Query(description="What was put aside; false: what waits for its turn.")
    ] = True,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
) -> OutboxRowsReply:
    """What Temporal has not heard, oldest first."""
    async with services.database.reading() as session:
        found = await (outbox.parked if parked else outbox.waiting)(session, limit)
    return OutboxRowsReply(rows=[OutboxReply.of(row) for row in found])


@router.post("/{row_id}/retry", responses=refusals(404, 409))
async def retry(row_id: RowNumber, services: Given, key: Supporter) -> OutboxReply:
    """Have a row that was put aside tried again; noted in the audit log."""
    return OutboxReply.of(await try_again(services, row_id, actor_of(key)))

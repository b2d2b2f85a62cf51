"""Looking in: the last events, what each of them did, and each refused one with the reason."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.event_list import Wanted, event_list
from api.event_replies import EventsReply
from api.fields import Instant, QueryText
from api.given import Given, Supporter, SupportRoute
from api.schemas import SUPPORT_RESPONSES
from store.tables import EventKind

router = APIRouter(
    tags=["Looking in"],
    prefix="/v1",
    route_class=SupportRoute,
    responses=SUPPORT_RESPONSES,
)

# As of enrollments: more than anybody reads at once.
_MOST = 500


@router.get("/events")
async def list_events(
    services: Given,
    key: Supporter,
    customer: Annotated[
        QueryText | None, Query(description="Any id they have or had, an `anonymousId` too.")
    ] = None,
    name: Annotated[QueryText | None, Query(description="The event's name.")] = None,
    kind: Annotated[EventKind | None, Query(description="The Segment call.")] = None,
    rejected: Annotated[
        bool | None, Query(description="True: only those that were refused; false: none of them.")
    ] = None,
    since: Annotated[
        Instant | None, Query(description="Received then or later, in journey time.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
    cursor: Annotated[
        QueryText | None,
        Query(description="`next_cursor` of the answer before."),
    ] = None,
) -> EventsReply:
    """The last events as they were received, newest first: what each did, or why it did nothing.

    Those that were refused are among them for 30 days, the newest ones of each key.
    """
    wanted = Wanted.by(customer=customer, name=name, kind=kind, rejected=rejected, since=since)
    return await event_list(services, wanted, limit, cursor)

"""The pages that let a person look in: events as they arrive, and the outbox.

The one surprising fact: the live page is the ordinary one, whose list a small script asks
for again every second. What it gets is the same HTML, or nothing while nothing has changed.
"""

import hashlib
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from api.event_list import Wanted, event_list
from api.event_replies import Heard
from api.fields import QueryText
from api.given import Given
from api.services import Services
from api.showing import LIVE_SCRIPT, page, part
from api.visiting import Visitor
from store import outbox
from store.tables import EventKind

router = APIRouter(include_in_schema=False)

# What a person looks through without filtering further, and a browser replaces every second.
_PER_PAGE = 50

# Of the outbox; who has more of them has one cause for all.
_MOST_ROWS = 100

_OUTCOMES = {"accepted": False, "refused": True}

_IN_TEMPORAL = {
    Heard.CARRIED: "Temporal has heard",
    Heard.WAITING: "Temporal has yet to hear",
    Heard.PARKED: "put aside",
}


class _Chosen:
    """The filters, as the address has them; what makes no sense filters nothing."""

    def __init__(
        self,
        customer: QueryText = "",
        name: QueryText = "",
        kind: QueryText = "",
        outcome: QueryText = "",
        live: Annotated[str, Query(description="`off`: the page stays as it is.")] = "",
    ) -> None:
        self.wanted = Wanted.by(
            customer=customer,
            name=name,
            kind=EventKind(kind) if kind in list(EventKind) else None,
            rejected=_OUTCOMES.get(outcome),
        )
        self.given = {
            "customer": customer,
            "name": name,
            "kind": kind,
            "outcome": outcome,
            "live": live,
        }
        self.is_live = live != "off"

    def address(self, path: str, **more: str) -> str:
        """Of the page that shows this, with some of it otherwise; what is empty is left out."""
        said = {name: text for name, text in {**self.given, **more}.items() if text}
        return f"{path}?{urlencode(said)}" if said else path


Chosen = Annotated[_Chosen, Depends(_Chosen)]


@router.get("/assets/live.js")
async def script() -> Response:
    """The one script; it is no secret."""
    return Response(
        LIVE_SCRIPT, media_type="text/javascript", headers={"Cache-Control": "max-age=300"}
    )


@router.get("/events")
async def events(
    services: Given, visitor: Visitor, chosen: Chosen, cursor: QueryText | None = None
) -> HTMLResponse:
    """The last events, live unless paused; further back, as they are."""
    is_live = chosen.is_live and cursor is None
    rows = await _rows(services, chosen, cursor)
    return page(
        "events.html",
        is_live=is_live,
        rows=rows,
        version=_version(rows),
        cursor=cursor,
        chosen=chosen,
        kinds=list(EventKind),
        outcomes=list(_OUTCOMES),
    )


@router.get("/events/rows")
async def rows(request: Request, services: Given, visitor: Visitor, chosen: Chosen) -> Response:
    """The list alone; 304 while it is the one that the browser has (RFC 9110, section 13.1.2)."""
    text = await _rows(services, chosen, None)
    headers = {"ETag": _version(text), "Cache-Control": "no-store"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(text, headers=headers)


@router.get("/outbox")
async def outbox_page(services: Given, visitor: Visitor) -> HTMLResponse:
    """What Temporal has yet to hear, and what was put aside with its reason."""
    async with services.database.reading() as session:
        return page(
            "outbox.html",
            backlog=await outbox.backlog(session),
            parked=await outbox.parked(session, _MOST_ROWS),
            waiting=await outbox.waiting(session, _MOST_ROWS),
        )


async def _rows(services: Services, chosen: _Chosen, cursor: str | None) -> str:
    found = await event_list(services, chosen.wanted, _PER_PAGE, cursor)
    known: dict[str, Any] = {
        "events": found.events,
        "older": found.next_cursor,
        "chosen": chosen,
        "in_temporal": _IN_TEMPORAL,
        "is_live": chosen.is_live and cursor is None,
    }
    return part("event_rows.html", **known)


def _version(text: str) -> str:
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'

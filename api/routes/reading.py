"""Followed links and opened mails: where a message's own links lead by way of us.

The reader is sent on at once, whatever we can or may keep of it. A link leads only where its
signature says, so nobody can use us to disguise an address of theirs. The surprising fact:
whether anything is kept is asked when the link is followed, not only when it was made: who has
said no since is not observed any more.
"""

import asyncio
import base64
import hashlib
from datetime import datetime, timedelta

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.callbacks.report import MessageNotYetKnownError, Report, ReportKind
from api.callbacks.taking import take_report
from api.given import Given
from api.link_pages import links_of, not_a_link
from api.schemas import LINK_RESPONSES
from api.services import Services
from engine.machines import is_machine
from engine.purposes import may_track_clicks, may_track_opens
from rendering.links import BadLinkError
from store import consents, journeys, messages
from store.away import AWAY_ERRORS, is_away
from store.tables import Message

router = APIRouter(tags=["Links in messages"])

_log = structlog.get_logger("parcours.api")

PROVIDER = "parcours"  # of the reports made here

# A reader waits for nobody: if it can't be kept within this time it is not kept.
_PATIENCE = timedelta(seconds=2)

# Two presses of one button are one click.
_ONE_CLICK = timedelta(seconds=10)

# The smallest there is: one transparent pixel (GIF89a).
_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

# The store is away, or too slow for somebody who waits.
_NOT_NOW: tuple[type[Exception], ...] = (TimeoutError, *AWAY_ERRORS)

_HEADERS = {
    "Cache-Control": "no-store",  # else the second click is the browser's own
    "X-Robots-Tag": "noindex, nofollow",
    # The token names a message; where it leads needs not know.
    "Referrer-Policy": "no-referrer",
}


@router.head("/c/{token}", include_in_schema=False)
@router.get(
    "/c/{token}",
    response_class=HTMLResponse,
    status_code=302,
    responses={302: {"description": "Where the link leads."}, **LINK_RESPONSES},
)
async def follow(token: str, request: Request, services: Given) -> Response:
    """Send the reader on, and keep that the link was followed, where that may be kept."""
    try:
        link = links_of(services).click(token)
    except BadLinkError:
        return not_a_link()
    await _keep(services, request, link.message_key, ReportKind.CLICKED, link.url)
    return RedirectResponse(link.url, status_code=302, headers=_HEADERS)


@router.head("/o/{token}", include_in_schema=False)
@router.get(
    "/o/{token}",
    response_class=Response,
    responses={
        200: {"description": "A picture of one pixel.", "content": {"image/gif": {}}},
        503: LINK_RESPONSES[503],
    },
)
async def pixel(token: str, request: Request, services: Given) -> Response:
    """A picture of one pixel; keep that the mail was opened, where that may be kept."""
    try:
        link = links_of(services).open(token)
    except BadLinkError:
        pass  # a picture, all the same
    else:
        await _keep(services, request, link.message_key, ReportKind.OPENED, None)
    return Response(_PIXEL, media_type="image/gif", headers=_HEADERS)


async def _keep(
    services: Services, request: Request, message_key: str, kind: ReportKind, url: str | None
) -> None:
    """Keep it if it may be; never to the reader's cost."""
    try:
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            row = await _observed(services, message_key, kind)
            if row is None:
                return
            now = services.wall()
            program = is_machine(request.method, request.headers, row.sent_at, now)
            who = "machine" if program else "reader"
            report = Report(
                provider=PROVIDER,
                id=f"{kind}:{message_key}:{who}{_which(url, now)}",
                kind=kind,
                at=now,
                channel=row.channel or "",
                message_key=message_key,
                is_machine=program,
                url=url,
            )
            await take_report(services, report)
    except MessageNotYetKnownError:
        pass  # its customer was erased while the link was followed
    except _NOT_NOW as error:
        why = "a reader was sent on, and it is not kept"
        if isinstance(error, TimeoutError) or is_away(error):
            _log.warning(why, error=type(error).__name__)
        else:  # a statement of ours that is wrong, which is no reason to keep a reader either
            _log.exception(why)


def _which(url: str | None, now: datetime) -> str:
    """Which of the message's clicks it is; there is one opening."""
    if url is None:
        return ""
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    return f":{digest}:{int(now.timestamp() // _ONE_CLICK.total_seconds())}"


async def _observed(services: Services, message_key: str, kind: ReportKind) -> Message | None:
    """The message, if it may be kept that this happened to it."""
    async with services.database.reading() as session:
        row = await messages.get_by_key(session, message_key)
        published = await journeys.newest_publication(session)
        if row is None or published is None or row.transactional:
            return None
        said = await consents.of_customer(session, row.customer_id)
    may = may_track_clicks if kind is ReportKind.CLICKED else may_track_opens
    return row if may(published.policy, row.topic, said) else None

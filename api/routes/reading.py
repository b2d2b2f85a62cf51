"""Followed links and opened mails: where a message's own links lead by way of us.

The reader is sent on at once, whatever we can or may keep of it. A link leads only where its
signature says, so nobody can use us to disguise an address of theirs. The surprising fact: a
program that follows every link is sent on like a reader, and what it did is kept as a program's.
"""

import asyncio
import base64
from datetime import timedelta
from functools import partial

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.callbacks.report import MessageNotYetKnownError, ReportKind
from api.given import Given
from api.link_pages import links_of, not_a_link
from api.reading import keep_reading
from api.schemas import LINK_RESPONSES
from api.services import Services
from engine.machines import is_machine
from rendering.links import BadLinkError
from store.away import AWAY_ERRORS, is_away

router = APIRouter(tags=["Links in messages"])

_log = structlog.get_logger("parcours.api")

# A reader waits for nobody: if it can't be kept within this time it is not kept.
_PATIENCE = timedelta(seconds=2)

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
            program = partial(is_machine, request.method, request.headers)
            await keep_reading(services, message_key, kind, url, program)
    except MessageNotYetKnownError:
        pass  # its customer was erased while the link was followed
    except _NOT_NOW as error:
        why = "a reader was sent on, and it is not kept"
        if isinstance(error, TimeoutError) or is_away(error):
            _log.warning(why, error=type(error).__name__)
        else:  # a statement of ours that is wrong, which is no reason to keep a reader either
            _log.exception(why)

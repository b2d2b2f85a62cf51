"""Plain pages for people: the mailbox, the enrollments, and the documentation of the API.

The pages only show; whatever changes something is the API's, which takes no cookies.
"""

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from api.captured import shown_of
from api.documentation import described, operations
from api.errors import NotFoundError
from api.fields import PageNumber, PathText, QueryText, RowNumber
from api.given import Given
from api.looking import enrollment_detail
from api.services import Services
from api.showing import MAIL_HEADERS, STYLE, page
from api.visiting import Visitor
from store import enrollments, mailbox, messages
from store.enrollments import Filter
from store.mailbox import channel_of
from store.tables import EnrollmentState, MailboxMail

router = APIRouter(include_in_schema=False)

_PER_PAGE = 50

_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)


@router.get("/")
async def home(visitor: Visitor) -> Response:
    """Where a person begins."""
    return RedirectResponse("/enrollments", 303)


@router.get("/assets/parcours.css")
async def style() -> Response:
    """The one style sheet; it is no secret."""
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "max-age=300"})


@router.get("/mailbox")
async def mails(
    services: Given, visitor: Visitor, customer: QueryText | None = None, number: PageNumber = 1
) -> HTMLResponse:
    """The messages that were captured, newest first."""
    async with services.database.reading() as session:
        rows = await mailbox.newest(
            session,
            customer_id=customer or None,
            limit=_PER_PAGE + 1,
            offset=(number - 1) * _PER_PAGE,
        )
        total = await mailbox.count(session)
    return page(
        "mailbox.html",
        mails=[(row, channel_of(row)) for row in rows[:_PER_PAGE]],
        total=total,
        customer=customer or "",
        number=number,
        has_more=len(rows) > _PER_PAGE,
    )


@router.get("/mailbox/{mail_id}")
async def mail(mail_id: RowNumber, services: Given, visitor: Visitor) -> HTMLResponse:
    """One message, and the decision it came from."""
    row = await _mail(services, mail_id)
    async with services.database.reading() as session:
        decision = await messages.get_by_key(session, row.key)
    shown = shown_of(row)
    return page(
        "mail.html",
        mail=row,
        channel=channel_of(row),
        headers=shown.headers,
        text=shown.text,
        has_html=shown.html is not None,
        decision=decision,
    )


@router.get("/mailbox/{mail_id}/html")
async def mail_html(mail_id: RowNumber, services: Given, visitor: Visitor) -> HTMLResponse:
    """The message's own HTML, for the frame it is shown in."""
    html = shown_of(await _mail(services, mail_id)).html
    if html is None:
        raise NotFoundError("this message has no HTML")
    # Links open in a tab of their own: the frame may not leave its page.
    shown = _HEAD.sub(lambda found: f'{found[0]}<base target="_blank">', html, 1)
    return HTMLResponse(shown, headers=MAIL_HEADERS)


@router.get("/enrollments")
async def enrollment_list(
    services: Given,
    visitor: Visitor,
    journey: QueryText = "",
    customer: QueryText = "",
    state: QueryText = "",
    number: PageNumber = 1,
) -> HTMLResponse:
    """Who is or was in which journey, and what comes next."""
    which = Filter(
        journey=journey or None,
        customer_id=customer or None,
        state=EnrollmentState(state) if state in list(EnrollmentState) else None,
    )
    async with services.database.reading() as session:
        rows = await enrollments.found(session, which, _PER_PAGE + 1, (number - 1) * _PER_PAGE)
        counts = await enrollments.counts(session)
    return page(
        "enrollments.html",
        rows=rows[:_PER_PAGE],
        journeys=sorted({name for name, _ in counts}),
        states=list(EnrollmentState),
        counts=counts,
        chosen={"journey": journey, "customer": customer, "state": state},
        number=number,
        has_more=len(rows) > _PER_PAGE,
        now=services.now(),
    )


@router.get("/enrollments/{enrollment_id}")
async def enrollment(enrollment_id: PathText, services: Given, visitor: Visitor) -> HTMLResponse:
    """One enrollment with every decision and its reason."""
    detail = await enrollment_detail(services, enrollment_id)
    keys = {each.key for each in detail.messages}
    async with services.database.reading() as session:
        found = [await mailbox.by_key(session, key) for key in sorted(keys)]
    return page(
        "enrollment.html",
        enrollment=detail,
        mail_ids={each.key: each.id for each in found if each is not None},
        now=services.now(),
    )


@router.get("/docs")
async def docs(request: Request, visitor: Visitor) -> HTMLResponse:
    """The API, as it describes itself."""
    schema = described(request.app.openapi())
    return page("docs.html", info=schema["info"], groups=operations(schema))


@router.get("/openapi.json")
async def openapi(request: Request, visitor: Visitor) -> Response:
    """The same for programs."""
    return JSONResponse(described(request.app.openapi()))


async def _mail(services: Services, mail_id: int) -> MailboxMail:
    async with services.database.reading() as session:
        row = await mailbox.get(session, mail_id)
    if row is None:
        raise NotFoundError(f"there is no mail {mail_id}")
    return row

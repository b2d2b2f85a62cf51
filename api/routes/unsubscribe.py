"""The unsubscribe page, `/u/…`. Looking changes nothing, posting acts; without a key or a login.

Scanners fetch every link in a mail, so GET and HEAD only show a page with a button. POST
acts at once, as RFC 8058 (section 3.1) asks of one-click unsubscribing: no cookie, no
redirect, whatever the body. The one surprising fact: the page that says it is done offers to
take it back, and only what its own form sends does that; a body that says one-click as well
unsubscribes.
"""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.given import Given
from api.link_pages import Reader, Word, form_of, links_of, not_a_link, reader_of, show, write_down
from api.schemas import LINK_BODY_RESPONSES, LINK_RESPONSES, UNSUBSCRIBE_BODY
from api.services import Services
from engine.choices import Change, to_give_back
from rendering.links import BadLinkError

router = APIRouter(tags=["Links in messages"], prefix="/u")

_ONE_CLICK = (b"List-Unsubscribe", b"One-Click")


@dataclass(frozen=True)
class _Scope:
    """What is left: a topic with its title, or with None everything."""

    topic: str | None
    title: str | None

    def say(self, one: str, everything: str) -> str:
        return everything if self.title is None else one.format(topic=self.title)


@router.head("/{token}", include_in_schema=False)
@router.get("/{token}", response_class=HTMLResponse, responses=LINK_RESPONSES)
async def ask_to_unsubscribe(token: str, services: Given) -> HTMLResponse:
    """A page that asks; nothing changes."""
    try:
        link = links_of(services).unsubscribe(token)
    except BadLinkError:
        return not_a_link()
    reader = await reader_of(services, link.customer_id)
    scope = _scope(reader, link.topic)
    words = reader.words.unsubscribe
    return _page(reader, scope, lead=scope.say(words.question, words.question_all), asks=True)


@router.post(
    "/{token}",
    response_class=HTMLResponse,
    responses={**LINK_RESPONSES, **LINK_BODY_RESPONSES},
    openapi_extra=UNSUBSCRIBE_BODY,
)
async def unsubscribe(token: str, request: Request, services: Given) -> HTMLResponse:
    """Unsubscribe from the topic, or with `all=yes` in the form from everything.

    With `again=yes` that is taken back, which is a consent of its own.
    """
    try:
        link = links_of(services).unsubscribe(token)
    except BadLinkError:
        return not_a_link()
    now = services.now()
    form = await form_of(request)
    is_one_click = await _is_one_click(request)
    reader = await reader_of(services, link.customer_id)
    scope = _scope(reader, None if form.get("all") == ["yes"] else link.topic)
    if form.get("again") == ["yes"] and not is_one_click:
        return await _take_back(services, request, reader, scope, now)
    words = reader.words.unsubscribe
    if reader.customer is not None:  # one who was erased is told the same, and gets nothing either
        change = Change(scope.topic, None, subscribed=False)
        label = None if is_one_click else scope.say(words.button, words.button_all)
        source = "one-click" if is_one_click else "link"
        word = [Word(change, label)]
        await write_down(services, reader.customer, word, now, source=source, request=request)
        reader = await reader_of(services, reader.customer.id)
    offers = bool(_given_back(reader, scope))
    return _page(reader, scope, lead=scope.say(words.done, words.done_all), offers=offers)


async def _take_back(
    services: Services, request: Request, reader: Reader, scope: _Scope, now: datetime
) -> HTMLResponse:
    """It was a mistake: give them what they had, as far as they just left it."""
    words = reader.words.unsubscribe
    back = _given_back(reader, scope)
    if not back or reader.customer is None:
        return _page(reader, scope, lead=reader.words.preferences.nothing_changed)
    label = scope.say(words.again, words.again_all)
    said = [Word(each, label) for each in back]
    await write_down(services, reader.customer, said, now, source="link", request=request)
    return _page(reader, scope, lead=scope.say(words.back, words.back_all))


async def _is_one_click(request: Request) -> bool:
    """Whether a mail program's own button sent it, in either form that it may have."""
    body = await request.body()
    return all(each in body for each in _ONE_CLICK)


def _scope(reader: Reader, topic: str | None) -> _Scope:
    return _Scope(topic, None if topic is None else reader.title_of(topic))


def _given_back(reader: Reader, scope: _Scope) -> list[Change]:
    return to_give_back(reader.policy, reader.said, scope.topic) if reader.policy else []


def _page(
    reader: Reader, scope: _Scope, *, lead: str, asks: bool = False, offers: bool = False
) -> HTMLResponse:
    words = reader.words.unsubscribe
    return show(
        "unsubscribe.html",
        reader,
        lead=lead,
        leave=scope.say(words.button, words.button_all) if asks else None,
        leave_all=words.button_all if asks and scope.topic is not None else None,
        again=scope.say(words.again, words.again_all) if offers else None,
        is_all=scope.topic is None,
    )

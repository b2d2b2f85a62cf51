"""The links in messages. Looking changes nothing, posting acts; without a key or a login.

Scanners fetch every link in a mail, so GET and HEAD only show a page with a button. POST
acts at once, as RFC 8058 (section 3.1) asks of one-click unsubscribing: no cookie, no
redirect, whatever the body.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.accept import accept
from api.given import Given
from api.schemas import LINK_BODY, LINK_BODY_RESPONSES, LINK_RESPONSES
from api.services import Services
from api.showing import page
from api.taking import Said
from api.words import UnsubscribeWords, unsubscribe_words
from engine.calls import ChangeConsent
from rendering.links import BadLinkError, Links, Unsubscribe
from store import customers, journeys
from store.tables import Customer

router = APIRouter(tags=["Links in messages"], prefix="/u")

_ONE_CLICK = "List-Unsubscribe=One-Click"


@dataclass(frozen=True)
class _Link:
    """What a link says, whose it is (None: erased), in what words, and the topic's title."""

    what: Unsubscribe
    customer: Customer | None
    words: UnsubscribeWords
    title: str | None


@router.head("/{token}", include_in_schema=False)
@router.get("/{token}", response_class=HTMLResponse, responses=LINK_RESPONSES)
async def ask(token: str, services: Given) -> HTMLResponse:
    """A page that asks; nothing changes."""
    link = await _opened(services, token)
    if link is None:
        return _not_a_link()
    words, title = link.words, link.title
    return _page(words, question=_of_topic(words.question, words.question_all, title), title=title)


@router.post(
    "/{token}",
    response_class=HTMLResponse,
    responses={**LINK_RESPONSES, **LINK_BODY_RESPONSES},
    openapi_extra=LINK_BODY,
)
async def unsubscribe(token: str, request: Request, services: Given) -> HTMLResponse:
    """Unsubscribe the customer from the topic, or with `all=yes` in the form from everything."""
    link = await _opened(services, token)
    if link is None:
        return _not_a_link()
    body = (await request.body()).decode("utf-8", "replace")
    title = None if parse_qs(body).get("all") == ["yes"] else link.title
    words = link.words
    if link.customer is not None:  # one who was erased is told the same, and gets nothing either
        is_one_click = _ONE_CLICK in body
        said = Said(
            source="one-click" if is_one_click else "link",
            wording=None if is_one_click else _of_topic(words.button, words.button_all, title),
        )
        await _withdraw(services, link.what, None if title is None else link.what.topic, said)
    return _page(words, done=_of_topic(words.done, words.done_all, title))


async def _withdraw(services: Services, what: Unsubscribe, topic: str | None, said: Said) -> None:
    now = services.now()
    call = ChangeConsent(
        customer_id=what.customer_id,
        at=now,
        message_id=f"unsubscribe-{uuid4()}",
        topic=topic,
        channel=None,
        subscribed=False,
    )
    await accept(services, [call], now, said)


async def _opened(services: Services, token: str) -> _Link | None:
    settings = services.settings
    try:
        what = Links(settings.public_url, settings.link_keys).unsubscribe(token)
    except BadLinkError:
        return None
    async with services.database.reading() as session:
        customer = await customers.get(session, what.customer_id)
        published = await journeys.newest_publication(session)
    policy = published.policy if published is not None else None
    words = unsubscribe_words(customer, policy.locale if policy is not None else None)
    topic = policy.topics.get(what.topic or "") if policy is not None else None
    return _Link(what, customer, words, topic.title if topic is not None else what.topic)


def _not_a_link() -> HTMLResponse:
    words = unsubscribe_words(None, None)
    return _page(words, status=404, done=words.gone)


def _of_topic(one: str, everything: str, title: str | None) -> str:
    return everything if title is None else one.format(topic=title)


def _page(words: UnsubscribeWords, status: int = 200, **known: Any) -> HTMLResponse:
    shown = {"question": None, "title": None, "done": None, **known}
    return page("unsubscribe.html", status=status, words=words, **shown)

"""The page that confirms a subscription (double opt-in), `/s/…`. Looking changes nothing.

A button subscribes, for scanners follow every link and must not confirm anything. The one
surprising fact: the link never runs out, but what it confirms does. It acts only while the
last that the customer said of it is that they ask for it; who has left since is not brought
back by an old mail.
"""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.given import Given
from api.link_pages import Reader, Word, links_of, not_a_link, reader_of, show, write_down
from api.schemas import CONFIRM_BODY, LINK_BODY_RESPONSES, LINK_RESPONSES
from engine.choices import Asked, Change, newest_word
from engine.consent import ConsentState
from rendering.links import BadLinkError

router = APIRouter(tags=["Links in messages"], prefix="/s")


@router.head("/{token}", include_in_schema=False)
@router.get("/{token}", response_class=HTMLResponse, responses=LINK_RESPONSES)
async def ask_to_confirm(token: str, services: Given) -> HTMLResponse:
    """A page that asks; nothing changes."""
    try:
        link = links_of(services).confirm(token)
    except BadLinkError:
        return not_a_link()
    reader = await reader_of(services, link.customer_id)
    asked = Asked(link.topic, link.channel)
    if not _is_pending(reader, asked):
        return _page(reader, lead=_as_it_is(reader, asked))
    words = reader.words.confirm
    question = words.question if asked.channel is None else words.question_by
    return _page(reader, lead=_of(reader, asked, question), button=_button(reader, asked))


@router.post(
    "/{token}",
    response_class=HTMLResponse,
    responses={**LINK_RESPONSES, **LINK_BODY_RESPONSES},
    openapi_extra=CONFIRM_BODY,
)
async def confirm(token: str, request: Request, services: Given) -> HTMLResponse:
    """Subscribe the customer to what they asked for, if they still do."""
    try:
        link = links_of(services).confirm(token)
    except BadLinkError:
        return not_a_link()
    now = services.now()  # before anything is read: whoever leaves meanwhile has left after this
    await request.body()
    reader = await reader_of(services, link.customer_id)
    asked = Asked(link.topic, link.channel)
    if reader.customer is None or not _is_pending(reader, asked):
        return _page(reader, lead=_as_it_is(reader, asked))
    word = Word(Change(asked.topic, asked.channel, subscribed=True), _button(reader, asked))
    await write_down(services, reader.customer, [word], now, source="confirm", request=request)
    return _page(reader, lead=_of(reader, asked, reader.words.confirm.done))


def _is_pending(reader: Reader, asked: Asked) -> bool:
    return newest_word(reader.said, asked) is ConsentState.PENDING


def _as_it_is(reader: Reader, asked: Asked) -> str:
    """Why there is nothing to confirm."""
    if reader.customer is None:
        return reader.words.nobody
    words = reader.words.confirm
    is_subscribed = newest_word(reader.said, asked) is ConsentState.SUBSCRIBED
    return _of(reader, asked, words.already if is_subscribed else words.over)


def _button(reader: Reader, asked: Asked) -> str:
    words = reader.words.confirm
    return _of(reader, asked, words.button if asked.channel is None else words.button_by)


def _of(reader: Reader, asked: Asked, text: str) -> str:
    channel = reader.words.preferences.channels.get(asked.channel or "", "")
    in_a_sentence = channel[:1].lower() + channel[1:]
    return text.format(topic=reader.title_of(asked.topic), channel=in_a_sentence)


def _page(reader: Reader, *, lead: str, button: str | None = None) -> HTMLResponse:
    return show("confirm.html", reader, lead=lead, button=button)

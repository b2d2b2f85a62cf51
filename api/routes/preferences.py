"""The preference page, `/p/…`: what a customer receives, by which channel, and what is observed.

Without a key, a login or a script. Looking changes nothing; saving writes down what changed,
in one transaction, and shows the page as it then is. What a tick means is for
`engine.choices` to say. The one surprising fact: a form that does not say which boxes it
showed changes nothing, so a program that posts to every link empties no one's choices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.given import Given
from api.link_pages import Reader, Word, form_of, links_of, not_a_link, reader_of, show, write_down
from api.schemas import LINK_BODY_RESPONSES, LINK_RESPONSES, PREFERENCES_BODY
from api.services import Services
from engine.choices import (
    CHANNELS,
    Change,
    Choice,
    Form,
    changes,
    topic_choices,
    tracking_choices,
)
from engine.reached import reached, written_e164
from rendering.links import BadLinkError
from rendering.sources import MessageSource
from store.journeys import Published
from store.tables import Customer

router = APIRouter(tags=["Links in messages"], prefix="/p")


@dataclass(frozen=True)
class _Box:
    """A box as it is shown: `label` stands beside it, and below its group's title."""

    choice: Choice
    label: str
    about: str | None = None


@dataclass(frozen=True)
class _Group:
    """Boxes below one title."""

    title: str
    about: str | None
    boxes: Sequence[_Box]


@dataclass(frozen=True)
class _Saved:
    """What was saved, told to the customer. Nothing told: nothing was changed."""

    told: Sequence[str]


@router.head("/{token}", include_in_schema=False)
@router.get("/{token}", response_class=HTMLResponse, responses=LINK_RESPONSES)
async def show_preferences(token: str, services: Given) -> HTMLResponse:
    """The page; nothing changes."""
    try:
        link = links_of(services).preferences(token)
    except BadLinkError:
        return not_a_link()
    return _page(await reader_of(services, link.customer_id))


@router.post(
    "/{token}",
    response_class=HTMLResponse,
    responses={**LINK_RESPONSES, **LINK_BODY_RESPONSES},
    openapi_extra=PREFERENCES_BODY,
)
async def save_preferences(token: str, request: Request, services: Given) -> HTMLResponse:
    """Save what was changed, or with `leave=yes` unsubscribe from everything."""
    try:
        link = links_of(services).preferences(token)
    except BadLinkError:
        return not_a_link()
    now = services.now()  # before anything is read: whoever leaves meanwhile has left after this
    form = await form_of(request)
    reader = await reader_of(services, link.customer_id)
    if reader.customer is None:
        return _page(reader)
    if form.get("leave") == ["yes"]:
        return await _leave(services, request, reader, reader.customer, now)
    found = changes(_choices(reader), _form(form))
    words = [Word(each, _label(reader, each)) for each in found]
    await write_down(services, reader.customer, words, now, source="preferences", request=request)
    after = await reader_of(services, reader.customer.id)
    return _page(after, _Saved([_told(reader, each) for each in found]))


async def _leave(
    services: Services, request: Request, reader: Reader, customer: Customer, now: datetime
) -> HTMLResponse:
    said = reader.words.preferences
    word = Word(Change(None, None, subscribed=False), said.leave)
    await write_down(services, customer, [word], now, source="preferences", request=request)
    return _page(await reader_of(services, customer.id), _Saved([said.left]))


def _form(form: dict[str, list[str]]) -> Form:
    shown, was, on = (frozenset(form.get(name, ())) for name in ("shown", "was", "on"))
    return Form(shown=shown, was=was, ticked=on)


def _choices(reader: Reader) -> list[Choice]:
    if reader.policy is None:
        return []
    topics = topic_choices(reader.policy, reader.said, _channels(reader))
    return topics + tracking_choices(reader.policy, reader.said)


def _channels(reader: Reader) -> list[str]:
    """By which they can be reached: we write by it, and know where to.

    A number that nobody can dial is offered as well: it is not for this page to judge.
    """
    traits = reader.customer.traits if reader.customer is not None else {}
    used = _used(reader.published)
    return [
        each
        for each in CHANNELS
        if each in used and reached(traits, each, written_e164) is not None
    ]


def _used(published: Published | None) -> frozenset[str]:
    """The channels that any message may go by."""
    folders = published.messages.values() if published is not None else ()
    sources = (MessageSource.from_dict(each) for folder in folders for each in folder.values())
    return frozenset(channel for source in sources for channel in source.channels)


def _groups(reader: Reader) -> list[_Group]:
    """The topics, each with its channels."""
    policy, words = reader.policy, reader.words.preferences
    if policy is None:
        return []
    found = topic_choices(policy, reader.said, _channels(reader))
    groups: list[_Group] = []
    for name, topic in policy.topics.items():
        boxes = [
            _Box(each, words.channels[each.channel or ""], words.pending if each.pending else None)
            for each in found
            if each.topic == name
        ]
        about = reader.in_words(topic.description) if topic.description is not None else None
        groups.append(_Group(reader.in_words(topic.title), about, boxes))
    return groups


def _tracking(reader: Reader) -> _Group | None:
    words = reader.words.preferences
    found = tracking_choices(reader.policy, reader.said) if reader.policy is not None else []
    boxes = [_Box(each, *words.tracking[each.topic]) for each in found]
    return _Group(words.tracking_title, None, boxes) if boxes else None


def _label(reader: Reader, change: Change) -> str:
    """What a box says: the title it stands below, and what stands beside it."""
    words = reader.words.preferences
    assert change.topic is not None  # only leaving everything has none, and its own button
    if change.topic in words.tracking:
        return words.tracking[change.topic][0]
    title = reader.title_of(change.topic)
    if change.channel is None:
        return title
    return words.label.format(topic=title, channel=words.channels[change.channel])


def _told(reader: Reader, change: Change) -> str:
    words = reader.words.preferences
    text = words.given if change.subscribed else words.withdrawn
    return text.format(what=_label(reader, change))


def _page(reader: Reader, saved: _Saved | None = None) -> HTMLResponse:
    is_known = reader.customer is not None
    return show(
        "preferences.html",
        reader,
        saved=saved,
        is_known=is_known,
        groups=[each for each in _groups(reader) if each.boxes] if is_known else [],
        tracking=_tracking(reader) if is_known else None,
    )

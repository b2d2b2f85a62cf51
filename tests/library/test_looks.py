"""Every message of the library looks finished, on a desktop and on a phone, by day and by night.

Each in both languages, to somebody of whom much is known, with the events that the scenarios
tell, and to somebody of whom nothing is: whose event has only what the journey can't do without.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from authoring.folder import LoadedJourney
from cli.sample_wording import sample_links, sample_offer
from engine.calls import Identify, Track
from engine.definition import Offer, Step
from rendering.card import render_card
from rendering.messages import (
    MessageContext,
    MessageSource,
    render_email,
    spoken_policy,
    spoken_sender,
)
from rendering.sms import render_sms, segments
from tests.library.loaded import LIBRARY
from tests.rendering.looking import blemishes, chromium_page

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
WIDTHS = (600, 375)
LOCALES = ("en", "fr")
MOST_SEGMENTS = 3  # each is paid for; the scenarios' longest links and names take two
PRODUCTS = [
    {
        "name": f"An oak desk, number {number} of Donaudampfschifffahrtsgesellschaft",
        "url": f"https://shop.example/{number}",
        "image_url": f"https://shop.example/{number}.png",
        "price": 12_349.9,
        "quantity": number,
    }
    for number in range(1, 9)
]
PAGES = [
    pytest.param(journey, step, id=f"{name}/{step.id}")
    for name, journey in LIBRARY.journeys.items()
    for step in journey.journey.steps
    if step.messages
]


def pages(journey: LoadedJourney, step: Step) -> Iterator[tuple[str, str]]:
    """Each mail and card that the step may send, by what it is and to whom."""
    for source, offer in _sent(journey, step):
        for locale in LOCALES:
            for who, known in (("somebody", _told(journey)), ("nobody", _certain(journey, step))):
                context = _context(journey, step, locale, known, offer)
                for kind, page in _worded(source, context):
                    yield f"{source.name}, {kind} in {locale} to {who}", page


def _sent(journey: LoadedJourney, step: Step) -> Iterator[tuple[MessageSource, Offer | None]]:
    """The messages of a step, each with the offer that it makes."""
    drawn = tuple((step.variants or {}).values())
    sends: list[tuple[str | None, Offer | None]]
    sends = [(each.send, step.offer_of(each)) for each in drawn] or [(step.send, step.offer)]
    for name, offer in sends:
        assert name is not None
        yield journey.messages[name], offer


def _worded(source: MessageSource, context: MessageContext) -> Iterator[tuple[str, str]]:
    if "email" in source.channels:
        yield "mail", render_email(source, context).html
    if "post" in source.channels:
        yield "card", render_card(source, context)


@dataclass(frozen=True)
class Known:
    """What a message may speak of."""

    customer: dict[str, Any]
    event: dict[str, Any]
    start_event: dict[str, Any]


def _certain(journey: LoadedJourney, step: Step) -> Known:
    """What is there whatever the app leaves out: the key, and the dates that steps count from.

    The event that fires a step may have none of it: without the key, it reaches all.
    """
    start: dict[str, Any] = dict.fromkeys(journey.journey.start_properties, "2027-02-14")
    if journey.journey.key is not None:
        start[journey.journey.key] = "k-1"
    return Known({}, start if step.after_event is None else {}, start)


def _told(journey: LoadedJourney) -> Known:
    """All traits and properties that the journey's scenarios speak of, with some products."""
    traits: dict[str, Any] = {"first_name": "Maximiliane-Alexandra"}
    event: dict[str, Any] = {"topic": "news"}
    for call in (call for scenario in journey.scenarios for call in scenario.calls):
        match call:
            case Identify():
                traits = {**call.traits, **traits}
            case Track():
                event = {**call.properties, **event}
    event = {**event, "products": PRODUCTS, "similar": PRODUCTS}
    return Known(traits, event, event)


def _context(
    journey: LoadedJourney, step: Step, locale: str, known: Known, offer: Offer | None
) -> MessageContext:
    policy, topic = LIBRARY.policy, journey.journey.topic_of(step)
    return MessageContext(
        customer=known.customer,
        event=known.event,
        start_event=known.start_event,
        journey=journey.journey.journey,
        step=step.id,
        sender=spoken_sender(policy.sender),
        policy=spoken_policy(policy),
        links=sample_links(topic),
        offer=sample_offer(offer, NOW, policy.timezone),
        now=NOW,
        locale=locale,
    )


@pytest.mark.parametrize(("journey", "step"), PAGES)
def test_every_message_has_words_for_anybody(journey: LoadedJourney, step: Step) -> None:
    for name, page in pages(journey, step):
        assert len(page) > 500, name
        assert "{{" not in page, name
    stop = LIBRARY.policy.sms.stop_text if journey.journey.topic_of(step) is not None else {}
    for source, offer in _sent(journey, step):
        for locale in LOCALES if "sms" in source.channels else ():
            for known in (_told(journey), _certain(journey, step)):
                text = render_sms(source, _context(journey, step, locale, known, offer), stop)
                assert len(text) > 20
                assert segments(text) <= MOST_SEGMENTS


@pytest.mark.long
async def test_every_message_looks_finished_at_every_width() -> None:
    wrong = []
    async with chromium_page() as browser:
        for each in PAGES:
            journey, step = each.values
            assert isinstance(journey, LoadedJourney)
            assert isinstance(step, Step)
            for name, page in pages(journey, step):
                for width in WIDTHS:
                    found = await blemishes(browser, page, width)
                    wrong += [f"{each.id}: {name}, {width}: {flaw}" for flaw in found]
    assert wrong == []

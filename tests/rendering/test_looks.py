"""Every mail of every journey looks finished, on a desktop and on a phone, by day and by night."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from authoring.folder import load_journeys
from cli.sample_wording import sample_links, sample_offer
from rendering.messages import (
    MessageContext,
    MessageSource,
    render_email,
    spoken_policy,
    spoken_sender,
)
from tests.lint.checkout import ROOT
from tests.rendering.looking import blemishes, chromium_page

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
WIDTHS = (600, 375)
LOADED = load_journeys(ROOT / "journeys")
LAYOUTS = {path.name: path.read_text() for path in (ROOT / "journeys").glob("*.html")}

NOBODY: dict[str, Any] = {}
SOMEBODY = {
    "first_name": "Maximiliane-Alexandra",
    "representative": {
        "name": "Inès Laurent-Vandenberghe",
        "email": "ines.laurent-vandenberghe@lyon.atelier.example",
        "phone": "+33 4 72 55 01 42",
    },
}
BASKET = MessageSource(
    "basket",
    {
        "subject.txt": "Still in your basket",
        "email.html": '{% extends "layout.html" %}{% block content %}<h1>Still here</h1>'
        '{% include "products.html" %}{% endblock %}',
    },
    LAYOUTS,
)
PRODUCTS = [
    {
        "name": f"An oak desk, a chair and number {number} of Donaudampfschifffahrtsgesellschaft",
        "url": f"https://shop.example/{number}",
        "image_url": f"https://shop.example/{number}.png" if number % 2 else "javascript:alert(1)",
        "price": 12_349.9,
        "quantity": number,
    }
    for number in range(50)
]


def mails(*, transactional: bool = True) -> Iterator[tuple[str, str]]:
    """Every mail in each of its languages, for somebody and for somebody unknown, by name."""
    for journey in LOADED.journeys.values():
        for step in journey.journey.steps:
            topic = journey.journey.topic_of(step)
            if topic is None and not transactional:
                continue
            links = sample_links(topic)
            for source in (journey.messages[name] for name in step.messages):
                if "email" in source.channels:
                    offer = sample_offer(step.offer, NOW, "Europe/Paris")
                    for locale in ("en", *source.locales):
                        for who in (SOMEBODY, NOBODY):
                            name = (
                                f"{source.name} in {locale} for {'somebody' if who else 'nobody'}"
                            )
                            yield name, html(source, locale, who, offer=offer, links=links)
    for locale in ("en", "fr"):
        yield f"a basket in {locale}", html(BASKET, locale, NOBODY, event={"products": PRODUCTS})


def html(source: MessageSource, locale: str, customer: dict[str, Any], **given: Any) -> str:
    context = MessageContext(
        customer=customer,
        start_event={},
        journey="example",
        step=source.name,
        sender=spoken_sender(LOADED.policy.sender),
        policy=spoken_policy(LOADED.policy),
        now=NOW,
        locale=locale,
        **{"event": {}, "links": sample_links("onboarding"), **given},
    )
    return render_email(source, context).html


async def test_every_mail_looks_finished_at_every_width() -> None:
    wrong = []
    async with chromium_page() as page:
        for name, mail in mails():
            for width in WIDTHS:
                wrong += [f"{name}, {width}: {each}" for each in await blemishes(page, mail, width)]
    assert wrong == []


async def test_what_looks_wrong_is_found() -> None:
    mail = """<style>@media (prefers-color-scheme: dark) { body { background: #fefefe } }</style>
      <p style="font-size: 12px">Small</p><div style="width: 500px">Wide</div><img src="x.png">
      <p class="button"><a href="#" style="display: block; line-height: 18px">Low</a></p>
      <p style="color: #999">Pale</p><p style="display: none; font-size: 1px">Preheader</p>"""
    async with chromium_page() as page:
        found = await blemishes(page, mail, 375)
    assert [each.partition(":")[2].split(":")[0].strip() for each in found[:5]] == [
        "508 pixels wide",
        "no alt",
        "a link 18 pixels high",
        "text of 12px",
        "a contrast of 2.8",
    ]
    assert len(found) == 10


def test_every_foot_has_its_links_and_the_address() -> None:
    links = sample_links("onboarding")
    needed = [f'href="{link}"' for link in links.values() if link is not None]
    needed.append(LOADED.policy.postal_address)
    for name, mail in mails(transactional=False):
        foot = mail[mail.index('class="footer"') :]
        assert [each for each in needed if each not in foot] == [], name


def test_a_transactional_mail_has_no_link_to_unsubscribe_by_in_its_foot() -> None:
    mail = html(BASKET, "en", NOBODY, links=sample_links(None))
    foot = mail[mail.index('class="footer"') :]
    assert "/u/" not in foot
    assert "/p/" in foot
    assert LOADED.policy.postal_address in foot

"""What the pages behind the links in messages share: whose they are, and how their words are kept.

Looking changes nothing; what a page posts goes through `accept` like all that customers say.
The one surprising fact: a page is shown for a customer who was erased as well. Their link is
in a mail that they still have, and it is answered without writing anything, or it would make
them a customer anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from fastapi import Request
from fastapi.responses import HTMLResponse

from api.accept import accept
from api.given import ip_of
from api.page_words import PageWords, page_words
from api.services import Services
from api.showing import page
from api.taking import Said
from api.words import language_in, locales_of
from engine.calls import Call, ChangeConsent
from engine.choices import Change
from engine.policy import Policy, in_language
from rendering.links import Links, Preferences
from store import consents, customers, journeys
from store.journeys import Published
from store.tables import Consent, Customer


@dataclass(frozen=True)
class Reader:
    """Who followed a link (`customer` None: erased), all they said, what is published."""

    customer: Customer | None
    said: Sequence[Consent]
    published: Published | None
    words: PageWords
    choose: str | None

    @property
    def policy(self) -> Policy | None:
        return self.published.policy if self.published is not None else None

    def title_of(self, topic: str) -> str:
        """What the topic is called in their language; its name if it is there no more."""
        known = self.policy.topics.get(topic) if self.policy is not None else None
        return topic if known is None else self.in_words(known.title)

    def in_words(self, text: str | dict[str, str]) -> str:
        """The text that stands best in a page of this language."""
        language = self.words.language
        theirs = [each for each in locales_of(self.customer) if language_in(each) == language]
        return in_language(text, *theirs, language, self.policy.locale if self.policy else None)


@dataclass(frozen=True)
class Word:
    """A change that a customer makes, and the words beside what they pressed or ticked."""

    change: Change
    wording: str | None


def links_of(services: Services) -> Links:
    """Makes and reads links."""
    return Links(services.settings.public_url, services.settings.link_keys)


async def reader_of(services: Services, customer_id: str) -> Reader:
    """The customer whom the id means now, as things stand."""
    async with services.database.reading() as session:
        customer = await customers.known(session, customer_id)
        said = await consents.of_customer(session, customer.id) if customer is not None else []
        published = await journeys.newest_publication(session)
    choose = None
    if customer is not None:  # relative: a proxy may have put us below a path of its own
        choose = f"../p/{links_of(services).token(Preferences(customer.id))}"
    default = published.policy.locale if published is not None else None
    return Reader(customer, said, published, page_words(customer, default), choose)


async def form_of(request: Request) -> dict[str, list[str]]:
    """The form that a browser sent; whatever else it is says nothing."""
    body = (await request.body()).decode("utf-8", "replace")
    return parse_qs(body)


async def write_down(
    services: Services,
    customer: Customer,
    words: Iterable[Word],
    at: datetime,
    *,
    source: str,
    request: Request,
) -> None:
    """Keep what they said at `at`, all of it or nothing; each word with what they read."""
    calls: list[Call] = []
    sayings: dict[str, Said] = {}
    how = Said(source=source, ip=ip_of(request))
    for word in words:
        message_id = f"{source}-{uuid4()}"
        change = word.change
        calls.append(
            ChangeConsent(
                customer_id=customer.id,
                at=at,
                message_id=message_id,
                topic=change.topic,
                channel=change.channel,
                subscribed=change.subscribed,
                confirmed=change.subscribed,  # who has the link has the mailbox it was sent to
            )
        )
        basis = "consent" if change.subscribed else None
        sayings[message_id] = replace(how, wording=word.wording, basis=basis)
    if calls:
        await accept(services, calls, at, sayings)


def show(template: str, reader: Reader, **known: Any) -> HTMLResponse:
    """A page for this reader."""
    sender = reader.policy.sender.name if reader.policy is not None else None
    return page(template, words=reader.words, sender=sender, choose=reader.choose, **known)


def not_a_link() -> HTMLResponse:
    """For a link that was altered, or not made here: nobody knows whose it is."""
    return page(
        "link_gone.html", status=404, words=page_words(None, None), sender=None, choose=None
    )

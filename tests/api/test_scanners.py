"""Scanners fetch every link in a mail before its reader sees it, and nothing comes of it.

The mails are real: those of the journeys folder, among them the one that asks for a
confirmation, worded by `deliver`. Every link in them that leads to us is followed.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col
from starlette.types import ASGIApp, Receive, Scope, Send

from activities.deliver import deliver
from activities.desk import Attempt, Desk
from api.app import create_app
from api.services import Services
from authoring.folder import load_journeys
from engine.definition import Journey
from store import consents, journeys
from store.database import Database
from store.tables import Consent, ConsentState
from tests.activities.given import NOW, START, FakeProvider, Office, enroll
from tests.api.linked import LINKS
from tests.lint.checkout import ROOT

SITE = "http://parcours.test/"
TRAITS = {
    "email": "ada@example.com",
    "first_name": "Ada",
    "timezone": "Europe/Paris",
    "trial_ends_at": "2026-12-23",
    "representative": {"name": "Inès Laurent", "email": "ines@atelier.example"},
}
METHODS = ("GET", "HEAD", "OPTIONS")


async def mails(db: Database, count: int) -> list[EmailMessage]:
    """That many mails, each to a customer of its own who has asked for news."""
    loaded = load_journeys(ROOT / "journeys")
    folders = {name: each.messages for name, each in loaded.journeys.items()}
    async with db.transaction() as session:
        await journeys.publish(
            session,
            journeys=[each.journey for each in loaded.journeys.values()],
            policy=loaded.policy,
            messages={
                name: {message: source.to_dict() for message, source in folder.items()}
                for name, folder in folders.items()
            },
            at=START,
            by="test",
        )
    provider = FakeProvider()
    sends = [
        (each.journey, step.id) for each in loaded.journeys.values() for step in each.journey.steps
    ]
    for number in range(count):
        what, step = sends[number % len(sends)]
        await _deliver(db, provider, f"c{number}", what, step)
    assert len(provider.given) == count
    return [_parsed(mail.raw) for mail in provider.given]


async def _deliver(
    db: Database, provider: FakeProvider, who: str, what: Journey, step: str
) -> None:
    given: dict[str, Any] = {**TRAITS, "locale": "fr" if len(who) % 2 else "en"}
    asked = {"topic": "news", "channel": None}
    async with db.transaction() as session:
        row = await enroll(session, what, who, given, start_properties=asked)
        await consents.append(
            session,
            Consent(
                customer_id=who, topic="news", state=ConsentState.PENDING, source="test", at=START
            ),
        )
    office = Office(db, provider, what, who, row.id)
    report = {"customer_id": who, "enrollment_id": row.id}
    order = office.order(delivery={"step": step}, report=report)
    desk = Desk(database=db, providers={"email": provider}, links=LINKS)
    await deliver(desk, Attempt(order, NOW + timedelta(seconds=1)))


def _parsed(raw: bytes) -> EmailMessage:
    parsed = BytesParser(policy=default).parsebytes(raw)
    assert isinstance(parsed, EmailMessage)
    return parsed


class _Links(HTMLParser):
    """What a page links to or loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def links(mail: EmailMessage) -> Iterator[str]:
    """All links of a mail: in its page, its text and its headers."""
    for part in mail.walk():
        if part.get_content_type() == "text/html":
            page = _Links()
            page.feed(part.get_content())
            yield from page.found
        elif part.get_content_type() == "text/plain":
            yield from re.findall(r"https?://[^\s)>\]]+", part.get_content())
    for value in mail.values():
        yield from re.findall(r"https?://[^\s>]+", str(value))


async def ledger(db: Database) -> list[dict[str, Any]]:
    async with db.reading() as session:
        rows = await session.scalars(select(Consent).order_by(col(Consent.id)))
        return [row.model_dump() for row in rows]


async def follow(app: ASGIApp, ours: list[str]) -> int:
    """Fetch each link in each way; how many requests that were."""
    transport = httpx.ASGITransport(app=app)
    asked = 0
    async with httpx.AsyncClient(transport=transport, follow_redirects=False) as client:
        for link in ours:
            for method in METHODS:
                answer = await client.request(method, link)
                assert answer.status_code in (200, 302, 405), link
                asked += 1
    return asked


@pytest.mark.parametrize("count", [5, pytest.param(100, marks=pytest.mark.long)])
async def test_all_links_of_mails_are_fetched_and_no_consent_changes(
    db: Database, services: Services, count: int
) -> None:
    worded = await mails(db, count)
    ours = sorted({link for mail in worded for link in links(mail) if link.startswith(SITE)})
    kinds = {link.removeprefix(SITE)[:2] for link in ours}
    assert {"u/", "p/", "s/"} <= kinds
    before = await ledger(db)
    assert await follow(create_app(services), ours) >= 6 * count
    assert await ledger(db) == before
    assert len(before) == count


async def test_a_page_that_acts_on_a_look_is_caught(db: Database, services: Services) -> None:
    """The known-bad control: an application for which a GET is a POST."""
    app = create_app(services)

    async def acting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            scope = {**scope, "method": "POST"}
        await app(scope, receive, send)

    worded = await mails(db, 5)
    ours = sorted({link for mail in worded for link in links(mail) if link.startswith(SITE)})
    before = await ledger(db)
    await follow(acting, ours)
    after = await ledger(db)
    # Four mails can be unsubscribed by, one confirms; the preference page saves only a form.
    assert len(after) - len(before) == 5

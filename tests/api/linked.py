"""What tests of the pages behind links begin with: topics, messages by three channels, people."""

import re
from typing import Any

import httpx

from api.services import Services
from engine.policy import Policy
from rendering.links import Links, Preferences
from rendering.sources import MessageSource
from store import consents, journeys
from store.tables import Consent
from tests.api.given import A_DAY, SECRET, identify, take, trial
from tests.store.given import policy

LINKS = Links("http://parcours.test", [SECRET])
ONE_CLICK = {"List-Unsubscribe": "One-Click"}

TOPICS: dict[str, Any] = {
    "onboarding": {"title": "Getting started", "subscribed": True},
    "news": {
        "title": {"en": "News", "fr": "Actualités"},
        "description": {"en": "What is new, once a month.", "fr": "Les nouveautés, par mois."},
        "subscribed": False,
        "double_opt_in": True,
    },
}
FILES = {"subject.txt": "Hi", "email.html": "<p>Hi</p>", "sms.txt": "Hi", "card.html": "<p>Hi</p>"}
ANN = {"email": "ann@acme.example", "phone": "+33612345678"}


def rules(**changes: Any) -> Policy:
    given: dict[str, Any] = {"topics": TOPICS, "tracking": {"clicks": True, "opens": True}}
    return policy(**{**given, **changes})


async def open_pages(
    services: Services, files: dict[str, str] | None = None, **traits: Any
) -> None:
    """Publish, with a message by these files, and customer `c1` as Ann."""
    source = MessageSource("thanks", FILES if files is None else files, {})
    async with services.database.transaction() as session:
        await journeys.publish(
            session,
            journeys=[trial()],
            policy=rules(),
            messages={"trial": {"thanks": source.to_dict()}},
            at=A_DAY,
            by="test",
        )
    await take(services, identify(**{**ANN, **traits}))


async def said(services: Services, customer: str = "c1") -> list[Consent]:
    """The customer's ledger, oldest first."""
    async with services.database.reading() as session:
        return await consents.of_customer(session, customer)


async def words(services: Services, customer: str = "c1") -> list[tuple[Any, ...]]:
    """The ledger in short."""
    return [(each.topic, each.channel, each.state.value) for each in await said(services, customer)]


def boxes(page: str) -> dict[str, bool]:
    """The boxes of a preference page, and whether each is ticked."""
    found = re.findall(r'<input type="checkbox"[^>]* value="([^"]*)"([^>]*)>', page)
    return {name: " checked" in rest for name, rest in found}


def ticked(page: str, **changes: bool) -> dict[str, Any]:
    """The form of a page as a browser sends it, some boxes changed: `email_news=True`."""
    shown = boxes(page)
    now = {**shown, **{name.replace("_", "/", 1): on for name, on in changes.items()}}
    return {
        "shown": list(shown),
        "was": [name for name, on in shown.items() if on],
        "on": [name for name, on in now.items() if on],
    }


async def preferences(client: httpx.AsyncClient, customer: str = "c1") -> str:
    answer = await client.get(LINKS.url(Preferences(customer)))
    assert answer.status_code == 200
    return answer.text

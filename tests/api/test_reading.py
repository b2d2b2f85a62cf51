"""Followed links and opened mails: readers are sent on, and kept only where that may be."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from api.routes import reading
from api.services import Services
from engine.calls import ChangeConsent
from engine.delivery_status import DeliveryStatus
from engine.keys import message_key
from engine.policy import Policy
from engine.purposes import CLICKS, OPENS
from engine.reasons import Decision
from rendering.links import Click, Links, Open
from store import delivery_events, messages, standing
from store.database import Database
from store.tables import DeliveryEvent, Message
from tests.api.given import A_DAY, SECRET, Wall, identify, kept_events, publish, take, track
from tests.store.given import policy

LINKS = Links("http://parcours.test", [SECRET])
KEY = message_key("trial:c1", "coupon", "start")
SHOP = "https://shop.example/sale?a=1&b=é#top"
READER = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like "
    "Gecko) Chrome/142.0.0.0 Safari/537.36"
}


async def message(services: Services, rules: Policy | None = None, **more: Any) -> None:
    """One mail to c1, an hour ago."""
    await publish(services.database, rules=rules)
    await take(services, identify(email="ann@example.com"), track("trial_started"))
    given: dict[str, Any] = {
        "key": KEY,
        "enrollment_id": "trial:c1",
        "customer_id": "c1",
        "journey": "trial",
        "step": "coupon",
        "occurrence": "start",
        "decision": Decision.SENT,
        "channel": "email",
        "topic": "onboarding",
        "message": "coupon",
        "address": "ann@example.com",
        "decided_at": A_DAY,
        "sent_at": A_DAY - timedelta(hours=1),
    }
    async with services.database.transaction() as session:
        assert await messages.claim(session, Message(**{**given, **more}))


async def kept(database: Database) -> list[DeliveryEvent]:
    async with database.reading() as session:
        return await delivery_events.of_message(session, KEY)


async def say(services: Services, topic: str | None, *, yes: bool, number: str = "1") -> None:
    call = ChangeConsent(
        customer_id="c1",
        at=services.now(),
        message_id=f"said-{number}",
        topic=topic,
        channel=None,
        subscribed=yes,
    )
    await take(services, call)


async def click(
    client: httpx.AsyncClient, url: str = SHOP, method: str = "GET", **headers: str
) -> httpx.Response:
    return await client.request(method, LINKS.url(Click(KEY, url)), headers={**READER, **headers})


async def look(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    return await client.get(LINKS.url(Open(KEY)), headers={**READER, **headers})


async def counts_as_clicked(services: Services) -> bool:
    """Whether the gate takes the message for clicked."""
    past = standing.Past(since=None, clicks=True)
    async with services.database.reading() as session:
        found = await standing.read(session, "c1", said=False, past=past, addresses=())
    (sent,) = found.sent
    return sent.clicked


async def test_a_click_leads_where_it_says_and_is_kept_once(
    anyone: httpx.AsyncClient, services: Services, wall: Wall
) -> None:
    await message(services)
    for _ in range(2):
        answer = await click(anyone)
        assert answer.status_code == 302
        assert httpx.URL(answer.headers["location"]) == httpx.URL(SHOP)
        assert answer.headers["cache-control"] == "no-store"
    (event,) = await kept(services.database)
    assert (event.kind, event.is_machine, event.details) == ("clicked", False, {"url": SHOP})
    assert await counts_as_clicked(services)
    async with services.database.reading() as session:
        row = await messages.get_by_key(session, KEY)
    assert row is not None
    assert row.status is DeliveryStatus.DELIVERED
    (heard,) = [e for e in await kept_events(services.database) if e.name == "message.clicked"]
    assert (heard.properties["step"], heard.properties["url"]) == ("coupon", SHOP)
    wall.pass_(timedelta(minutes=1))
    await click(anyone)
    await click(anyone, "https://other.example/")
    assert len(await kept(services.database)) == 3


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"User-Agent": "Barracuda Sentinel (EE)"}),
        ("GET", {"Sec-Purpose": "prefetch"}),
    ],
)
async def test_a_scanner_is_sent_on_and_counts_for_nothing(
    anyone: httpx.AsyncClient, services: Services, method: str, headers: dict[str, str]
) -> None:
    await message(services)
    assert (await click(anyone, method=method, **headers)).status_code == 302
    (event,) = await kept(services.database)
    assert event.is_machine
    assert not await counts_as_clicked(services)
    assert [e for e in await kept_events(services.database) if e.name == "message.clicked"] == []


async def test_a_link_leads_nowhere_but_where_it_was_signed_for(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    await message(services)
    token = LINKS.token(Click(KEY, SHOP))
    other = LINKS.token(Click(KEY, "https://evil.example/")).partition(".")[0]
    forged = [
        f"/c/{token}x",
        f"/c/{token[:-1]}",
        f"/c/{other}.{token.partition('.')[2]}",
        "/c/https://evil.example/",
        f"/c/{token}?url=https://evil.example/",
        f"/c/{LINKS.token(Open(KEY))}",
    ]
    answers = [await anyone.get(path, headers=READER) for path in forged]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 404, 302, 404]
    assert all("evil" not in answer.headers.get("location", "") for answer in answers)


async def test_who_has_said_no_is_sent_on_and_not_observed(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    await message(services)
    await say(services, CLICKS, yes=False)
    assert (await click(anyone)).status_code == 302
    assert await kept(services.database) == []
    await say(services, CLICKS, yes=True, number="2")
    await click(anyone)
    assert len(await kept(services.database)) == 1


@pytest.mark.parametrize(
    "rules",
    [
        {"tracking": {"clicks": False}},
        {"topics": {"onboarding": {"title": "T", "subscribed": True, "tracking": False}}},
    ],
)
async def test_a_policy_or_a_topic_may_switch_it_off(
    anyone: httpx.AsyncClient, services: Services, rules: dict[str, Any]
) -> None:
    await message(services, policy(**rules))
    assert (await click(anyone)).status_code == 302
    assert await kept(services.database) == []


async def test_a_transactional_message_observes_nobody(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    await message(services, transactional=True, topic=None)
    assert (await click(anyone)).status_code == 302
    assert await kept(services.database) == []


async def test_an_opening_is_kept_only_with_consent_to_precisely_that(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    await message(services, policy(tracking={"opens": True}))
    for number, topic in enumerate((None, "onboarding")):
        await say(services, topic, yes=True, number=str(number))
        assert (await look(anyone)).status_code == 200
    assert await kept(services.database) == []
    await say(services, OPENS, yes=True, number="opens")
    for _ in range(2):
        answer = await look(anyone)
        assert answer.headers["content-type"] == "image/gif"
        assert answer.content.startswith(b"GIF89a")
    (event,) = await kept(services.database)
    assert (event.kind, event.is_machine) == ("opened", False)
    await look(anyone, **{"User-Agent": "Mozilla/5.0"})  # Apple's proxy
    assert [each.is_machine for each in await kept(services.database)] == [False, True]


async def test_a_pixel_that_is_none_is_a_pixel_all_the_same(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    answer = await anyone.get("/o/altered")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")


async def test_a_reader_is_sent_on_though_the_store_is_away(
    anyone: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await message(services)

    def away(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(Database, "reading", away)
    assert (await click(anyone)).status_code == 302


async def test_a_reader_is_sent_on_and_a_statement_that_is_wrong_is_told_whole(
    anyone: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await message(services)

    async def wrong(session: AsyncSession, key: str) -> None:
        await session.execute(text("SELECT nothing FROM nowhere"))

    monkeypatch.setattr(messages, "get_by_key", wrong)
    # SQLite tells a statement that is wrong as an outage; PostgreSQL's own code is told apart.
    monkeypatch.setattr(reading, "is_away", lambda error: False)
    with capture_logs() as told:
        assert (await click(anyone)).status_code == 302
    assert [(line["log_level"], line.get("exc_info")) for line in told] == [("error", True)]


async def test_a_link_of_a_message_that_is_gone_still_leads_on(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    await publish(services.database)
    assert (await click(anyone)).status_code == 302

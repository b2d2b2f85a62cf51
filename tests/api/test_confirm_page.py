"""The page that confirms a subscription: only a press of its button does, and only in time."""

import httpx
import pytest

from api.erasing import erase
from api.services import Services
from rendering.links import Confirm, Preferences, Unsubscribe
from tests.api.given import kept_events
from tests.api.linked import LINKS, ONE_CLICK, open_pages, said, words

YES = LINKS.url(Confirm("c1", "news", None))


@pytest.fixture
async def asked(services: Services, client: httpx.AsyncClient) -> Services:
    """Ann asked for news, and has not confirmed it."""
    await open_pages(services)
    await ask(client)
    return services


async def ask(client: httpx.AsyncClient, channel: str | None = None) -> None:
    order = {"topic": "news", "channel": channel, "subscribed": True}
    answer = await client.post("/v1/customers/c1/consents", json=order)
    assert answer.is_success


async def test_a_scanner_that_fetches_the_link_confirms_nothing(
    client: httpx.AsyncClient, asked: Services
) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        await client.request(method, YES)
    assert await words(asked) == [("news", None, "pending")]


async def test_the_button_subscribes_and_keeps_how(
    client: httpx.AsyncClient, asked: Services
) -> None:
    page = await client.get(YES)
    assert "Yes, subscribe me to “News”" in page.text
    done = await client.post(YES)
    assert done.status_code == 200
    assert "you are subscribed to “News”" in done.text
    _, row = await said(asked)
    assert (row.topic, row.channel, row.state.value) == ("news", None, "subscribed")
    assert (row.source, row.basis, row.ip) == ("confirm", "consent", "127.0.0.1")
    assert row.wording == "Yes, subscribe me to “News”"
    assert [each.name for each in await kept_events(asked.database)][-1] == "consent.given"


async def test_confirming_twice_is_confirming_once(
    client: httpx.AsyncClient, asked: Services
) -> None:
    await client.post(YES)
    again = await client.post(YES)
    assert again.status_code == 200
    assert "There is nothing more to do" in again.text
    assert len(await said(asked)) == 2


@pytest.mark.parametrize("topic", ["news", None])
async def test_an_old_link_does_not_bring_back_who_has_left_since(
    client: httpx.AsyncClient, asked: Services, topic: str | None
) -> None:
    await client.post(YES)
    await client.post(LINKS.url(Unsubscribe("c1", topic)), data=ONE_CLICK)
    before = await words(asked)
    for answer in (await client.get(YES), await client.post(YES)):
        assert answer.status_code == 200
        assert "no longer valid" in answer.text
        assert LINKS.token(Preferences("c1")) in answer.text
    assert await words(asked) == before


async def test_who_asks_anew_confirms_with_the_old_link_as_well(
    client: httpx.AsyncClient, asked: Services
) -> None:
    await client.post(LINKS.url(Unsubscribe("c1", "news")), data=ONE_CLICK)
    await ask(client)
    await client.post(YES)
    assert (await words(asked))[-1] == ("news", None, "subscribed")


async def test_a_link_for_one_channel_subscribes_by_that_one(
    client: httpx.AsyncClient, services: Services
) -> None:
    await open_pages(services, locale="fr")
    await ask(client, "sms")
    link = LINKS.url(Confirm("c1", "news", "sms"))
    assert "Oui, m’abonner à « Actualités » par SMS" in (await client.get(link)).text
    await client.post(link)
    assert (await words(services))[-1] == ("news", "sms", "subscribed")


async def test_nobody_who_never_asked_is_subscribed(
    client: httpx.AsyncClient, services: Services
) -> None:
    await open_pages(services)
    await client.post(YES)
    assert await said(services) == []


async def test_who_was_erased_is_told_so_and_not_made_anew(
    client: httpx.AsyncClient, asked: Services
) -> None:
    await erase(asked, "c1", "test")
    assert "You receive no messages from us" in (await client.post(YES)).text
    assert await said(asked) == []

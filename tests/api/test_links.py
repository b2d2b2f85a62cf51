"""The links in messages: looking changes nothing, posting acts."""

from dataclasses import replace

import httpx
import pytest

from api.services import Services
from rendering.links import Links, Unsubscribe
from store import consents
from store.tables import Consent, ConsentState
from tests.api.given import SECRET, identify, publish, take

LINKS = Links("http://parcours.test", [SECRET])
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def known(services: Services) -> Services:
    await publish(services.database)
    await take(services, identify(plan="trial"))
    return services


async def said(services: Services, customer: str = "c1") -> list[Consent]:
    async with services.database.reading() as session:
        return await consents.of_customer(session, customer)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_scanner_that_fetches_the_link_changes_nothing(
    anyone: httpx.AsyncClient, known: Services, method: str
) -> None:
    answer = await anyone.request(method, LINKS.url(Unsubscribe("c1", "onboarding")))
    assert answer.status_code == 200
    assert await said(known) == []


async def test_the_page_asks_with_the_topics_title_and_a_button(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    answer = await anyone.get(LINKS.url(Unsubscribe("c1", "onboarding")))
    assert "Getting started" in answer.text
    assert 'method="post"' in answer.text
    assert "script" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_one_click_unsubscribes_at_once_without_key_cookie_or_redirect(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    answer = await anyone.post(LINKS.url(Unsubscribe("c1", "onboarding")), data=ONE_CLICK)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    (row,) = await said(known)
    assert (row.topic, row.channel, row.state) == ("onboarding", None, ConsentState.UNSUBSCRIBED)
    assert (row.source, row.actor) == ("one-click", None)


async def test_one_click_may_come_as_a_multipart_form(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    form = {"List-Unsubscribe": (None, "One-Click")}
    answer = await anyone.post(LINKS.url(Unsubscribe("c1", "onboarding")), files=form)
    assert answer.status_code == 200
    assert len(await said(known)) == 1


async def test_the_button_keeps_the_words_that_were_read(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    answer = await anyone.post(LINKS.url(Unsubscribe("c1", "onboarding")))
    assert "no more messages about “Getting started”" in answer.text
    (row,) = await said(known)
    assert (row.source, row.wording) == ("link", "Unsubscribe from “Getting started”")


async def test_everything_can_be_left_as_well(anyone: httpx.AsyncClient, known: Services) -> None:
    await anyone.post(LINKS.url(Unsubscribe("c1", "onboarding")), data={"all": "yes"})
    (row,) = await said(known)
    assert row.topic is None


@pytest.mark.parametrize("how", ["trait", "context"])
async def test_the_page_speaks_the_customers_language(
    anyone: httpx.AsyncClient, known: Services, how: str
) -> None:
    call = identify(customer="c2", plan="trial")
    if how == "trait":
        call = replace(call, traits={"locale": "fr-CA"})
    else:
        call = replace(call, locale="fr_FR")
    await take(known, call)
    answer = await anyone.get(LINKS.url(Unsubscribe("c2", "onboarding")))
    assert '<html lang="fr">' in answer.text
    assert "Me désabonner" in answer.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_was_not_made_here_does_nothing(
    anyone: httpx.AsyncClient, known: Services, method: str
) -> None:
    strange = Links("http://parcours.test", ["y" * 32]).url(Unsubscribe("c1", "onboarding"))
    altered = LINKS.url(Unsubscribe("c1", "onboarding"))[:-1]
    for url in (strange, altered, "http://parcours.test/u/rubbish"):
        assert (await anyone.request(method, url)).status_code == 404
    assert await said(known) == []


async def test_an_erased_customer_is_told_the_same_and_not_made_anew(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    answer = await anyone.post(LINKS.url(Unsubscribe("c9", "onboarding")), data=ONE_CLICK)
    assert answer.status_code == 200
    assert await said(known, "c9") == []

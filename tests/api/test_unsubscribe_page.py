"""The unsubscribe page: looking changes nothing, posting acts, and it can be taken back."""

from dataclasses import replace

import httpx
import pytest

from api.erasing import erase
from api.services import Services
from engine.calls import Alias
from rendering.links import Links, Preferences, Unsubscribe
from store.tables import ConsentState
from tests.api.given import A_DAY, identify, take
from tests.api.linked import LINKS, ONE_CLICK, open_pages, said, words

LEAVE = LINKS.url(Unsubscribe("c1", "onboarding"))


@pytest.fixture
async def known(services: Services) -> Services:
    await open_pages(services)
    return services


async def test_a_scanner_that_fetches_the_link_changes_nothing(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    for method, status in (("GET", 200), ("HEAD", 200), ("OPTIONS", 405)):
        assert (await anyone.request(method, LEAVE)).status_code == status
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
    call = identify(customer="c2")
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


async def test_a_customer_who_was_erased_is_not_made_anew_by_their_own_link(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    await erase(known, "c1", "test")
    for form in (ONE_CLICK, {}, {"all": "yes"}, {"again": "yes"}):
        assert (await anyone.post(LEAVE, data=form)).status_code == 200
    assert (await anyone.get(LEAVE)).status_code == 200
    assert await said(known) == []


async def test_who_was_joined_with_another_is_unsubscribed_as_the_one_they_are(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    await take(known, identify(customer="old"))
    call = Alias(customer_id="c1", at=A_DAY, message_id="alias", formerly=("old",))
    await take(known, call)
    answer = await anyone.post(LINKS.url(Unsubscribe("old", "onboarding")), data=ONE_CLICK)
    assert answer.status_code == 200
    assert await words(known) == [("onboarding", None, "unsubscribed")]


async def test_from_where_it_was_said_is_kept(anyone: httpx.AsyncClient, known: Services) -> None:
    await anyone.post(LEAVE)
    (row,) = await said(known)
    assert row.ip == "127.0.0.1"


async def test_after_leaving_a_topic_it_is_offered_again_and_that_is_a_fresh_consent(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    done = await anyone.post(LEAVE)
    assert "Subscribe me to “Getting started” again" in done.text
    back = await anyone.post(LEAVE, data={"again": "yes"})
    assert "you will receive messages about “Getting started” again" in back.text
    left, row = await said(known)
    assert (row.topic, row.channel, row.state) == ("onboarding", None, ConsentState.SUBSCRIBED)
    assert (row.source, row.basis) == ("link", "consent")
    assert row.wording == "Subscribe me to “Getting started” again"
    assert row.at >= left.at


async def test_taking_back_leaving_everything_gives_back_what_they_had_and_no_more(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    page = await anyone.post(LEAVE, data={"all": "yes"})
    assert "Subscribe me again to what I had" in page.text
    await anyone.post(LEAVE, data={"all": "yes", "again": "yes"})
    assert await words(known) == [
        (None, None, "unsubscribed"),
        ("onboarding", None, "subscribed"),  # by default; never asked for `news`
    ]


async def test_what_was_left_by_one_channel_before_is_not_given_back(
    anyone: httpx.AsyncClient, known: Services, client: httpx.AsyncClient
) -> None:
    order = {"topic": "onboarding", "channel": "sms", "subscribed": False}
    await client.post("/v1/customers/c1/consents", json=order)
    await anyone.post(LEAVE)
    await anyone.post(LEAVE, data={"again": "yes"})
    assert (await words(known))[2:] == [
        ("onboarding", "email", "subscribed"),
        ("onboarding", "post", "subscribed"),
    ]


async def test_who_left_nothing_just_now_is_given_nothing_back(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    page = await anyone.post(LEAVE, data={"again": "yes"})
    assert "Nothing was changed" in page.text
    assert await said(known) == []


async def test_a_body_that_says_one_click_unsubscribes_whatever_else_it_says(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    await anyone.post(LEAVE, data={**ONE_CLICK, "again": "yes"})
    assert await words(known) == [("onboarding", None, "unsubscribed")]


async def test_any_body_at_all_unsubscribes(anyone: httpx.AsyncClient, known: Services) -> None:
    odd = [b"", b"\x00\xff\xfe", b"&" * 9000, b"all=no&all=yes", b"a=%ff%00;b", b"{}" * 1000]
    for body in odd:
        assert (await anyone.post(LEAVE, content=body)).status_code == 200
    assert await words(known) == [("onboarding", None, "unsubscribed")] * len(odd)


async def test_the_page_leads_to_the_preference_page(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    page = await anyone.get(LEAVE)
    assert f'href="../p/{LINKS.token(Preferences("c1"))}"' in page.text


async def test_a_page_says_nothing_of_the_host_it_was_asked_by(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    for host in ("evil.example", "parcours.test:80@evil.example", 'a" onload=x'):
        for method in ("GET", "POST"):
            answer = await anyone.request(method, LEAVE, headers={"Host": host})
            assert answer.status_code == 200
            assert "evil" not in answer.text
            assert "onload" not in answer.text

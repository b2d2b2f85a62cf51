"""The preference page: what it shows, and that saving it writes down just what was changed."""

import asyncio

import httpx
import pytest

from api.erasing import erase
from api.services import Services
from rendering.links import Preferences, Unsubscribe
from tests.api.given import identify, kept_events, take
from tests.api.linked import (
    FILES,
    LINKS,
    ONE_CLICK,
    boxes,
    open_pages,
    preferences,
    said,
    ticked,
    words,
)

PAGE = LINKS.url(Preferences("c1"))


@pytest.fixture
async def known(services: Services) -> Services:
    await open_pages(services)
    return services


async def save(client: httpx.AsyncClient, **changes: bool) -> str:
    """Open the page, change boxes and save."""
    answer = await client.post(PAGE, data=ticked(await preferences(client), **changes))
    assert answer.status_code == 200
    return answer.text


async def test_it_shows_topics_by_the_channels_with_an_address_as_they_are(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    page = await preferences(anyone)
    assert boxes(page) == {
        "email/onboarding": True,
        "sms/onboarding": True,
        "email/news": False,
        "sms/news": False,
        "/tracking.clicks": True,
        "/tracking.opens": False,
    }
    assert "What is new, once a month." in page
    assert "script" not in page


async def test_a_channel_by_which_nothing_is_sent_is_not_offered(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    mail = {name: FILES[name] for name in ("subject.txt", "email.html")}
    await open_pages(services, mail)
    assert "sms/news" not in boxes(await preferences(anyone))


async def test_it_speaks_the_customers_language(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    await open_pages(services, locale="fr-CA")
    page = await preferences(anyone)
    assert '<html lang="fr">' in page
    for text in ("Actualités", "Les nouveautés, par mois.", "Par e-mail", "Enregistrer"):
        assert text in page


async def test_looking_changes_nothing(anyone: httpx.AsyncClient, known: Services) -> None:
    form = "shown=email/news&on=email/news&leave=yes"
    for method in ("GET", "HEAD", "OPTIONS"):
        await anyone.request(method, f"{PAGE}?{form}", content=form)
    assert await said(known) == []


async def test_saving_writes_down_what_changed_and_nothing_else(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    page = await save(anyone, email_news=True, sms_onboarding=False)
    assert await words(known) == [
        ("onboarding", "sms", "unsubscribed"),
        ("news", "email", "subscribed"),
    ]
    left, given = await said(known)
    assert (given.source, given.basis, given.ip) == ("preferences", "consent", "127.0.0.1")
    assert (given.wording, left.wording) == ("News: By e-mail", "Getting started: By text message")
    assert given.actor is None
    assert left.basis is None
    assert "Yes to “News: By e-mail”" in page
    assert "No to “Getting started: By text message”" in page
    now = boxes(page)
    assert (now["email/news"], now["sms/onboarding"]) == (True, False)


async def test_saving_an_unchanged_page_says_so_and_writes_nothing(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    assert "Nothing was changed." in await save(anyone)
    assert await said(known) == []


async def test_subscribing_here_needs_no_confirmation_for_the_link_came_by_their_mailbox(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    await save(anyone, email_news=True)
    assert await words(known) == [("news", "email", "subscribed")]
    events = [each.name for each in await kept_events(known.database)]
    assert "consent.given" in events
    assert "consent.requested" not in events


async def test_who_gives_up_a_topics_last_channel_leaves_it_by_all_to_come(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    await save(anyone, email_onboarding=False, sms_onboarding=False)
    assert await words(known) == [("onboarding", None, "unsubscribed")]


async def test_what_is_observed_is_chosen_too(anyone: httpx.AsyncClient, known: Services) -> None:
    form = ticked(await preferences(anyone))
    form["on"] = [name for name in form["on"] if name != "/tracking.clicks"] + ["/tracking.opens"]
    page = await anyone.post(PAGE, data=form)
    assert await words(known) == [
        ("tracking.clicks", None, "unsubscribed"),
        ("tracking.opens", None, "subscribed"),
    ]
    assert boxes(page.text)["/tracking.opens"]
    assert (await said(known))[1].wording == "Whether you open our messages"


async def test_everything_can_be_left(anyone: httpx.AsyncClient, known: Services) -> None:
    page = (await anyone.post(PAGE, data={"leave": "yes"})).text
    assert await words(known) == [(None, None, "unsubscribed")]
    assert not any(boxes(page).values())
    assert "You will receive no more messages from us." in page


async def test_a_page_that_lay_open_does_not_undo_an_unsubscribe(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    old = ticked(await preferences(anyone), email_news=True)
    await anyone.post(LINKS.url(Unsubscribe("c1", "onboarding")), data=ONE_CLICK)
    await anyone.post(PAGE, data=old)
    assert await words(known) == [
        ("onboarding", None, "unsubscribed"),
        ("news", "email", "subscribed"),
    ]


async def test_sending_a_form_again_writes_nothing_more(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    form = ticked(await preferences(anyone), email_news=True)
    for _ in range(3):
        await anyone.post(PAGE, data=form)
    assert await words(known) == [("news", "email", "subscribed")]


async def test_what_is_saved_at_once_is_saved_whole(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    form = ticked(await preferences(anyone), email_news=True, sms_news=True)
    await asyncio.gather(*(anyone.post(PAGE, data=form) for _ in range(5)))
    rows = await words(known)
    assert len(rows) % 2 == 0
    assert set(rows) == {("news", "email", "subscribed"), ("news", "sms", "subscribed")}


async def test_a_body_that_is_no_form_of_ours_changes_nothing(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    for body in (
        b"",
        b"\x00\xff\xfe",
        b"&" * 9000,
        b"List-Unsubscribe=One-Click",
        b"on=email/news",
        b"shown=nonsense&on=nonsense&shown=%00",
        b"leave=no",
        b"shown[]=email/news",
    ):
        assert (await anyone.post(PAGE, content=body)).status_code == 200
    assert await said(known) == []


async def test_who_asked_for_a_topic_sees_that_it_is_not_confirmed(
    client: httpx.AsyncClient, known: Services
) -> None:
    order = {"topic": "news", "subscribed": True}
    await client.post("/v1/customers/c1/consents", json=order)
    page = await preferences(client)
    assert "not confirmed yet" in page
    assert not boxes(page)["email/news"]
    await client.post(PAGE, data=ticked(page))
    assert await words(known) == [("news", None, "pending")]


async def test_an_erased_customer_has_nothing_to_choose_and_is_not_made_anew(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    form = ticked(await preferences(anyone), email_news=True)
    await erase(known, "c1", "test")
    for data in (form, {"leave": "yes"}):
        answer = await anyone.post(PAGE, data=data)
        assert answer.status_code == 200
        assert "You receive no messages from us" in answer.text
    assert await said(known) == []


async def test_a_hostile_title_or_trait_is_text(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    await open_pages(services, locale='fr"><script>', email='"><img src=x>@acme.example')
    page = await preferences(anyone)
    assert "<script" not in page
    assert "<img" not in page


async def test_a_token_that_is_none_is_answered_by_a_page_that_says_so(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    for token in ("rubbish", "x" * 8_000, "%00", "é", "%2e%2e", "a.b.c"):
        for prefix in ("u", "p", "s"):
            for method in ("GET", "POST"):
                answer = await anyone.request(method, f"/{prefix}/{token}")
                assert answer.status_code == 404
                assert "This link is not complete" in answer.text


async def test_a_link_of_another_purpose_opens_nothing(
    anyone: httpx.AsyncClient, known: Services
) -> None:
    token = LINKS.token(Unsubscribe("c1", "onboarding"))
    assert (await anyone.get(f"/p/{token}")).status_code == 404
    assert (await anyone.post(f"/s/{token}")).status_code == 404


async def test_before_anything_is_published_the_page_can_be_opened(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    await take(services, identify())
    assert boxes(await preferences(anyone)) == {}
    assert (await anyone.post(PAGE, data={"leave": "yes"})).status_code == 200
    assert await words(services) == [(None, None, "unsubscribed")]

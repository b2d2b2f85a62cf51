"""The plain pages: who may see them, what they show, and that nothing in them runs."""

import re
from email.message import EmailMessage

import httpx
import pytest

from api.auth import COOKIE
from api.scopes import Scope
from api.services import Services
from engine.reasons import Decision, Reason
from store import keys, mailbox, messages
from store.tables import MailboxMail
from tests.api.given import A_DAY, make_key, publish, take, track
from tests.store.given import a_claim

PAGES = ["/enrollments", "/mailbox", "/docs", "/enrollments/trial:c1", "/mailbox/1"]
HTML = {"Accept": "text/html"}


@pytest.fixture
async def full(services: Services) -> Services:
    """One enrollment, with a mail that was sent and a step that was not."""
    await publish(services.database)
    await take(services, track("trial_started"))
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Hello <b>", "a@acme.example", "c1@x.example"
    mail.set_content("plain words")
    mail.add_alternative("<html><head></head><body><script>x()</script>Hi</body></html>", "html")
    async with services.database.transaction() as session:
        sent = a_claim("thanks", decision=Decision.SENT, subject="Hello <b>")
        await messages.claim(session, sent)
        await messages.claim(
            session, a_claim("demo", decision=Decision.NOT_SENT, reason=Reason.NO_CONSENT)
        )
        await mailbox.put(
            session,
            MailboxMail(
                id=1,
                key=sent.key,
                at=A_DAY,
                sender="a@acme.example",
                recipient="c1@x.example",
                subject="Hello <b>",
                raw=mail.as_bytes(),
                customer_id="c1",
            ),
        )
    return services


@pytest.mark.parametrize("path", [*PAGES, "/openapi.json", "/mailbox/1/html", "/"])
async def test_no_page_opens_without_a_key(
    anyone: httpx.AsyncClient, full: Services, path: str
) -> None:
    answer = await anyone.get(path, headers=HTML)
    assert answer.status_code == 401
    assert "?key=" in answer.text
    assert "c1" not in answer.text


async def test_a_key_shown_once_is_remembered_and_leaves_the_address(
    anyone: httpx.AsyncClient, full: Services, key: str
) -> None:
    shown = await anyone.get("/mailbox", params={"customer": "c1", "key": key})
    assert shown.status_code == 303
    assert shown.headers["location"] == "/mailbox?customer=c1"
    cookie = shown.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert key not in cookie
    assert (await anyone.get("/mailbox")).status_code == 200


async def test_the_address_a_key_is_shown_to_never_leads_elsewhere(
    anyone: httpx.AsyncClient, full: Services, key: str
) -> None:
    answer = await anyone.get(f"http://parcours.test//elsewhere.example/?key={key}")
    assert not answer.headers.get("location", "/").startswith("//")


async def test_a_revoked_key_closes_the_browser_at_once(
    anyone: httpx.AsyncClient, full: Services, key: str
) -> None:
    await anyone.get("/mailbox", params={"key": key})
    async with full.database.transaction() as session:
        for row in await keys.every(session):
            assert row.id is not None
            await keys.revoke(session, row.id, A_DAY)
    assert (await anyone.get("/mailbox")).status_code == 401


async def test_the_cookie_opens_pages_but_never_the_api(
    anyone: httpx.AsyncClient, full: Services, key: str
) -> None:
    await anyone.get("/mailbox", params={"key": key})
    assert COOKIE in anyone.cookies
    assert (await anyone.post("/v1/enrollments/trial:c1/cancel")).status_code == 401


async def test_a_key_for_events_opens_no_page(anyone: httpx.AsyncClient, full: Services) -> None:
    key = await make_key(full.database, Scope.EVENTS_WRITE)
    answer = await anyone.get("/mailbox", params={"key": key}, headers=HTML)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_runs_in_a_page_and_nothing_is_loaded_from_elsewhere(
    client: httpx.AsyncClient, full: Services, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert not re.search(r'(src|href|action)="(https?:)?//', answer.text)


async def test_the_mailbox_leads_to_the_mail_and_the_decision_it_came_from(
    client: httpx.AsyncClient, full: Services
) -> None:
    listed = (await client.get("/mailbox")).text
    assert "Hello &lt;b&gt;" in listed
    assert "c1@x.example" in listed
    mail = (await client.get("/mailbox/1")).text
    assert "plain words" in mail
    assert "/enrollments/trial%3Ac1" in mail
    assert "It was sent." in mail


async def test_a_mails_own_html_is_shown_where_no_script_runs(
    client: httpx.AsyncClient, full: Services
) -> None:
    answer = await client.get("/mailbox/1/html")
    rules = answer.headers["content-security-policy"]
    assert rules.startswith("sandbox ")
    assert "allow-scripts" not in rules
    assert "allow-same-origin" not in rules
    assert "script-src" not in rules
    frame = (await client.get("/mailbox/1")).text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame


async def test_an_enrollment_shows_every_decision_with_its_reason_as_a_sentence(
    client: httpx.AsyncClient, full: Services
) -> None:
    shown = (await client.get("/enrollments/trial:c1")).text
    assert "The customer never agreed to this topic." in shown
    assert "no_consent" in shown
    assert 'href="/mailbox/1"' in shown


async def test_the_list_shows_what_comes_next_and_filters(
    client: httpx.AsyncClient, full: Services
) -> None:
    shown = (await client.get("/enrollments")).text
    assert "thanks" in shown
    assert "2026-11-24 09:00" in shown
    nobody = (await client.get("/enrollments", params={"customer": "c2", "state": ""})).text
    assert "trial%3Ac1" in shown
    assert "trial%3Ac1" not in nobody
    exited = (await client.get("/enrollments", params={"state": "exited"})).text
    assert "trial%3Ac1" not in exited


async def test_the_workflow_is_linked_where_the_temporal_ui_is_known(
    full: Services, key: str
) -> None:
    from api.app import create_app

    told = Services(
        full.database,
        full.settings,
        wall=full.wall,
        temporal_ui_url="http://127.0.0.1:8233",
    )
    transport = httpx.ASGITransport(app=create_app(told))
    async with httpx.AsyncClient(transport=transport, base_url="http://parcours.test") as client:
        client.headers["Authorization"] = f"Bearer {key}"
        shown = (await client.get("/enrollments/trial:c1")).text
    assert "http://127.0.0.1:8233/namespaces/default/workflows/trial%3Ac1" in shown


async def test_what_is_not_there_is_a_page_too(client: httpx.AsyncClient, full: Services) -> None:
    for path in ("/enrollments/trial:c9", "/mailbox/99", "/nowhere"):
        answer = await client.get(path, headers=HTML)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")


async def test_the_documentation_names_every_address_and_describes_the_bodies(
    client: httpx.AsyncClient, full: Services
) -> None:
    schema = (await client.get("/openapi.json")).json()
    shown = (await client.get("/docs")).text
    assert {"/v1/track", "/v1/batch", "/v1/customers/{customer_id}"} <= set(schema["paths"])
    for path, methods in schema["paths"].items():
        assert path in shown
        for method, told in methods.items():
            assert told.get("description"), f"{method} {path} says nothing"
            if path.startswith("/v1/") and path != "/v1/projects/{key}/settings":
                assert told["security"]
    body = schema["paths"]["/v1/track"]["post"]["requestBody"]
    assert "event" in body["content"]["application/json"]["schema"]["required"]
    assert "trial_started" in shown


@pytest.mark.parametrize(
    ("channel", "raw", "shown"),
    [
        ("sms", b"Salut <b>Ann</b>", "Salut &lt;b&gt;Ann&lt;/b&gt;"),
        ("webhook", b'{"call":"crm"}', "&#34;call&#34;: &#34;crm&#34;"),
        ("post", b"<p>Dear Ann</p>", "/mailbox/2/html"),
    ],
)
async def test_the_mailbox_shows_text_messages_letters_and_calls(
    client: httpx.AsyncClient, full: Services, channel: str, raw: bytes, shown: str
) -> None:
    async with full.database.transaction() as session:
        await mailbox.put(
            session,
            MailboxMail(
                id=2,
                key=f"k-{channel}",
                at=A_DAY,
                sender="",
                recipient="+33612345678",
                subject="Something else",
                raw=raw,
                customer_id="c1",
                headers={mailbox.CHANNEL: channel},
            ),
        )
    listed = (await client.get("/mailbox")).text
    assert f"{channel} · +33612345678" in listed
    answer = await client.get("/mailbox/2")
    assert answer.status_code == 200
    assert shown in answer.text
    assert "Headers" not in answer.text
    html = await client.get("/mailbox/2/html")
    assert (html.status_code == 200) is (channel == "post")
    if channel == "post":
        assert html.text == "<p>Dear Ann</p>"
        assert "default-src 'none'" in html.headers["content-security-policy"]

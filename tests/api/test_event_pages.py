"""The live page of events and the outbox's: what they show, to whom, and what may run in them."""

import html
import re

import httpx
import pytest
from temporalio.service import RPCStatusCode

from api.dispatcher import Dispatcher
from api.scopes import Scope
from api.services import Services
from tests.api.fake_temporal import FakeTemporal, rpc_error
from tests.api.given import make_key, publish

HTML = {"Accept": "text/html"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
async def full(
    client: httpx.AsyncClient, services: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> Services:
    """Events that did something and nothing, one refused, and one that was put aside."""
    await publish(services.database)
    temporal.fails = lambda _: rpc_error(RPCStatusCode.INVALID_ARGUMENT, f"no {HOSTILE}")
    for body in (
        {"userId": "c1", "event": "trial_started", "properties": {"plan": "pro"}},
        {"anonymousId": "v1", "event": "app_opened"},
        {"userId": HOSTILE, "event": HOSTILE, "properties": {HOSTILE: [HOSTILE]}},
        {"userId": "c2", "event": f"with.dot {HOSTILE}"},
    ):
        await client.post("/v1/track", json=body)
    await dispatcher.drain()
    return services


@pytest.mark.parametrize("path", ["/events", "/events/rows", "/outbox"])
async def test_no_page_opens_without_a_key_that_may_look(
    full: Services, client: httpx.AsyncClient, path: str
) -> None:
    del client.headers["Authorization"]
    answer = await client.get(path, headers=HTML)
    assert answer.status_code == 401
    assert "trial" not in answer.text
    key = await make_key(full.database, Scope.EVENTS_WRITE)
    assert (await client.get(path, params={"key": key}, headers=HTML)).status_code == 403


async def test_each_event_is_shown_with_what_it_did_and_each_refused_one_with_the_reason(
    full: Services, client: httpx.AsyncClient
) -> None:
    shown = (await client.get("/events")).text
    assert "It began <code>trial</code>." in shown
    assert 'href="/enrollments/trial%3Ac1"' in shown
    assert 'href="/enrollments?customer=c1"' in shown
    assert "It waits until somebody is known by this anonymous id." in shown
    assert "reserved_name" in shown
    assert "put aside" in shown
    assert 'href="/outbox"' in shown
    assert "by key test" in shown


async def test_what_apps_and_temporal_say_is_text_and_nothing_else(
    full: Services, client: httpx.AsyncClient
) -> None:
    for path in ("/events", "/events?live=off", "/events/rows", "/outbox"):
        shown = (await client.get(path)).text
        assert HOSTILE not in shown
        assert "alert(1)" in shown
        assert "style=" not in shown
        assert not re.search(r'(src|href|action)="(https?:)?//', shown)
        assert not re.search(r"<script(?! src=\"/assets/live\.js\" defer></script>)", shown)


async def test_only_the_live_page_may_run_a_script_and_only_one_of_ours(
    full: Services, client: httpx.AsyncClient
) -> None:
    live = await client.get("/events")
    assert "script-src 'self'; connect-src 'self'" in live.headers["content-security-policy"]
    assert "unsafe" not in live.headers["content-security-policy"]
    assert '<script src="/assets/live.js" defer></script>' in live.text
    assert '<noscript><meta http-equiv="refresh"' in live.text
    for path in ("/events?live=off", "/events?cursor=" + _cursor(live.text), "/outbox"):
        still = await client.get(path)
        assert still.status_code == 200
        assert "script-src" not in still.headers["content-security-policy"]
        assert "<script" not in still.text
        assert "http-equiv" not in still.text
    script = await client.get("/assets/live.js")
    assert script.headers["content-type"].startswith("text/javascript")


def _cursor(_: str) -> str:
    return "WyIyMDI2LTExLTIzVDA5OjAwOjAwKzAwOjAwIiwgOV0"


async def test_the_list_alone_is_sent_only_when_it_has_changed(
    full: Services, client: httpx.AsyncClient
) -> None:
    whole = (await client.get("/events?customer=c1")).text
    (version,) = re.findall(r'data-version="([^"]*)"', whole)
    (source,) = re.findall(r'data-source="([^"]*)"', whole)
    assert source == "/events/rows?customer=c1"
    known = {"If-None-Match": html.unescape(version)}
    assert (await client.get(source, headers=known)).status_code == 304
    await client.post("/v1/track", json={"userId": "c9", "event": "of_somebody_else"})
    assert (await client.get(source, headers=known)).status_code == 304
    await client.post("/v1/track", json={"userId": "c1", "event": "brand_new"})
    changed = await client.get(source, headers=known)
    assert changed.status_code == 200
    assert "brand_new" in changed.text
    assert changed.text.strip().startswith("<ol")
    assert changed.headers["etag"] != html.unescape(version)


async def test_the_filters_are_those_of_the_api_and_nonsense_filters_nothing(
    full: Services, client: httpx.AsyncClient
) -> None:
    refused = (await client.get("/events?outcome=refused")).text
    assert "with.dot" in refused
    assert "app_opened" not in refused
    accepted = (await client.get("/events?outcome=accepted")).text
    assert "with.dot" not in accepted
    assert "app_opened" in accepted
    for query in ("customer=v1", "name=app_opened", "kind=track&name=app_opened"):
        shown = (await client.get(f"/events?{query}")).text
        assert "app_opened" in shown
        assert "with.dot" not in shown
    assert (await client.get("/events?kind=magic&outcome=x")).text.count("<li") > 3
    assert "Nothing came in" in (await client.get("/events?customer=nobody")).text


async def test_older_ones_are_a_page_further(full: Services, client: httpx.AsyncClient) -> None:
    batch = [{"type": "track", "userId": "c1", "event": f"e{n}"} for n in range(60)]
    await client.post("/v1/batch", json={"batch": batch})
    first = (await client.get("/events?live=off&kind=track")).text
    (older,) = re.findall(r'href="([^"]*cursor=[^"]*)"', first)
    second = (await client.get(html.unescape(older))).text
    names = re.compile(r'<b class="break">(e\d+)</b>')
    assert len({*names.findall(first), *names.findall(second)}) == 60
    assert "kind=track" in older
    assert "← newest" in second


async def test_the_outbox_shows_why_something_was_put_aside_and_how_to_try_it_again(
    full: Services, client: httpx.AsyncClient
) -> None:
    shown = (await client.get("/outbox")).text
    assert "INVALID_ARGUMENT: no &lt;script&gt;" in shown
    assert re.search(r"<code>parcours outbox retry \d+</code>", shown)
    assert "1 put aside" in shown


@pytest.mark.parametrize("path", ["/enrollments", "/mailbox", "/docs"])
async def test_the_other_pages_lead_there(client: httpx.AsyncClient, path: str) -> None:
    shown = (await client.get(path)).text
    assert 'href="/events"' in shown
    assert 'href="/outbox"' in shown

"""Segment's client for browsers, in a real one, on a page of another origin than the API."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Response

from api.routes.browser import SHORT
from api.scopes import ALL_SCOPES
from api.services import wall_time
from store.tables import Event
from tests.api.given import make_key
from tests.clients.chromium import App, app
from tests.clients.serving import NEAR, Serving, serving, store_away
from tests.store.conftest import migrated_file  # noqa: F401 — a fixture

pytestmark = pytest.mark.long

_RETRY_MS = 20_000  # its queue looks again within some seconds

LOAD = """
import { AnalyticsBrowser } from "@segment/analytics-next";
const analytics = AnalyticsBrowser.load(%s, %s);
const failed = [];
analytics.on("error", (error) => failed.push(String(error.reason)));
"""
SIX = """
window.done = Promise.all([
  analytics.identify("cust_42", { plan: "trial" }),
  analytics.track("trial_started", { plan: "pro" }),
  analytics.page("Pricing v1.2", { shown: "all" }),
  analytics.screen("Settings", { dark: true }),
  analytics.group("acme", { employees: 40 }),
  analytics.alias("cust_42", "visitor_7"),
]).then(() => failed);
"""
KEPT: Mapping[str, tuple[str | None, dict[str, Any]]] = {
    "identify": (None, {"plan": "trial"}),
    "track": ("trial_started", {"plan": "pro"}),
    "page": ("page", {"name": "Pricing v1.2", "shown": "all"}),
    "screen": ("screen", {"name": "Settings", "dark": True}),
    "group": (None, {"employees": 40}),
    "alias": (None, {}),
}
ONE = 'window.done = analytics.track("clicked", {}, { userId: "c1" }).then(() => failed);'


def program(api: Serving, then: str, key: str | None = None, **options: object) -> str:
    """A page's program: load the client, changed in nothing but host and key, and then …"""
    given = {"writeKey": key or api.key, "cdnURL": api.host}
    return LOAD % (json.dumps(given), json.dumps(options)) + then


def sent(api: Serving) -> list[str]:
    """What the page asked for, without preflights."""
    return [each for each in api.counted.requests if not each.startswith("OPTIONS")]


@dataclass(frozen=True)
class Browsed:
    """What came of the six calls, made once."""

    failed: object
    requests: Sequence[str]
    settings: str
    events: Sequence[Event]


@pytest.fixture(scope="module")
def browsed(
    migrated_file: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Browsed:
    """One run of a page, at which many tests look."""
    return asyncio.run(_browse(migrated_file, tmp_path_factory.mktemp("browsed")))


async def _browse(migrated: Path, folder: Path) -> Browsed:
    async with serving(migrated, folder) as api, app() as page:
        failed = await page.run(program(api, SIX))
        settings = f"GET /v1/projects/{api.key}/settings"
        return Browsed(failed, api.counted.requests, settings, await api.events())


def test_the_page_sees_no_error(browsed: Browsed) -> None:
    assert browsed.failed == []


@pytest.mark.parametrize("kind", KEPT)
def test_a_call_of_a_page_is_kept_once_as_what_it_is_and_when_it_happened(
    browsed: Browsed, kind: str
) -> None:
    name, properties = KEPT[kind]
    (kept,) = [event for event in browsed.events if event.kind == kind]
    assert (kept.name, kept.customer_id) == (name, "cust_42")
    assert kept.properties.items() >= properties.items()
    assert abs(wall_time() - kept.occurred_at) < timedelta(minutes=1)
    assert kept.received_at - kept.occurred_at < NEAR


def test_a_call_is_one_request_beside_the_settings(browsed: Browsed) -> None:
    posts = [f"POST /v1/{SHORT[kind]}" for kind in KEPT]
    asked = [each for each in browsed.requests if not each.startswith("OPTIONS")]
    assert Counter(asked) == Counter([browsed.settings, *posts])


@pytest.fixture
async def page() -> AsyncIterator[App]:
    async with app() as opened:
        yield opened


async def test_a_visitor_who_is_nobody_yet_is_taken_too(api: Serving, page: App) -> None:
    visit = 'window.done = analytics.track("pricing_viewed").then(() => failed);'
    assert await page.run(program(api, visit)) == []
    assert [event.name for event in await api.events()] == ["pricing_viewed"]


async def test_a_page_that_batches_sends_one_request(api: Serving, page: App) -> None:
    batching = {"deliveryStrategy": {"strategy": "batching", "config": {"size": 3}}}
    three = """
    const calls = [1, 2, 3].map((n) => analytics.track("ticked", { n }, { userId: "c1" }));
    window.done = Promise.all(calls).then(() => failed);
    """
    integrations = {"Segment.io": batching}
    async with page.page.expect_response("**/v1/b") as answer:
        assert await page.run(program(api, three, integrations=integrations)) == []
    assert (await answer.value).status == 200
    assert sent(api)[1:] == ["POST /v1/b"]
    assert sorted(event.properties["n"] for event in await api.events()) == [1, 2, 3]


async def test_while_the_store_is_away_the_page_keeps_its_event(api: Serving, page: App) -> None:
    """And sends it again by itself, with a header more, which it must be allowed."""
    api.counted.answers["POST /v1/t"] = [store_away()]
    async with page.page.expect_response(_taken, timeout=_RETRY_MS) as taken:
        assert await page.run(program(api, ONE)) == []
    assert (await taken.value).request.headers["x-retry-count"] == "1"
    assert sent(api)[1:] == ["POST /v1/t"] * 2
    assert [event.name for event in await api.events()] == ["clicked"]


def _taken(answer: Response) -> bool:
    return answer.url.endswith("/v1/t") and answer.request.method == "POST" and answer.ok


async def test_a_wrong_key_is_told_once(api: Serving, page: App) -> None:
    failed = await page.run(program(api, ONE, key="wrong"))
    assert failed == ["NonRetryableError: Non-retryable error: 401"]
    assert sent(api)[1:] == ["POST /v1/t"]


async def test_a_page_can_read_a_refusal_but_nothing_of_a_customer(api: Serving, page: App) -> None:
    manager = await make_key(api.services.database, *ALL_SCOPES)
    ask = f"""
    const ask = (path, init) => fetch("{api.host}" + path, {{
      headers: {{ Authorization: "Bearer {manager}" }}, ...init,
    }}).then((answer) => answer.json()).catch(String);
    window.done = Promise.all([
      ask("/v1/t", {{ method: "POST", body: "{{" }}), ask("/v1/customers/c1"),
    ]);
    """
    match await page.run(ask):
        case [{"code": code}, hidden]:
            assert (code, hidden) == ("invalid_json", "TypeError: Failed to fetch")
        case other:
            pytest.fail(str(other))

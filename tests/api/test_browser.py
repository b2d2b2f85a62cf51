"""Events from pages of any origin: the short paths, the settings, and who may read answers."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from api import auth
from api.app import create_app
from api.routes.browser import SHORT
from api.services import Services
from tests.api.given import kept_events, make_key
from tests.clients.serving import WRITE

PAGE = {"Origin": "https://app.example.com"}
CALL = {"userId": "c1", "event": "app_opened", "groupId": "acme", "previousId": "c0"}
ALLOW_ORIGIN, ALLOW_HEADERS = "access-control-allow-origin", "access-control-allow-headers"
CREDENTIALS, MAX_AGE = "access-control-allow-credentials", "access-control-max-age"

OPEN = [f"/v1/{name}" for pair in SHORT.items() for name in pair]
CLOSED = [
    "/v1/import",
    "/v1/customers/c1",
    "/v1/customers/c1/consents",
    "/v1/enrollments",
    "/v1/projects/x/sources",
    "/enrollments",
    "/healthz",
    "/v1/ii",
]


async def preflight(client: httpx.AsyncClient, path: str, asked: str) -> httpx.Response:
    headers = {
        **PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": asked,
    }
    return await client.options(path, headers=headers)


@pytest.mark.parametrize("kind", [kind for kind in SHORT if kind != "batch"])
async def test_a_short_path_takes_what_its_letter_stands_for(
    anyone: httpx.AsyncClient, services: Services, kind: str
) -> None:
    key = await make_key(services.database, WRITE)
    body = json.dumps({**CALL, "type": "wrong", "writeKey": key, "sentAt": None})
    headers = {**PAGE, "Content-Type": "text/plain"}
    answer = await anyone.post(f"/v1/{SHORT[kind]}", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    (kept,) = [each for each in await kept_events(services.database) if each.kind != "system"]
    assert kept.kind == kind


async def test_a_batch_has_a_short_path_too(client: httpx.AsyncClient, services: Services) -> None:
    calls = [{**CALL, "type": "track"}, {**CALL, "type": "page"}]
    answer = await client.post("/v1/b", json={"batch": calls}, headers=PAGE)
    assert answer.json() == {"success": True}
    kept = await kept_events(services.database)
    assert sorted(each.kind for each in kept if each.kind != "system") == ["page", "track"]


@pytest.mark.parametrize("path", [*OPEN, "/v1/m", "/v1/track/"])
async def test_any_page_may_send_events_and_remembers_that_it_may(
    anyone: httpx.AsyncClient, path: str
) -> None:
    asked = "authorization,content-type,x-retry-count"
    answer = await preflight(anyone, path, asked)
    assert answer.status_code == 200
    assert answer.headers[ALLOW_ORIGIN] == "*"
    assert {*asked.split(",")} <= {*answer.headers[ALLOW_HEADERS].lower().split(", ")}
    assert int(answer.headers[MAX_AGE]) >= 3600
    assert CREDENTIALS not in answer.headers


async def test_a_page_may_send_no_header_that_is_not_needed(anyone: httpx.AsyncClient) -> None:
    assert (await preflight(anyone, "/v1/t", "x-anything")).status_code == 400


@pytest.mark.parametrize("path", CLOSED)
async def test_no_page_may_ask_for_anything_else(client: httpx.AsyncClient, path: str) -> None:
    """Not with a key that may manage, even: it has no business in a page."""
    assert ALLOW_ORIGIN not in (await preflight(client, path, "authorization")).headers
    for method in ("GET", "POST"):
        assert ALLOW_ORIGIN not in (await client.request(method, path, headers=PAGE)).headers


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {**CALL, "userId": ""}, 400),
        ({"Authorization": "Bearer wrong"}, CALL, 401),
        ({}, {**CALL, "properties": {"long": "x" * 600_000}}, 413),
    ],
)
async def test_a_page_can_read_why_it_was_refused(
    client: httpx.AsyncClient, headers: dict[str, str], body: dict[str, Any], status: int
) -> None:
    answer = await client.post("/v1/t", json=body, headers={**PAGE, **headers})
    assert answer.status_code == status
    assert answer.headers[ALLOW_ORIGIN] == "*"
    assert CREDENTIALS not in answer.headers


@pytest.mark.parametrize(
    ("trouble", "status"), [(OperationalError("", {}, OSError()), 503), (ValueError(), 500)]
)
async def test_a_page_can_read_that_the_trouble_is_ours(
    services: Services, monkeypatch: pytest.MonkeyPatch, trouble: Exception, status: int
) -> None:
    async def broken(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(auth, "recognise", broken)
    transport = httpx.ASGITransport(app=create_app(services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://parcours.test") as client:
        sent = await client.post("/v1/t", json={**CALL, "writeKey": "k"}, headers=PAGE)
        managed = await client.get("/v1/enrollments", headers={**PAGE, "Authorization": "Bearer k"})
    assert (sent.status_code, managed.status_code) == (status, status)
    assert sent.headers[ALLOW_ORIGIN] == "*"
    assert ALLOW_ORIGIN not in managed.headers


async def test_the_settings_say_where_to_send_and_as_whom(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    answer = await anyone.get("/v1/projects/pk_1/settings", headers=PAGE)
    assert answer.status_code == 200
    assert answer.headers[ALLOW_ORIGIN] == "*"
    assert answer.headers["cache-control"] == "public, max-age=300"
    sender = answer.json()["integrations"]["Segment.io"]
    assert services.settings.public_url == "http://127.0.0.1:8080"
    assert sender == {"apiKey": "pk_1", "apiHost": "127.0.0.1:8080/v1", "protocol": "http"}


async def test_what_analytics_js_counts_about_itself_is_taken_and_dropped(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    answer = await anyone.post("/v1/m", content='{"series": []}', headers=PAGE)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert await kept_events(services.database) == []


async def test_a_key_of_a_page_may_do_nothing_but_write_events(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    anyone.headers["Authorization"] = f"Bearer {await make_key(services.database, WRITE)}"
    assert (await anyone.post("/v1/t", json=CALL)).status_code == 200
    for path in ("/v1/customers/c1", "/v1/enrollments"):
        assert (await anyone.get(path)).status_code == 403

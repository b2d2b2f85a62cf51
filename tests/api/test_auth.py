"""Who may do what, how much, and what is answered with the store away."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.app import create_app
from api.keyring import KNOWN_FOR
from api.scopes import ALL_SCOPES, Scope, may
from api.services import Services
from store import keys
from store.database import Database
from tests.api.asking import UNKNOWN, bearer, looked, sent
from tests.api.given import Wall, load_settings, make_key
from tests.temporal import free_port

SECOND = timedelta(seconds=1)


# Scopes


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ({Scope.EVENTS_WRITE}, {Scope.EVENTS_WRITE}),
        ({Scope.OFFERS}, {Scope.OFFERS}),
        ({Scope.SUPPORT}, {Scope.OFFERS, Scope.SUPPORT}),
        ({Scope.BROADCASTS}, {Scope.BROADCASTS}),
        ({Scope.ADMIN}, set(ALL_SCOPES) - {Scope.EVENTS_WRITE}),
        (
            {Scope.EVENTS_WRITE, Scope.SUPPORT},
            {Scope.EVENTS_WRITE, Scope.OFFERS, Scope.SUPPORT},
        ),
        (set(ALL_SCOPES), set(ALL_SCOPES)),
        ({"ingest", "manage"}, set()),
        (set(), set()),
    ],
)
def test_admin_may_what_support_may_and_events_are_apart(
    scopes: set[str], allowed: set[Scope]
) -> None:
    assert {scope for scope in Scope if may(scopes, scope)} == allowed


@pytest.mark.parametrize("scope", Scope)
async def test_each_scope_opens_its_own_routes(
    services: Services, anyone: httpx.AsyncClient, scope: Scope
) -> None:
    key = await make_key(services.database, scope)
    opens = {
        Scope.EVENTS_WRITE: (200, 403),
        Scope.OFFERS: (403, 403),  # coupons alone: tests/api/test_offers.py
        Scope.BROADCASTS: (403, 403),  # these alone: tests/api/test_broadcasts.py
        Scope.SUPPORT: (403, 200),
        Scope.ADMIN: (403, 200),
    }
    answers = [await sent(anyone, key), await looked(anyone, key)]
    assert tuple(answer.status_code for answer in answers) == opens[scope]
    for refused in (answer for answer in answers if answer.status_code == 403):
        assert refused.json()["code"] == "not_allowed"
        assert f"`{scope}`" in refused.json()["message"]
        assert "parcours keys create" in refused.json()["message"]


async def test_what_needs_admin_is_closed_to_support(
    services: Services, anyone: httpx.AsyncClient
) -> None:
    for scope, status in ((Scope.SUPPORT, 403), (Scope.EVENTS_WRITE, 403), (Scope.ADMIN, 404)):
        key = await make_key(services.database, scope, name=scope)
        answer = await anyone.delete("/v1/customers/nobody", headers=bearer(key))
        assert answer.status_code == status


async def test_a_wrong_key_is_told_what_to_do_by_the_word_of_its_route(
    anyone: httpx.AsyncClient,
) -> None:
    for answer, code, scope in (
        (await sent(anyone, UNKNOWN), "invalid_write_key", "events:write"),
        (await looked(anyone, UNKNOWN), "invalid_key", "support"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert f"parcours keys create NAME --scope {scope}" in answer.json()["message"]
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_key_in_the_header_is_checked_before_the_body_is_unpacked(
    anyone: httpx.AsyncClient,
) -> None:
    rubbish = b"\x1f\x8b rubbish"
    answer = await anyone.post("/v1/batch", content=rubbish, headers=bearer(UNKNOWN))
    assert answer.json()["code"] == "invalid_write_key"


# With the store away


async def test_with_the_store_away_a_key_just_used_is_known_and_any_other_not_judged(
    services: Services,
    anyone: httpx.AsyncClient,
    key: str,
    wall: Wall,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (await sent(anyone, key)).status_code == 200

    def refuse() -> None:
        raise ConnectionRefusedError("nobody listens")

    with monkeypatch.context() as away:
        away.setattr(services.database, "reading", refuse)
        assert (await sent(anyone, key)).status_code == 200
        for shown in (key, UNKNOWN):
            wall.pass_(KNOWN_FOR)
            answer = await sent(anyone, shown)
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
            assert int(answer.headers["retry-after"]) > 0
    assert (await sent(anyone, key)).status_code == 200


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_store_that_is_really_away_answers_503(tmp_path: Path, kind: str) -> None:
    url = {
        "sqlite": f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'store.db'}",
        # A name with two addresses, both of which refuse: the driver's error is then another.
        "postgresql": f"postgresql+asyncpg://nobody@localhost:{free_port()}/nothing",
    }[kind]
    services = Services(Database(url), load_settings(url))
    transport = httpx.ASGITransport(app=create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://parcours.test") as client:
        for answer in (await sent(client, UNKNOWN), await looked(client, UNKNOWN)):
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
            assert answer.headers["retry-after"] == "5"
    await services.database.dispose()


# SQLite calls everything operational.
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_statement_that_is_wrong_is_a_bug_and_no_outage(
    services: Services, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wrong(session: Any, *_: object) -> None:
        await session.execute(sa.text("SELECT nonsense FROM api_keys"))

    monkeypatch.setattr(keys, "find_valid", wrong)
    transport = httpx.ASGITransport(app=create_app(services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://parcours.test") as client:
        assert (await sent(client, key)).status_code == 500


# Too much


async def test_over_its_rate_a_key_is_told_when_to_come_again(
    services: Services, anyone: httpx.AsyncClient, wall: Wall
) -> None:
    key = await make_key(services.database, Scope.EVENTS_WRITE, rate=10)
    assert (await sent(anyone, key, 100)).status_code == 200
    refused = await sent(anyone, key)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.json()["success"] is False
    assert refused.headers["retry-after"] == "1"
    wall.pass_(SECOND)
    assert (await sent(anyone, key, 500)).status_code == 200  # larger than the bucket
    refused = await sent(anyone, key)
    assert refused.headers["retry-after"] == "50"
    wall.pass_(int(refused.headers["retry-after"]) * SECOND)
    assert (await sent(anyone, key)).status_code == 200


async def test_who_is_over_their_rate_is_refused_before_the_body_is_unpacked(
    services: Services, anyone: httpx.AsyncClient
) -> None:
    key = await make_key(services.database, Scope.EVENTS_WRITE, rate=1)
    assert (await sent(anyone, key, 10)).status_code == 200
    answer = await anyone.post("/v1/batch", content=b"\x1f\x8b rubbish", headers=bearer(key))
    assert answer.status_code == 429


async def test_one_key_over_its_rate_leaves_the_others_alone(
    services: Services, anyone: httpx.AsyncClient, key: str
) -> None:
    mad = await make_key(services.database, Scope.EVENTS_WRITE, name="mad", rate=1)
    await sent(anyone, mad, 50)
    assert (await sent(anyone, mad)).status_code == 429
    assert (await sent(anyone, key, 50)).status_code == 200


async def test_the_settings_rate_holds_for_keys_without_their_own(
    db: Database, url: str, wall: Wall
) -> None:
    services = Services(db, load_settings(url, rate_limit=1), wall=wall)
    common = await make_key(db, Scope.EVENTS_WRITE, name="common")
    endless = await make_key(db, Scope.EVENTS_WRITE, name="endless", rate=0)
    transport = httpx.ASGITransport(app=create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://parcours.test") as client:
        for key, status in ((common, 429), (endless, 200)):
            await sent(client, key, 20)
            assert (await sent(client, key)).status_code == status


async def test_looking_counts_as_one_event(services: Services, anyone: httpx.AsyncClient) -> None:
    key = await make_key(services.database, Scope.SUPPORT, rate=1)
    answers = [(await looked(anyone, key)).status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]


async def test_the_documentation_tells_of_waiting(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    for path, method in (("/v1/batch", "post"), ("/v1/enrollments", "get")):
        for status in ("429", "503"):
            assert "Retry-After" in paths[path][method]["responses"][status]["headers"]

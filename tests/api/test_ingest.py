"""The Segment HTTP API, as real SDKs use it."""

import asyncio
import base64
import gzip
import json
from typing import Any

import httpx
import pytest

from api.scopes import Scope
from api.services import Services
from store import customers
from store.database import Database
from tests.api.given import A_DAY, HOUR, enrollment, kept_events, make_key, outbox, publish

SUCCESS = {"success": True}

# Without the time of day in it: a test's name holds what it is given.
EMPTY = gzip.compress(b'{"batch": []}', mtime=0)


def call(event: str = "app_opened", **more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "c1", "event": event, **more}


def basic(key: str, *, colon: str = ":") -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{key}{colon}'.encode()).decode()}"}


async def names(database: Database) -> list[str | None]:
    return sorted(
        (each.name for each in await kept_events(database) if each.kind != "system"), key=str
    )


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("kind", ["identify", "track", "page", "screen"])
async def test_each_call_is_accepted_with_and_without_a_slash(
    client: httpx.AsyncClient, services: Services, kind: str, slash: str
) -> None:
    body = {"userId": "c1", "event": "app_opened", "traits": {"plan": "pro"}}
    answer = await client.post(f"/v1/{kind}{slash}", json=body)
    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    (kept,) = [each for each in await kept_events(services.database) if each.kind != "system"]
    assert kept.kind == kind


async def test_a_start_event_in_a_batch_enrolls(
    client: httpx.AsyncClient, services: Services
) -> None:
    await publish(services.database)
    batch = {"batch": [call("trial_started", messageId="m-1")]}
    for _ in range(2):
        answer = await client.post("/v1/batch", json=batch)
        assert (answer.status_code, answer.json()) == (200, SUCCESS)
    assert (await enrollment(services.database)).start_event_id == "m-1"
    assert len(await outbox(services.database)) == 1


async def test_a_bad_event_in_a_batch_never_harms_the_others(
    client: httpx.AsyncClient, services: Services
) -> None:
    bad: list[Any] = [
        call(""),
        call("with.dot"),
        call(userId=None),
        call(timestamp="next tuesday"),
        call(properties=["a"]),
        call("nul\0"),
        call(properties={"x": "y" * 40_000}),
        {"type": "alias", "userId": "c1"},
        None,
        7,
    ]
    answer = await client.post("/v1/batch", json={"batch": [call("a"), *bad, call("b")]})
    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    assert await names(services.database) == ["a", "b"]


async def test_a_batch_of_nothing_but_refused_events_says_what_is_wrong(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/v1/batch", json={"batch": [call("with.dot")]})
    assert answer.status_code == 400
    assert answer.json()["code"] == "reserved_name"
    assert "`with_dot`" in answer.json()["message"]


async def test_an_event_with_what_postgresql_cannot_keep_is_accepted(
    client: httpx.AsyncClient, services: Services
) -> None:
    body = json.dumps(call(properties={"a": "x\0y\ud800", "n": float("nan")}))
    answer = await client.post("/v1/track", content=body)
    assert answer.json() == SUCCESS
    (kept,) = [each for each in await kept_events(services.database) if each.kind == "track"]
    assert kept.properties == {"a": "xy\ufffd", "n": None}


@pytest.mark.parametrize("colon", [":", ""])
async def test_basic_authentication_takes_the_key_as_user_name(
    anyone: httpx.AsyncClient, key: str, colon: str
) -> None:
    answer = await anyone.post("/v1/track", json=call(), headers=basic(key, colon=colon))
    assert answer.status_code == 200


@pytest.mark.parametrize("where", ["batch", "call"])
async def test_the_key_may_be_in_the_body(anyone: httpx.AsyncClient, key: str, where: str) -> None:
    body = (
        {"batch": [call()], "writeKey": key}
        if where == "batch"
        else {"batch": [call(writeKey=key)]}
    )
    assert (await anyone.post("/v1/batch", json=body)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic "},
        {"Authorization": "Basic é".encode()},
        {"Authorization": "Basic /w=="},
        {"Authorization": "Digest a"},
    ],
)
async def test_without_a_valid_key_nothing_is_accepted(
    anyone: httpx.AsyncClient, services: Services, headers: dict[str, Any]
) -> None:
    answer = await anyone.post("/v1/track", json=call(), headers=headers)
    assert answer.status_code == 401
    assert answer.json()["success"] is False
    assert answer.json()["code"] == "invalid_write_key"
    assert await kept_events(services.database) == []


async def test_a_key_for_events_opens_nothing_else(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    headers = basic(await make_key(services.database, Scope.EVENTS_WRITE))
    assert (await anyone.post("/v1/track", json=call(), headers=headers)).status_code == 200
    answer = await anyone.get("/v1/customers/c1", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


@pytest.mark.parametrize("label", ["application/x-www-form-urlencoded", "text/plain"])
async def test_gzip_is_recognised_whatever_the_headers_say(
    client: httpx.AsyncClient, label: str
) -> None:
    packed = gzip.compress(json.dumps(call()).encode())
    for headers in ({"Content-Type": label}, {"Content-Encoding": "gzip", "Content-Type": label}):
        answer = await client.post("/v1/track", content=packed, headers=headers)
        assert answer.json() == SUCCESS


async def test_a_gzip_bomb_is_refused_without_being_unpacked(client: httpx.AsyncClient) -> None:
    bomb = gzip.compress(b" " * 100_000_000, mtime=0)
    answer = await client.post("/v1/batch", content=bomb)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"\xff\xfe\xfa", "invalid_json"),
        (b"[" * 40_000, "invalid_json"),
        (b"[" * 100_000, "too_large"),
        (b'{"batch": [' + b"[]," * 60_000 + b"0]}", "too_large"),
        (b"\x1f\x8b rubbish", "invalid_gzip"),
        (EMPTY[:20], "invalid_gzip"),
        (EMPTY + b"more", "invalid_gzip"),
        (EMPTY + EMPTY, "invalid_gzip"),
        (gzip.compress(EMPTY, mtime=0), "invalid_json"),
        (b"{}", "invalid_batch"),
        (b'{"batch": {}}', "invalid_batch"),
        (json.dumps({"batch": [None] * 2501}).encode(), "too_large"),
        (b" " * 600_000, "too_large"),
    ],
)
async def test_what_is_no_batch_is_refused_with_a_code(
    client: httpx.AsyncClient, body: bytes, code: str
) -> None:
    answer = await client.post("/v1/batch", content=body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == code
    assert answer.json()["success"] is False


async def test_an_empty_batch_is_no_mistake(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/batch", json={"batch": []})).json() == SUCCESS


async def test_the_senders_clock_is_corrected(
    client: httpx.AsyncClient, services: Services
) -> None:
    ahead = A_DAY + 5 * HOUR  # the sender's clock; the event waited there for an hour
    sent = {
        "batch": [call("a", timestamp=(ahead - HOUR).isoformat())],
        "sentAt": ahead.isoformat(),
    }
    await client.post("/v1/batch", json=sent)
    (kept,) = [each for each in await kept_events(services.database) if each.name == "a"]
    assert kept.occurred_at == A_DAY - HOUR
    assert kept.received_at == A_DAY


async def test_many_requests_for_one_customer_at_once_all_count(
    client: httpx.AsyncClient, services: Services
) -> None:
    def batch(number: int) -> dict[str, Any]:
        pair = [call("a", messageId=f"a{number}"), call("b", userId="c2", messageId=f"b{number}")]
        return {"batch": pair if number % 2 else pair[::-1]}

    answers = await asyncio.gather(
        *(client.post("/v1/batch", json=batch(number)) for number in range(20))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len(await names(services.database)) == 40
    async with services.database.reading() as session:
        assert await customers.get(session, "c2") is not None


async def test_an_unknown_address_answers_as_every_error_does(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/tracks", json=call())
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = await client.get("/v1/track")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


async def test_with_the_store_away_the_sender_is_told_to_come_again(
    client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise ConnectionRefusedError("nobody listens")

    monkeypatch.setattr(services.database, "reading", refuse)
    answer = await client.post("/v1/track", json=call())
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "nobody" not in answer.text

"""What is refused is kept, where it does no harm: for whoever wires the app."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlmodel import col

from api.refusals import AND_MORE, LONGEST_PAYLOAD, MOST_A_KEY, MOST_A_REQUEST, keep_with
from api.scopes import Scope
from api.services import Services
from store.tables import RefusedCall
from tests.api.asking import UNKNOWN, bearer
from tests.api.given import A_DAY, HOUR, Wall, kept_events, make_key, publish


def call(event: str = "app_opened", **more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "c1", "event": event, **more}


async def kept(services: Services) -> list[RefusedCall]:
    async with services.database.reading() as session:
        return list(await session.scalars(select(RefusedCall).order_by(col(RefusedCall.id))))


async def test_a_call_refused_alone_is_kept_with_what_can_be_read_of_it(
    client: httpx.AsyncClient, services: Services
) -> None:
    body = call("with.dot", messageId="m-1", properties={"plan": "pro"})
    assert (await client.post("/v1/track", json=body)).status_code == 400
    (row,) = await kept(services)
    assert (row.customer_id, row.kind, row.name, row.message_id) == (
        "c1",
        "track",
        "with.dot",
        "m-1",
    )
    assert (row.code, row.api_key, row.received_at) == ("reserved_name", "test", A_DAY)
    assert "`with_dot`" in row.message
    assert json.loads(row.payload)["properties"] == {"plan": "pro"}


async def test_those_of_a_batch_are_kept_beside_the_accepted_ones(
    client: httpx.AsyncClient, services: Services
) -> None:
    await publish(services.database)
    batch = [call(""), call("trial_started"), 7, call(userId=None, anonymousId="v1", event="")]
    assert (await client.post("/v1/batch", json={"batch": batch})).status_code == 200
    rows = await kept(services)
    assert [row.code for row in rows] == ["no_event_name", "not_an_object", "no_event_name"]
    assert [row.customer_id for row in rows] == ["c1", None, "anonymous:v1"]
    assert rows[1].payload == "7"
    assert "trial_started" in [event.name for event in await kept_events(services.database)]


async def test_calls_are_never_kept_without_those_accepted_in_the_same_request(
    client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise OperationalError("COMMIT", {}, Exception("the store went away"))

    monkeypatch.setattr("api.accept.keep_with", _and_then(fail))
    answer = await client.post("/v1/batch", json={"batch": [call(), call("")]})
    assert answer.status_code == 503
    assert await kept(services) == []
    assert await kept_events(services.database) == []


def _and_then(fail: Any) -> Any:
    async def both(*given: Any) -> None:
        await keep_with(*given)
        await fail()

    return both


async def test_those_of_requests_that_are_written_together_are_each_kept_once(
    client: httpx.AsyncClient, services: Services
) -> None:
    batches = [[call("", messageId=f"m{n}"), call("fine")] for n in range(10)]
    answers = await asyncio.gather(
        *(client.post("/v1/batch", json={"batch": batch}) for batch in batches)
    )
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(row.message_id or "" for row in await kept(services)) == [
        f"m{n}" for n in range(10)
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{not json", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"\x1f\x8b rubbish", "invalid_gzip"),
        (b"{}", "invalid_batch"),
        (b" " * 600_000, "too_large"),
        (json.dumps({"batch": [None] * 2501}).encode(), "too_large"),
    ],
)
async def test_a_body_of_which_nothing_can_be_read_is_kept_without_it(
    client: httpx.AsyncClient, services: Services, body: bytes, code: str
) -> None:
    await client.post("/v1/batch", content=body)
    (row,) = await kept(services)
    assert (row.code, row.payload, row.customer_id, row.api_key) == (code, "", None, "test")


async def test_nothing_is_kept_of_those_who_may_not_send(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    support = await make_key(services.database, Scope.SUPPORT)
    for headers in ({}, bearer(UNKNOWN), bearer(support)):
        assert (await anyone.post("/v1/track", json=call(""), headers=headers)).status_code > 400
        assert (await anyone.post("/v1/track", content=b"{", headers=headers)).status_code >= 400
    assert await kept(services) == []


@pytest.mark.parametrize(
    "raw",
    [
        call("nul\0"),
        call("\ud800"),
        call("", userId="a\0b\udfff", messageId="\0", type="track"),
        call("", userId=10**4000, messageId=1e400, properties={"\0": "\ud800"}),
        {**call(), "userId": -1.5, "event": {"a": 1}},
        call("x" * 5000, userId="y" * 5000),
        call("", userId=True),
    ],
    ids=range(7),
)
async def test_whatever_is_in_a_refused_call_can_be_kept(
    client: httpx.AsyncClient, services: Services, raw: dict[str, Any]
) -> None:
    for path, body in (("track", raw), ("batch", {"batch": [raw, call("fine")]})):
        answer = await client.post(f"/v1/{path}", content=json.dumps(body))
        assert answer.status_code == (400 if path == "track" else 200)
    rows = await kept(services)
    assert len(rows) == 2
    for row in rows:
        texts = (row.customer_id, row.name, row.message_id, row.payload)
        assert not any("\0" in (each or "") for each in texts)
        assert max(len(each or "") for each in texts) <= LONGEST_PAYLOAD


@pytest.mark.parametrize("depth", [100, 400, 900])
async def test_a_call_nested_as_deep_as_json_allows_is_refused_and_kept(
    client: httpx.AsyncClient, services: Services, depth: int
) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    body = f'{{"userId": "c1", "event": "a", "properties": {deep}}}'
    answer = await client.post("/v1/track", content=body)
    assert answer.status_code == 400
    (row,) = await kept(services)
    assert row.code in ("too_deep", "invalid_json")


async def test_the_payload_is_cut_and_holds_no_key(
    client: httpx.AsyncClient, services: Services
) -> None:
    body = call("", writeKey="pk_secret", properties={"a": "é" * 40_000})
    await client.post("/v1/track", json=body)
    (row,) = await kept(services)
    assert len(row.payload) == LONGEST_PAYLOAD
    assert "pk_secret" not in row.payload
    assert "ééé" in row.payload


async def test_of_a_request_only_so_many_are_kept_and_the_rest_is_counted(
    client: httpx.AsyncClient, services: Services
) -> None:
    batch = [call("")] * 2_000 + [call("fine")]
    assert (await client.post("/v1/batch", json={"batch": batch})).status_code == 200
    *rows, last = await kept(services)
    assert len(rows) == MOST_A_REQUEST - 1
    assert last.code == AND_MORE
    assert last.message.startswith(f"{2_000 - len(rows)} more")


async def test_of_a_key_only_so_many_are_kept_until_time_has_passed(
    client: httpx.AsyncClient, services: Services, wall: Wall
) -> None:
    async def send(requests: int) -> None:
        for _ in range(requests):
            await client.post("/v1/batch", json={"batch": [call("")] * 200})

    await send(15)
    assert len(await kept(services)) == MOST_A_KEY
    other = await make_key(services.database, Scope.EVENTS_WRITE, name="other")
    await client.post("/v1/track", json=call(""), headers=bearer(other))
    assert len(await kept(services)) == MOST_A_KEY + 1
    wall.pass_(HOUR / 10)
    await send(3)
    assert len(await kept(services)) == MOST_A_KEY * 1.1 + 1


async def test_a_refusal_stays_one_when_it_cannot_be_kept(
    client: httpx.AsyncClient, services: Services
) -> None:
    async with services.database.transaction() as session:
        await session.execute(text("ALTER TABLE refused_calls RENAME TO elsewhere"))
    try:
        answer = await client.post("/v1/track", json=call("with.dot"))
        assert (answer.status_code, answer.json()["code"]) == (400, "reserved_name")
        answer = await client.post("/v1/batch", json={"batch": [call(""), call("fine")]})
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        assert "fine" in [event.name for event in await kept_events(services.database)]
    finally:
        async with services.database.transaction() as session:
            await session.execute(text("ALTER TABLE elsewhere RENAME TO refused_calls"))


async def test_a_refusal_does_not_wait_for_a_store_that_hangs(
    client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    async def hang(*_: Any) -> None:
        await gate.wait()

    monkeypatch.setattr("store.refusals.append", hang)
    monkeypatch.setattr("api.refusals._PATIENCE", timedelta(milliseconds=10))
    answer = await client.post("/v1/track", json=call(""))
    assert answer.status_code == 400
    gate.set()
    await asyncio.gather(*services.refusals._keeping)

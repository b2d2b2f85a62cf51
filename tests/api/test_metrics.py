"""What is counted for Prometheus, by labels that nobody outside can choose."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError
from temporalio.service import RPCStatusCode

from api.app import create_app
from api.dispatcher import Dispatcher
from api.services import Services
from tests.api.asking import UNKNOWN, bearer, sent
from tests.api.fake_temporal import FakeTemporal, away, rpc_error
from tests.api.given import HOUR, Wall, load_settings, make_key, publish

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def samples(client: httpx.AsyncClient) -> Samples:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((f"parcours_{name}", frozenset(labels.items())))


def call(event: str = "app_opened", **more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "c1", "event": event, **more}


async def test_events_are_counted_once_by_kind_and_repeats_apart(
    client: httpx.AsyncClient,
) -> None:
    batch = [
        call(messageId="1"),
        call(messageId="1"),
        {"type": "identify", "userId": "c1", "messageId": "2"},
        {"type": "page", "userId": "c1", "messageId": "3"},
    ]
    for _ in range(2):
        await client.post("/v1/batch", json={"batch": batch})
    found = await samples(client)
    for kind in ("track", "identify", "page"):
        assert value(found, "events_accepted_total", kind=kind) == 1
    assert value(found, "events_accepted_total", kind="group") == 0
    assert value(found, "events_duplicate_total") == 5


async def test_refused_calls_and_whole_requests_are_counted_by_their_code(
    client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.post("/v1/batch", json={"batch": [call(""), call(""), call("a.b"), call()]})
    await client.post("/v1/track", json=call(""))
    await client.post("/v1/batch", content=b"{")
    await client.post("/v1/batch", content=b" " * 600_000)
    await client.post("/v1/track", json=call(), headers=bearer(UNKNOWN))
    support = await make_key(services.database, "support", name="s")
    await client.post("/v1/track", json=call(), headers=bearer(support))
    slow = await make_key(services.database, "events:write", name="slow", rate=1)
    for _ in range(11):
        await sent(client, slow)
    with monkeypatch.context() as patched:
        patched.setattr(services.database, "transaction", _away)
        await client.post("/v1/track", json=call())
    found = await samples(client)
    told = {
        dict(labels)["code"]: count
        for (name, labels), count in found.items()
        if name == "parcours_calls_refused_total"
    }
    assert told == {
        "no_event_name": 3,
        "reserved_name": 1,
        "invalid_json": 1,
        "too_large": 1,
        "invalid_write_key": 1,
        "not_allowed": 1,
        "rate_limited": 1,
        "store_unavailable": 1,
    }


def _away() -> None:
    raise OperationalError("BEGIN", {}, Exception("nobody listens"))


async def test_what_people_ask_wrongly_is_no_refused_call(client: httpx.AsyncClient) -> None:
    await client.get("/v1/customers/nobody")
    await client.get("/v1/events", headers=bearer(UNKNOWN))
    found = await samples(client)
    assert not [name for name, _ in found if name == "parcours_calls_refused_total"]


async def test_the_outbox_is_told_as_it_is_when_somebody_asks(
    client: httpx.AsyncClient,
    services: Services,
    dispatcher: Dispatcher,
    temporal: FakeTemporal,
    wall: Wall,
) -> None:
    await publish(services.database)
    found = await samples(client)
    assert [value(found, f"outbox_{each}") for each in ("pending", "oldest_seconds", "parked")] == [
        0,
        0,
        0,
    ]
    await client.post("/v1/track", json=call("trial_started"))
    wall.pass_(HOUR)
    found = await samples(client)
    assert value(found, "outbox_pending") == 1
    assert value(found, "outbox_oldest_seconds") == 3600
    temporal.fails = lambda _: rpc_error(RPCStatusCode.INVALID_ARGUMENT, "no")
    await dispatcher.drain()
    found = await samples(client)
    assert (value(found, "outbox_pending"), value(found, "outbox_parked")) == (0, 1)


async def test_each_attempt_to_carry_is_counted_and_timed_to_temporals_answer(
    client: httpx.AsyncClient,
    services: Services,
    dispatcher: Dispatcher,
    temporal: FakeTemporal,
    wall: Wall,
) -> None:
    await publish(services.database)
    await client.post("/v1/track", json=call("trial_started"))
    temporal.fails = away
    await dispatcher.drain()
    temporal.fails = lambda _: None
    wall.pass_(HOUR)
    await dispatcher.drain()
    found = await samples(client)
    assert value(found, "dispatched_total", kind="start", outcome="trouble") == 1
    assert value(found, "dispatched_total", kind="start", outcome="carried") == 1
    assert value(found, "dispatch_seconds_count") == 1
    assert value(found, "dispatch_seconds_sum") == 3600


async def test_requests_are_timed_by_the_routes_template_and_status(
    client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.post("/v1/track", json=call())
    await client.post("/v1/track", json=call(""))
    await client.get("/v1/customers/c1")
    await client.get("/v1/customers/somebody-else")
    await client.get("/no/such/place")
    found = await samples(client)
    for route, status in (
        ("/v1/track", "200"),
        ("/v1/track", "400"),
        ("/v1/customers/{customer_id:path}", "200"),
        ("/v1/customers/{customer_id:path}", "404"),
        ("unmatched", "404"),
    ):
        assert value(found, "request_seconds_count", route=route, status=status) == 1, route


async def test_a_request_that_met_a_bug_counts_as_one(
    services: Services, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bug(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("api.intake.accept", bug)
    transport = httpx.ASGITransport(app=create_app(services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://x.test") as client:
        client.headers.update(bearer(key))
        assert (await client.post("/v1/track", json=call())).status_code == 500
        found = await samples(client)
    assert value(found, "request_seconds_count", route="/v1/track", status="500") == 1
    assert value(found, "calls_refused_total", code="internal_error") == 1


async def test_nothing_from_outside_becomes_a_label(client: httpx.AsyncClient) -> None:
    for number in range(20):
        odd = f"hostile{number}"
        await client.post(f"/{odd}", json=call())
        await client.get(f"/v1/{odd}")
        await client.request(odd.upper(), "/v1/track")
        await client.post("/v1/track", json=call(f"{odd}.x", userId=odd, type=odd))
        await client.post("/v1/batch", json={"batch": [{"type": odd, "userId": odd}]})
        await client.get(f"/v1/customers/{odd}", headers=bearer(f"pk_{odd}"))
    text = (await client.get("/metrics")).text
    assert "hostile" not in text.lower()
    assert len({line for line in text.splitlines() if "_count{" in line}) < 10


async def test_two_applications_in_a_process_count_for_themselves(
    client: httpx.AsyncClient, services: Services
) -> None:
    other = Services(services.database, load_settings(), wall=services.wall)
    await client.post("/v1/track", json=call())
    text = other.metrics.text(None, other.wall()).decode()
    assert 'parcours_events_accepted_total{kind="track"} 0.0' in text
    assert re.search(r"^parcours_outbox_pending NaN$", text, re.MULTILINE)


async def test_with_the_store_away_the_rest_is_told_while_the_key_is_known(
    client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.post("/v1/track", json=call())
    monkeypatch.setattr(services.database, "reading", _away)
    answer = await asyncio.wait_for(client.get("/metrics"), 20)
    assert answer.status_code == 200
    assert "parcours_outbox_pending NaN" in answer.text
    assert 'parcours_events_accepted_total{kind="track"} 1.0' in answer.text

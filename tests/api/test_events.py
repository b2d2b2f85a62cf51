"""Looking in: what each event did, whether Temporal has heard, and why others did nothing."""

from typing import Any

import httpx
import pytest
from temporalio.service import RPCStatusCode

from api.dispatcher import Dispatcher
from api.scopes import Scope
from api.services import Services
from tests.api.asking import bearer
from tests.api.fake_temporal import FakeTemporal, away, rpc_error
from tests.api.given import DAY, HOUR, Wall, make_key, publish, trial


@pytest.fixture
async def published(services: Services) -> Services:
    await publish(services.database)
    return services


async def send(client: httpx.AsyncClient, kind: str, **body: Any) -> None:
    answer = await client.post(f"/v1/{kind}", json={"userId": "c1", **body})
    assert answer.status_code in (200, 400)


async def told(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/events", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["events"]
    return [each for each in found if each["kind"] != "system"]


async def test_an_event_says_what_it_did_and_to_which_enrollment(
    client: httpx.AsyncClient, published: Services
) -> None:
    await send(client, "track", event="trial_started", properties={"plan": "pro"}, messageId="m-1")
    (event,) = await told(client)
    assert (event["customer"], event["name"], event["message_id"]) == (
        "c1",
        "trial_started",
        "m-1",
    )
    assert event["properties"] == {"plan": "pro"}
    assert event["code"] is None
    (deed,) = event["did"]
    assert (deed["did"], deed["enrollment_id"]) == ("entered", "trial:c1")
    assert event["why"] == "It began `trial`."


async def test_each_deed_says_whether_temporal_has_heard(
    client: httpx.AsyncClient,
    published: Services,
    dispatcher: Dispatcher,
    temporal: FakeTemporal,
    wall: Wall,
) -> None:
    async def heard() -> tuple[str, str | None]:
        (event,) = await told(client)
        found = event["did"][0]["temporal"]
        return found["state"], found["reason"]

    await send(client, "track", event="trial_started")
    assert await heard() == ("waiting", None)
    temporal.fails = away
    await dispatcher.drain()
    assert await heard() == ("waiting", "UNAVAILABLE: connection refused")
    temporal.fails = lambda _: rpc_error(RPCStatusCode.INVALID_ARGUMENT, "blob too large")
    wall.pass_(HOUR)
    await dispatcher.drain()
    assert await heard() == ("parked", "INVALID_ARGUMENT: blob too large")
    temporal.fails = lambda _: None
    row_id = (await told(client))[0]["did"][0]["temporal"]["outbox_id"]
    assert (await client.post(f"/v1/outbox/{row_id}/retry")).status_code == 200
    assert await heard() == ("waiting", "UNAVAILABLE: connection refused")
    await dispatcher.drain()
    assert await heard() == ("carried", None)


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("track", {"event": "app_opened"}, "No journey waits for it."),
        (
            "track",
            {"event": "trial_cancelled"},
            "A journey waits for such events, but not for this one of this customer.",
        ),
        (
            "track",
            {"userId": None, "anonymousId": "v1", "event": "trial_started"},
            "It waits until somebody is known by this anonymous id.",
        ),
        ("identify", {"traits": {"plan": "pro"}}, "It moved no time of a journey."),
        (
            "group",
            {"groupId": "acme"},
            "It named the customer's company, and moved no time of a journey.",
        ),
        ("alias", {"previousId": "old"}, "It named an id the customer had before."),
        (
            "track",
            {"event": "trial_started", "timestamp": "2026-11-20T09:00:00Z"},
            "It did not start `trial`: when it was received, it was older than the journey's "
            "`fresh`.",
        ),
        (
            "track",
            {"event": "app_opened", "timestamp": "2039-01-01T00:00:00Z"},
            "No journey waits for it. It said that it happened in the future: the time of its "
            "arrival counts.",
        ),
        ("track", {"event": ""}, "`event`, the name of what happened, is missing."),
    ],
)
async def test_one_that_did_nothing_says_why_in_a_sentence(
    client: httpx.AsyncClient, published: Services, kind: str, body: dict[str, Any], why: str
) -> None:
    await send(client, kind, **body)
    (event,) = await told(client)
    assert (event["did"], event["why"]) == ([], why)


async def test_a_condition_that_could_not_be_evaluated_is_named(
    client: httpx.AsyncClient, services: Services
) -> None:
    where = "event.seats > customer.plan"
    journey = trial(starts_on={"event": "trial_started", "where": where})
    await publish(services.database, journey)
    await send(client, "identify", traits={"plan": "pro"})
    await send(client, "track", event="trial_started", properties={"seats": 5})
    event = next(each for each in await told(client) if each["kind"] == "track")
    assert f"The condition `{where}` could not be evaluated for it" in event["why"]


async def test_an_end_a_goal_a_moved_time_and_a_fired_step_are_told(
    client: httpx.AsyncClient, services: Services, wall: Wall
) -> None:
    steps = [{"send": "tip", "after_event": "tour_taken"}, {"send": "bye", "at": "start + 9 days"}]
    await publish(services.database, trial(steps=steps))
    for event in ("trial_started", "tour_taken", "subscription_purchased"):
        await send(client, "track", event=event)
        if event == "trial_started":
            wall.pass_(HOUR)
            await send(client, "identify", traits={"trial_ends_at": "2027-01-01"})
        wall.pass_(HOUR)
    deeds = [each["why"] for each in reversed(await told(client))]
    assert deeds == [
        "It began `trial`.",
        "It moved times in `trial`.",
        "It fired `tip` of `trial`.",
        "It reached the goal of `trial`.",
    ]
    (fired,) = (await told(client, name="tour_taken"))[0]["did"]
    assert fired["steps"] == ["tip"]


async def test_refused_ones_are_in_the_list_with_what_was_sent(
    client: httpx.AsyncClient, published: Services
) -> None:
    await send(client, "track", event="app_opened")
    await send(client, "track", event="with.dot", messageId="m-2")
    await client.post("/v1/track", content=b"{")
    assert [each["code"] for each in await told(client)] == [
        "invalid_json",
        "reserved_name",
        None,
    ]
    only = await told(client, rejected=True, name="with.dot")
    assert [(each["name"], each["api_key"], each["message_id"]) for each in only] == [
        ("with.dot", "test", "m-2")
    ]
    assert '"with.dot"' in only[0]["payload"]
    assert [each["code"] for each in await told(client, rejected=False)] == [None]


async def test_filters_by_name_kind_and_time(
    client: httpx.AsyncClient, published: Services, wall: Wall
) -> None:
    await send(client, "page", name="Pricing")
    wall.pass_(HOUR)
    await send(client, "track", event="a")
    assert [each["name"] for each in await told(client, name="a")] == ["a"]
    assert [each["name"] for each in await told(client, kind="page")] == ["page"]
    assert [each["name"] for each in await told(client, since=wall.at.isoformat())] == ["a"]
    assert await told(client, since=(wall.at + DAY).isoformat()) == []
    assert await told(client, customer="nobody") == []


async def test_a_customer_is_found_by_any_id_they_have_or_had(
    client: httpx.AsyncClient, published: Services
) -> None:
    anonymous = {"userId": None, "anonymousId": "v1"}
    await send(client, "track", event="seen", **anonymous)
    await send(client, "track", event="", **anonymous)
    await send(client, "track", event="other", userId="c2")
    for asked in ("v1", "anonymous:v1"):
        assert len(await told(client, customer=asked)) == 2
    await send(client, "identify", anonymousId="v1")
    await send(client, "track", event="with.dot")
    for asked in ("c1", "v1", "anonymous:v1"):
        found = await told(client, customer=asked)
        shown = sorted(each["name"] or each["kind"] for each in found)
        assert shown == ["identify", "seen", "track", "with.dot"]
        assert {each["customer"] for each in found if each["code"] is None} == {"c1"}


async def test_page_after_page_shows_each_once_while_others_arrive(
    client: httpx.AsyncClient, published: Services, wall: Wall
) -> None:
    for number in range(6):
        batch = [
            {"type": "track", "userId": "c1", "event": f"e{number}-{part}"} for part in range(3)
        ]
        bad = [
            {"type": "track", "userId": "c1", "event": f"bad.{number}-{part}"} for part in (0, 1)
        ]
        await client.post("/v1/batch", json={"batch": batch + bad})
        wall.pass_(HOUR)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 4}
    while True:
        page = (await client.get("/v1/events", params=query)).json()
        seen += [each["id"] for each in page["events"] if each["kind"] != "system"]
        await send(client, "track", event="late")
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 30


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "bnVsbA",
        "WzEsMl0",
        "WyIyMDI2LTExLTIzVDA5OjAwOjAwIiwgMV0",  # a time without a zone
        "WyI5OTk5LTEyLTMxVDIzOjU5OjU5Ljk5OTk5OSswMDowMCIsIDFd",  # the end of time
        "WyIyMDI2LTExLTIzVDA5OjAwOjAwKzAwOjAwIiwgOTk5OTk5OTk5OTk5OTk5OTk5OTk5OTld",  # a huge number
    ],
)
async def test_a_cursor_that_is_none_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/v1/events", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "query", [{"limit": 501}, {"limit": 0}, {"kind": "magic"}, {"since": "x"}, {"name": "\0"}]
)
async def test_a_filter_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, query: dict[str, Any]
) -> None:
    answer = await client.get("/v1/events", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_a_key_for_events_cannot_look_in(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    key = await make_key(services.database, Scope.EVENTS_WRITE)
    for path in ("/v1/events", "/v1/outbox", "/metrics"):
        assert (await anyone.get(path, headers=bearer(key))).status_code == 403
        assert (await anyone.get(path)).status_code == 401
    assert (await anyone.post("/v1/outbox/1/retry", headers=bearer(key))).status_code == 403

"""Looking at customers and enrollments, and steering them."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.services import Services
from engine.reasons import Decision, Ending, Reason
from store import audit, consents, enrollments, messages
from store.tables import ConsentState, EnrollmentState, OutboxKind
from tests.api.given import (
    A_DAY,
    DAY,
    HOUR,
    Wall,
    enrollment,
    identify,
    outbox,
    publish,
    take,
    track,
    trial,
)
from tests.store.given import a_claim

AT = "/v1/enrollments/trial:c1"


@pytest.fixture
async def inside(services: Services) -> Services:
    """A customer in the trial, nothing sent yet."""
    await publish(services.database)
    await take(services, identify(plan="trial", locale="fr"), track("trial_started"))
    return services


async def settle(services: Services, step: str, decision: Decision, reason: Reason | None) -> None:
    async with services.database.transaction() as session:
        await messages.claim(session, a_claim(step, decision=decision, reason=reason))


async def test_a_customer_with_enrollments_messages_and_reasons(
    client: httpx.AsyncClient, inside: Services
) -> None:
    await settle(inside, "thanks", Decision.NOT_SENT, Reason.NO_ADDRESS)
    told = (await client.get("/v1/customers/c1")).json()
    assert told["traits"] == {"plan": "trial", "locale": "fr"}
    assert told["zone"] == "UTC"
    (only,) = told["enrollments"]
    assert (only["id"], only["state"], only["next_step"]) == ("trial:c1", "open", "thanks")
    (message,) = told["messages"]
    assert message["reason"] == "no_address"
    assert message["why"] == "There is no address to send it to."


@pytest.mark.parametrize("customer", ["ann@acme.example", "a/b", "ü?x=1", "a b", "x/consents"])
async def test_any_id_an_app_may_use_is_found(
    client: httpx.AsyncClient, services: Services, customer: str
) -> None:
    await take(services, identify(customer=customer, plan="pro"))
    answer = await client.get(f"/v1/customers/{quote(customer, safe='')}")
    assert answer.json()["id"] == customer


async def test_enrollments_are_listed_and_filtered(
    client: httpx.AsyncClient, inside: Services
) -> None:
    await take(inside, track("trial_started", customer="c2"))
    await take(inside, track("trial_cancelled", A_DAY + HOUR, "c2"))

    async def ids(**params: str) -> list[str]:
        answer = await client.get("/v1/enrollments", params=params)
        return [each["id"] for each in answer.json()["enrollments"]]

    assert await ids() == ["trial:c1", "trial:c2"]
    assert await ids(state="exited") == ["trial:c2"]
    assert await ids(customer="c1", journey="trial") == ["trial:c1"]
    assert await ids(journey="other") == []
    assert await ids(limit="1", offset="1") == ["trial:c2"]


async def test_cancelling_closes_the_store_first_and_then_tells_temporal(
    client: httpx.AsyncClient, inside: Services
) -> None:
    answer = await client.post(f"{AT}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    row = await enrollment(inside.database)
    assert (row.ending, row.ended_by) == (Ending.CANCELLED, "key:test")
    assert (await outbox(inside.database))[-1].kind is OutboxKind.CANCEL
    async with inside.database.reading() as session:
        (entry,) = await audit.newest(session, enrollment_id="trial:c1")
    assert (entry.action, entry.actor) == ("cancel", "key:test")
    assert inside.woken.is_set()


async def test_pausing_and_resuming_are_written_first_and_told_in_order(
    client: httpx.AsyncClient, inside: Services, wall: Wall
) -> None:
    wall.pass_(HOUR)
    assert (await client.post(f"{AT}/pause")).json()["paused_at"] is not None
    assert (await enrollment(inside.database)).paused_at == A_DAY + HOUR
    assert (await client.post(f"{AT}/pause")).status_code == 200  # once is enough
    assert (await client.post(f"{AT}/resume")).json()["paused_at"] is None
    told = [row.payload for row in await outbox(inside.database) if row.kind == "update"]
    assert told == [
        {"update": "pause", "arg": {"by": "key:test"}},
        {"update": "resume", "arg": {"by": "key:test"}},
    ]


async def test_a_skipped_step_is_noted_and_told(
    client: httpx.AsyncClient, inside: Services
) -> None:
    answer = await client.post(f"{AT}/skip", json={"step": "thanks"})
    assert answer.json()["skipped_steps"] == ["thanks"]
    row = (await outbox(inside.database))[-1]
    assert row.payload == {"update": "skip", "arg": {"by": "key:test", "step": "thanks"}}


async def test_send_now_is_told(client: httpx.AsyncClient, inside: Services) -> None:
    assert (await client.post(f"{AT}/send-now", json={"step": "thanks"})).status_code == 200
    row = (await outbox(inside.database))[-1]
    assert row.payload == {"update": "send_now", "arg": {"by": "key:test", "step": "thanks"}}


@pytest.mark.parametrize("order", ["skip", "send-now"])
async def test_what_makes_no_sense_is_refused_in_words(
    client: httpx.AsyncClient, inside: Services, order: str
) -> None:
    await settle(inside, "thanks", Decision.SENT, None)
    before = len(await outbox(inside.database))
    settled = await client.post(f"{AT}/{order}", json={"step": "thanks"})
    assert (settled.status_code, settled.json()["code"]) == (409, "settled")
    unknown = await client.post(f"{AT}/{order}", json={"step": "tpi"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no_such_step")
    assert "`coupon`" in unknown.json()["message"]
    empty = await client.post(f"{AT}/{order}", json={})
    assert (empty.status_code, empty.json()["code"]) == (400, "invalid_request")
    assert "step" in empty.json()["message"]
    assert len(await outbox(inside.database)) == before


async def test_an_expired_step_may_still_be_sent_by_hand(
    client: httpx.AsyncClient, inside: Services
) -> None:
    await settle(inside, "coupon", Decision.NOT_SENT, Reason.EXPIRED)
    assert (await client.post(f"{AT}/send-now", json={"step": "coupon"})).status_code == 200


async def test_nothing_is_sent_now_while_paused(
    client: httpx.AsyncClient, inside: Services
) -> None:
    await client.post(f"{AT}/pause")
    answer = await client.post(f"{AT}/send-now", json={"step": "thanks"})
    assert (answer.status_code, answer.json()["code"]) == (409, "paused")


@pytest.mark.parametrize("order", ["cancel", "pause", "resume", "skip", "send-now"])
async def test_an_enrollment_that_has_ended_or_never_was_takes_no_order(
    client: httpx.AsyncClient, inside: Services, order: str
) -> None:
    await take(inside, track("trial_cancelled", A_DAY + HOUR))
    ended = await client.post(f"{AT}/{order}", json={"step": "thanks"})
    assert (ended.status_code, ended.json()["code"]) == (409, "ended")
    never = await client.post(f"/v1/enrollments/trial:c9/{order}", json={"step": "thanks"})
    assert (never.status_code, never.json()["code"]) == (404, "no_such_enrollment")


async def test_enrolling_by_hand_also_with_an_earlier_start(
    client: httpx.AsyncClient, services: Services
) -> None:
    await publish(services.database)
    await take(services, identify(plan="trial"))
    body: dict[str, Any] = {
        "customer_id": "c1",
        "start_at": (A_DAY - 21 * DAY).isoformat(),
        "message_id": "by-ann",
    }
    first = await client.post("/v1/journeys/trial/enroll", json=body)
    assert first.status_code == 200
    again = await client.post("/v1/journeys/trial/enroll", json=body)
    assert again.json() == first.json()
    row = await enrollment(services.database)
    assert (row.start_at, row.entered_at) == (A_DAY - 21 * DAY, A_DAY)
    async with services.database.reading() as session:
        assert len(await audit.newest(session, customer_id="c1")) == 1


@pytest.mark.parametrize(
    ("journey", "changes", "status", "code"),
    [
        ("trail", {}, 404, "no_such_journey"),
        ("trial", {"customer_id": "c9"}, 404, "no_such_customer"),
        ("trial", {"start_at": "2027-11-23T09:00:00Z"}, 400, "start_in_future"),
        ("trial", {"start_at": "2026-11-22T09:00:00"}, 400, "invalid_request"),
        ("trial", {"message_id": "another"}, 409, "already_enrolled"),
        ("cart", {}, 400, "no_key"),
    ],
)
async def test_enrolling_by_hand_where_it_can_not_be_is_refused_in_words(
    client: httpx.AsyncClient,
    services: Services,
    journey: str,
    changes: dict[str, Any],
    status: int,
    code: str,
) -> None:
    await publish(services.database, trial(), trial(journey="cart", key="cart_id"))
    await take(services, identify(plan="trial"))
    if code == "already_enrolled":
        await take(services, track("trial_started", A_DAY))
    body = {"customer_id": "c1", **changes}
    answer = await client.post(f"/v1/journeys/{journey}/enroll", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["success"] is False


async def test_a_change_of_consent_is_kept_with_who_said_so(
    client: httpx.AsyncClient, inside: Services
) -> None:
    body = {"topic": "onboarding", "subscribed": False, "wording": "by phone", "message_id": "x"}
    for _ in range(2):
        answer = await client.post("/v1/customers/c1/consents", json=body)
        assert answer.status_code == 200
    assert [each["state"] for each in answer.json()["consents"]] == ["unsubscribed"]
    async with inside.database.reading() as session:
        (said,) = await consents.of_customer(session, "c1")
        assert len(await audit.newest(session, customer_id="c1")) == 1
    assert (said.state, said.actor, said.wording) == (
        ConsentState.UNSUBSCRIBED,
        "key:test",
        "by phone",
    )


async def test_an_unknown_topic_or_customer_is_refused(
    client: httpx.AsyncClient, inside: Services
) -> None:
    body = {"topic": "onbording", "subscribed": False}
    answer = await client.post("/v1/customers/c1/consents", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "no_such_topic")
    answer = await client.post("/v1/customers/c9/consents", json={"subscribed": False})
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_customer")


async def test_one_enrollment_shows_its_decisions_and_what_people_did(
    client: httpx.AsyncClient, inside: Services
) -> None:
    await settle(inside, "thanks", Decision.NOT_SENT, Reason.EXPIRED)
    await client.post(f"{AT}/pause")
    told = (await client.get(AT)).json()
    assert [each["reason"] for each in told["messages"]] == ["expired"]
    assert [each["action"] for each in told["audit"]] == ["pause"]
    assert (await client.get("/v1/enrollments/trial:c9")).status_code == 404


async def test_the_store_says_closed_before_temporal_does(
    client: httpx.AsyncClient, inside: Services
) -> None:
    """What `deliver` reads from the moment of the answer on."""
    await client.post("/v1/track", json={"userId": "c1", "event": "trial_cancelled"})
    row = await enrollment(inside.database)
    # The event came without a time in the second of the start, which is not after it.
    assert row.state is EnrollmentState.OPEN
    later = {"userId": "c1", "event": "trial_cancelled"}
    wall = inside.wall
    assert isinstance(wall, Wall)
    wall.pass_(HOUR)
    await client.post("/v1/track", json=later)
    async with inside.database.reading() as session:
        assert await enrollments.open_for(session, "c1") == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/customers/a%00b",
        "/v1/enrollments/a%00b",
        "/v1/enrollments?customer=%00",
        "/v1/enrollments?journey=a%0Ab",
        f"/v1/enrollments?offset={2**63}",
        f"/v1/enrollments?offset={'9' * 5000}",
        "/v1/enrollments?limit=501",
        "/v1/enrollments?limit=-1",
        "/mailbox?customer=%00",
        f"/mailbox?page={2**63}",
        f"/mailbox/{2**63}",
        "/enrollments?journey=%00",
        "/enrollments/a%00b",
    ],
)
async def test_what_no_database_can_look_for_is_a_bad_request(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "wrong",
    [
        {"customer_id": "a\0b"},
        {"customer_id": ""},
        {"customer_id": "c" * 256},
        {"start_at": "0001-01-01T00:00:00+14:00"},
        {"start_at": "9999-12-31T23:59:59-14:00"},
        {"message_id": "m\n"},
        {"message_id": "m" * 101},
        {"half\ud800": 1},
        {"customer_id": "half\ud800"},
    ],
)
async def test_an_order_that_no_database_can_keep_is_a_bad_request(
    client: httpx.AsyncClient, inside: Services, wrong: dict[str, Any]
) -> None:
    order = json.dumps({"customer_id": "c1", **wrong})
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/v1/journeys/trial/enroll", content=order, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("topic", ["half\ud800", "a\0b", "x" * 300])
async def test_consent_to_a_topic_that_is_no_name_is_a_bad_request(
    client: httpx.AsyncClient, inside: Services, topic: str
) -> None:
    order = json.dumps({"topic": topic, "subscribed": True})
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/v1/customers/c1/consents", content=order, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_a_strangers_order_is_not_even_parsed(anyone: httpx.AsyncClient) -> None:
    for content in (b"[" * 100_000, b"\xff"):
        answer = await anyone.post("/v1/journeys/trial/enroll", content=content)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_key")


async def test_an_order_in_broken_json_is_a_bad_request(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    for content in (b"[" * 100_000, b"\xff", b'{"customer_id": ' + b"9" * 5000 + b"}", b"{"):
        answer = await client.post("/v1/journeys/trial/enroll", content=content, headers=headers)
        assert (answer.status_code, answer.json()["success"]) == (400, False)

"""What was put aside: a person sees it with its reason, and has it tried again."""

import httpx
import pytest
from temporalio.service import RPCStatusCode

from api.dispatcher import Dispatcher
from api.services import Services
from store import audit, outbox
from tests.api.fake_temporal import FakeTemporal, rpc_error
from tests.api.given import A_DAY, publish, take, track

REASON = "INVALID_ARGUMENT: blob too large"


@pytest.fixture
async def parked(services: Services, dispatcher: Dispatcher, temporal: FakeTemporal) -> int:
    """The number of a row that was put aside; another one waits."""
    await publish(services.database)
    await take(services, track("trial_started", message_id="m-start"))
    temporal.fails = lambda _: rpc_error(RPCStatusCode.INVALID_ARGUMENT, "blob too large")
    await dispatcher.drain()
    temporal.fails = lambda _: None
    await take(services, track("trial_started", customer="c2"))
    async with services.database.reading() as session:
        (row,) = await outbox.parked(session)
    assert row.id is not None
    return row.id


async def test_what_was_put_aside_is_listed_with_its_reason(
    client: httpx.AsyncClient, parked: int
) -> None:
    (row,) = (await client.get("/v1/outbox", params={"parked": True})).json()["rows"]
    assert (row["id"], row["state"], row["kind"]) == (parked, "parked", "start")
    assert (row["parked_reason"], row["attempts"]) == (REASON, 1)
    assert (row["enrollment_id"], row["event_id"]) == ("trial:c1", "m-start")
    (waits,) = (await client.get("/v1/outbox", params={"parked": False})).json()["rows"]
    assert (waits["state"], waits["enrollment_id"]) == ("waiting", "trial:c2")


async def test_tried_again_it_is_carried_and_the_audit_log_says_who_wanted_it(
    client: httpx.AsyncClient,
    services: Services,
    dispatcher: Dispatcher,
    temporal: FakeTemporal,
    parked: int,
) -> None:
    services.woken.clear()
    answer = await client.post(f"/v1/outbox/{parked}/retry")
    assert (answer.status_code, answer.json()["state"]) == (200, "waiting")
    assert services.woken.is_set()
    await dispatcher.drain()
    assert "trial:c1" in [asked.workflow for asked in temporal.heard]
    async with services.database.reading() as session:
        (entry,) = await audit.newest(session, enrollment_id="trial:c1")
    assert (entry.actor, entry.action, entry.at) == ("key:test", "outbox.retry", A_DAY)
    assert entry.details == {"row": parked, "reason": REASON}


async def test_only_what_was_put_aside_can_be_tried_again(
    client: httpx.AsyncClient, services: Services, parked: int
) -> None:
    assert (await client.post(f"/v1/outbox/{parked}/retry")).status_code == 200
    for number, status, code in (
        (parked, 409, "not_parked"),
        (99_999_999, 404, "no_such_row"),
        (10**30, 400, "invalid_request"),
    ):
        answer = await client.post(f"/v1/outbox/{number}/retry")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    async with services.database.reading() as session:
        assert len(await audit.newest(session, enrollment_id="trial:c1")) == 1

"""What clients do with our answers: nothing twice, nothing lost, nothing tried for ever."""

from collections import Counter
from typing import Any

import pytest
from starlette.responses import Response

from store import customers
from tests.api.given import enrollment, publish
from tests.clients.installed import CLIENTS, Client
from tests.clients.serving import Serving, store_away

each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)

_REQUEST = "POST /v1/batch"


def track(customer: str | int = "c1", event: str = "app_opened", **more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": customer, "event": event, **more}


@each_client
async def test_one_event_is_one_request(client: Client, api: Serving) -> None:
    said = await client.make([track()], api.host, api.key)
    assert said.errors == ()
    assert api.counted.requests == [_REQUEST]
    assert len(await api.events()) == 1


@each_client
async def test_250_events_arrive_as_250(client: Client, api: Serving) -> None:
    calls = [track(f"c{n % 7}", "ticked", properties={"n": n}) for n in range(250)]
    said = await client.make(calls, api.host, api.key)
    assert said.errors == ()
    kept = await api.events()
    assert sorted(event.properties["n"] for event in kept) == list(range(250))
    assert Counter(event.customer_id for event in kept)["c0"] == 36


@each_client
async def test_a_visitor_who_is_nobody_yet_is_taken_too(client: Client, api: Serving) -> None:
    visit = {"type": "track", "anonymousId": "visitor_7", "event": "pricing_viewed"}
    said = await client.make([visit], api.host, api.key)
    assert said.errors == ()
    assert [event.name for event in await api.events()] == ["pricing_viewed"]


# Just below a client's own 32 KB, and more of them than one request may hold.
LARGE = [track(properties={"n": n, "text": "é" * 5_000 + "x" * 1_000}) for n in range(40)]


@pytest.mark.parametrize(
    "client",
    [client for client in CLIENTS if client.name != "rudder"],  # it goes up to 4 MB
    ids=lambda client: client.name,
)
async def test_the_largest_batches_that_a_client_makes_fit(client: Client, api: Serving) -> None:
    said = await client.make(LARGE, api.host, api.key)
    assert said.errors == ()
    assert sorted(event.properties["n"] for event in await api.events()) == list(range(40))


async def test_a_batch_that_is_too_large_is_told_once(api: Serving) -> None:
    (rudder,) = [client for client in CLIENTS if client.name == "rudder"]
    (error,) = (await rudder.make(LARGE, api.host, api.key)).errors
    assert "too_large" in error
    assert api.counted.requests == [_REQUEST]
    assert await api.events() == []


@each_client
async def test_a_wrong_key_is_told_before_a_large_batch_is_read(
    client: Client, api: Serving
) -> None:
    calls = [track(properties={"text": "x" * 30_000}) for _ in range(14)]
    said = await client.make(calls, api.host, "wrong")
    assert said.errors != ()
    assert not [error for error in said.errors if "onnection" in error or "reset" in error.lower()]
    assert len(api.counted.requests) == client.tries_of_a_wrong_key


@pytest.mark.parametrize(
    "client",
    [client for client in CLIENTS if client.is_python],  # the one for Node takes text only
    ids=lambda client: client.name,
)
async def test_a_number_is_the_customer_of_that_name(client: Client, api: Serving) -> None:
    said = await client.make([track(42)], api.host, api.key)
    assert said.errors == ()
    assert [event.customer_id for event in await api.events()] == ["42"]


@each_client
async def test_a_trial_enrolls_its_customer(client: Client, api: Serving) -> None:
    await publish(api.services.database)
    zone = {"timezone": "Europe/Paris"}
    traits = {"email": "ann@acme.example", "trial_ends_at": "2099-01-01"}
    started = track(event="trial_started", properties={"plan": "pro"}, context=zone)
    identified = {"type": "identify", "userId": "c1", "traits": traits}
    said = await client.make([identified, started], api.host, api.key)
    assert said.errors == ()
    async with api.services.database.reading() as session:
        customer = await customers.get(session, "c1")
    assert customer is not None
    assert customer.traits == traits
    assert customer.context_timezone == "Europe/Paris"
    assert (await enrollment(api.services.database)).start_properties == {"plan": "pro"}


@each_client
async def test_a_wrong_key_is_told_and_not_tried_for_ever(client: Client, api: Serving) -> None:
    said = await client.make([track()], api.host, "wrong")
    assert said.errors != ()
    assert api.counted.requests == [_REQUEST] * client.tries_of_a_wrong_key
    assert await api.events() == []


@each_client
async def test_a_refused_event_is_not_tried_for_ever(client: Client, api: Serving) -> None:
    said = await client.make([track(event="with.dot")], api.host, api.key)
    assert said.errors != ()
    assert api.counted.requests == [_REQUEST]
    assert await api.events() == []


@each_client
async def test_a_refused_event_takes_no_other_with_it(client: Client, api: Serving) -> None:
    await client.make([track(event="with.dot"), track()], api.host, api.key)
    assert [event.name for event in await api.events()] == ["app_opened"]


@each_client
async def test_while_the_store_is_away_nothing_is_lost_and_nothing_comes_twice(
    client: Client, api: Serving
) -> None:
    api.counted.answers[_REQUEST] = [store_away()]
    said = await client.make([track()], api.host, api.key)
    assert said.errors == ()
    assert api.counted.requests == [_REQUEST] * 2
    assert len(await api.events()) == 1


@each_client
async def test_an_answer_that_got_lost_leaves_each_event_once(client: Client, api: Serving) -> None:
    """Written, and then a proxy says that it was not: the client sends it all again."""
    api.counted.lost_answers[_REQUEST] = [Response(status_code=502)]
    calls = [track(properties={"n": n}) for n in range(5)]
    said = await client.make(calls, api.host, api.key)
    assert said.errors == ()
    assert api.counted.requests == [_REQUEST] * 2
    assert sorted(event.properties["n"] for event in await api.events()) == list(range(5))

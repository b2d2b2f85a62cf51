"""Requests that arrive together are written together, and none suffers for another."""

import asyncio
from typing import Any

import pytest

from api import intake as module
from api.accept import Accepted, accept
from api.intake import Intake
from api.services import Services
from engine.calls import SegmentCall
from store.database import StoreAwayError
from tests.api.given import kept_events, track


@pytest.fixture
def taken(services: Services, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The message ids of each transaction, in order; a call named `broken` breaks its own."""
    transactions: list[list[str]] = []
    really = accept

    async def noted(
        services: Services, calls: list[SegmentCall], *more: Any, **named: Any
    ) -> Accepted:
        transactions.append([call.message_id for call in calls])
        if any(getattr(call, "event", "") == "broken" for call in calls):
            raise RuntimeError("broken")
        return await really(services, calls, *more, **named)

    monkeypatch.setattr(module, "accept", noted)
    return transactions


async def test_one_request_alone_is_written_at_once(
    services: Services, taken: list[list[str]]
) -> None:
    accepted = await Intake(services).take([track("looked", message_id="m1")])
    assert accepted.new == {"m1"}
    assert taken == [["m1"]]


async def test_what_arrives_meanwhile_is_the_next_transaction(
    services: Services, taken: list[list[str]]
) -> None:
    way_in = Intake(services)
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(way_in.take([track("looked", message_id=f"m{number}")]))
    assert taken == [["m0", "m1", "m2", "m3", "m4"]] or taken == [["m0"], ["m1", "m2", "m3", "m4"]]
    assert len(await kept_events(services.database)) == 6  # and `customer.created`


async def test_a_request_that_breaks_takes_no_other_with_it(
    services: Services, taken: list[list[str]]
) -> None:
    way_in = Intake(services)
    requests = [track("looked", message_id="m1"), track("broken"), track("looked", message_id="m3")]
    answers = await asyncio.gather(
        *(way_in.take([each]) for each in requests), return_exceptions=True
    )
    assert [isinstance(each, RuntimeError) for each in answers] == [False, True, False]
    kept = {each.message_id for each in await kept_events(services.database)}
    assert {"m1", "m3"} <= kept


async def test_with_the_store_away_all_hear_of_it_at_once(
    services: Services, taken: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried one by one, the last of twenty would wait twenty times as long as a lock does."""

    async def refuse(services: Services, calls: list[SegmentCall], *_: Any, **__: Any) -> Accepted:
        taken.append([call.message_id for call in calls])
        raise StoreAwayError("locked")

    monkeypatch.setattr(module, "accept", refuse)
    way_in = Intake(services)
    answers = await asyncio.gather(
        *(way_in.take([track("looked")]) for _ in range(20)), return_exceptions=True
    )
    assert [type(each) for each in answers] == [StoreAwayError] * 20
    assert len(taken) <= 2  # the first may have been alone


async def test_one_message_in_two_requests_of_one_transaction_is_one_event(
    services: Services,
) -> None:
    way_in = Intake(services)
    twice = [way_in.take([track("looked", message_id="m1")]) for _ in range(2)]
    await asyncio.gather(*twice)
    assert [e.message_id for e in await kept_events(services.database) if e.name == "looked"] == [
        "m1"
    ]


async def test_a_client_that_goes_away_has_its_event_stored(services: Services) -> None:
    way_in = Intake(services)
    going = asyncio.create_task(way_in.take([track("looked", message_id="m1")]))
    await asyncio.sleep(0)  # it has handed it in
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    await asyncio.gather(*way_in._tasks)
    assert "m1" in {each.message_id for each in await kept_events(services.database)}


async def test_the_largest_requests_are_not_put_together(
    services: Services, taken: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_CALLS", 3)
    way_in = Intake(services)
    await asyncio.gather(*(way_in.take([track("a"), track("b")]) for _ in range(3)))
    assert [len(each) for each in taken] == [2, 2, 2]

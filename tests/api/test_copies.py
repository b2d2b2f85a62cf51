"""However often events are sent, and however they are cut and mixed, each has one effect."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api.dispatcher import Dispatcher
from api.intake import Intake
from api.services import Services
from engine.calls import Identify, SegmentCall, Track
from store.database import Database
from store.tables import Enrollment, Event, EventKind, EventStats, OutboxRow
from tests.api.fake_temporal import FakeTemporal
from tests.api.given import A_DAY, Wall, publish, trial

_EVENTS, _CUSTOMERS, _COPIES = 1_000, 100, 10


def _life(number: int) -> SegmentCall:
    """Ten calls a customer: who they are, a start, a step's event, uses, and for half an exit."""
    customer, turn = f"c{number % _CUSTOMERS}", number // _CUSTOMERS
    common: dict[str, Any] = {
        "customer_id": customer,
        "message_id": f"m{number}",
        "at": A_DAY + timedelta(minutes=turn),
    }
    match turn:
        case 0:
            return Identify(**common, traits={"email": f"{customer}@example.com"})
        case 1:
            return Track(**common, event="trial_started")
        case 4:
            return Track(**common, event="helped")
        case 8 if number % 2:
            return Track(**common, event="subscription_purchased", properties={"total": 49})
        case _:
            return Track(**common, event="report_opened")


async def _effects(database: Database) -> dict[str, Any]:
    async with database.reading() as session:
        rows = list(await session.scalars(select(Event)))
        stats = list(await session.scalars(select(EventStats)))
        inside = list(await session.scalars(select(Enrollment)))
        told = list(await session.scalars(select(OutboxRow)))
    return {
        "events": sorted(row.message_id for row in rows if row.kind is not EventKind.SYSTEM),
        "counts": sum((Counter({row.name: row.count}) for row in stats), Counter()),
        "endings": Counter(row.state.value for row in inside),
        "started": Counter(row.enrollment_id for row in told if row.kind == "start"),
        "told": Counter((row.enrollment_id, row.event_id) for row in told if row.kind == "signal"),
    }


@pytest.mark.parametrize("seed", [1, 2])
async def test_ten_copies_of_a_thousand_events_have_a_thousand_effects(
    services: Services, wall: Wall, seed: int
) -> None:
    steps = [
        {"send": "thanks", "at": "start + 1 day"},
        {"send": "note", "after_event": "helped", "wait": "1 day"},
    ]
    made = trial(steps=steps)
    await publish(services.database, made)
    wall.pass_(timedelta(hours=1))
    draw = random.Random(seed)
    copies = [_life(number) for number in range(_EVENTS)] * _COPIES
    draw.shuffle(copies)
    requests: list[list[SegmentCall]] = []
    while copies:
        size = draw.choice((1, 3, 20, 100))
        requests.append(copies[:size])
        del copies[:size]
    way_in = Intake(services)
    for start in range(0, len(requests), 16):  # so many at a time, as from so many servers
        await asyncio.gather(*(way_in.take(each) for each in requests[start : start + 16]))

    effects = await _effects(services.database)
    assert effects["events"] == sorted(f"m{number}" for number in range(_EVENTS))
    assert effects["counts"] == {
        "customer.created": _CUSTOMERS,
        "trial_started": _CUSTOMERS,
        "helped": _CUSTOMERS,
        "subscription_purchased": _CUSTOMERS // 2,
        "report_opened": _EVENTS - _CUSTOMERS * 3 - _CUSTOMERS // 2,
    }
    assert effects["endings"] == {"open": _CUSTOMERS // 2, "converted": _CUSTOMERS // 2}
    assert set(effects["started"].values()) == {1}
    assert len(effects["started"]) == _CUSTOMERS
    # One signal for each step's event and each purchase, and none of them twice.
    assert set(effects["told"].values()) == {1}


async def test_an_event_that_no_journey_waits_for_costs_no_call_to_temporal(
    services: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await publish(services.database)
    way_in = Intake(services)
    started = Track(customer_id="c1", at=A_DAY, message_id="m0", event="trial_started")
    await way_in.take([started])
    await dispatcher.drain()
    assert len(temporal.heard) == 1
    for number in range(200):
        kind = ("track", "page", "screen")[number % 3]
        used = Track(customer_id="c1", at=A_DAY, message_id=f"u{number}", event="used", kind=kind)
        await way_in.take([used])
    await dispatcher.drain()
    assert len(temporal.heard) == 1

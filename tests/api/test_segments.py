"""Segments and computed traits as calls are taken in, and as time passes with nobody calling."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event as sql_event
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from api import ticking
from api.accept import Accepted, accept, accept_in
from api.services import Services
from api.ticking import Ticker
from engine.calls import Alias, Call
from engine.keys import anonymous_customer
from engine.reasons import Ending
from store import computed
from store.computed import Kept
from store.database import Database
from store.tables import EventKind
from tests.api.given import (
    A_DAY,
    DAY,
    Wall,
    enrollment,
    identify,
    kept_events,
    outbox,
    publish,
    take,
    track,
    trial,
)
from tests.store.given import policy

LAPSED = "customer.orders > 0 and count('order_completed', '90 days') == 0"
RULES = policy(
    traits={
        "orders": {"count": "order_completed"},
        "last_order_at": {"last": "order_completed"},
    },
    segments={"lapsed": {"when": LAPSED}, "adults": {"when": "customer.age >= 18"}},
)
WIN_BACK = trial(
    journey="win-back",
    starts_on={"enters": "lapsed"},
    ends_on=[],
    goal={"event": "order_completed"},
    ends_at=None,
    reenter="after_exit",
    steps=[{"send": "thanks", "at": "start + 1 day"}],
)
SORRY = trial(
    journey="sorry",
    starts_on={"enters": "lapsed"},
    ends_on={"leaves": "lapsed"},
    goal=(),
    ends_at=None,
    steps=[{"send": "thanks", "at": "start + 30 days"}],
)
CARE = trial(
    journey="care",
    starts_on="signed_up",
    ends_on={"enters": "adults"},
    goal=(),
    ends_at=None,
    steps=[{"send": "thanks", "at": "customer.last_order_at + 10 days", "repeat": True}],
)


async def told(services: Services) -> list[tuple[str, str, str, datetime]]:
    """Who entered and left what, and when, in that order."""
    found = [
        (each.name, each.properties["segment"], each.customer_id, each.occurred_at)
        for each in await kept_events(services.database)
        if each.name is not None and each.name.startswith("segment.")
    ]
    return sorted(found, key=lambda each: each[3])


async def row(services: Services, customer: str = "c1") -> Kept:
    async with services.database.reading() as session:
        return (await computed.of_customers(session, [customer]))[customer]


def order(at: datetime, customer: str = "c1", **more: Any) -> Any:
    return track("order_completed", at, customer, **more)


async def test_who_does_nothing_for_long_enters_at_that_very_instant(
    services: Services, wall: Wall
) -> None:
    await publish(services.database, WIN_BACK, rules=RULES)
    await take(services, order(A_DAY))
    assert await told(services) == []
    due = A_DAY + 90 * DAY
    assert (await row(services)).changes_at == due
    ticker = Ticker(services)
    wall.at = due - timedelta(seconds=1)
    await ticker.tick()
    assert await told(services) == []
    wall.at = due + timedelta(hours=7)  # nobody was there to look on time
    assert await ticker.tick() == 1
    assert await told(services) == [("segment.entered", "lapsed", "c1", due)]
    assert (await enrollment(services.database, "win-back:c1")).start_at == due
    assert await ticker.tick() == 0


@pytest.mark.parametrize(
    "more",
    [{"kind": EventKind.SYSTEM}, {"locale": "fr"}, {"clamped": True}, {"historical": True}],
    ids=lambda more: next(iter(more)),
)
async def test_whatever_makes_somebody_leave_ends_what_leaving_ends(
    services: Services, wall: Wall, more: dict[str, Any]
) -> None:
    # Calls that are not plain, of events that no journey looks at.
    await publish(services.database, SORRY, rules=RULES)
    await take(services, order(A_DAY))
    wall.at = A_DAY + 90 * DAY
    await Ticker(services).tick()
    again = A_DAY + 100 * DAY
    await take(services, replace(order(again), **more))
    assert ("segment.left", "lapsed", "c1", again) in await told(services)
    ended = await enrollment(services.database, "sorry:c1")
    assert (ended.ending, ended.ended_at) == (Ending.EXITED, again)


async def test_who_returns_converts_leaves_and_may_lapse_again(
    services: Services, wall: Wall
) -> None:
    await publish(services.database, WIN_BACK, rules=RULES)
    await take(services, order(A_DAY))
    wall.at = A_DAY + 90 * DAY
    ticker = Ticker(services)
    await ticker.tick()
    back = A_DAY + 100 * DAY
    await take(services, order(back))
    assert [each[0] for each in await told(services)] == ["segment.entered", "segment.left"]
    assert (await enrollment(services.database, "win-back:c1")).ending is Ending.CONVERTED
    wall.at = back + 90 * DAY
    await ticker.tick()
    assert (await enrollment(services.database, "win-back:c1:~2")).ending is None


async def test_what_time_changed_comes_before_a_call_though_nobody_had_looked(
    services: Services, wall: Wall
) -> None:
    await publish(services.database, WIN_BACK, rules=RULES)
    await take(services, order(A_DAY))
    wall.at = back = A_DAY + 90 * DAY + timedelta(hours=5)
    await take(services, order(back))
    assert await told(services) == [
        ("segment.entered", "lapsed", "c1", A_DAY + 90 * DAY),
        ("segment.left", "lapsed", "c1", back),
    ]
    assert (await enrollment(services.database, "win-back:c1")).ending is Ending.CONVERTED


async def test_a_trait_that_was_told_moves_into_a_segment_and_ends_what_ends_on_it(
    services: Services,
) -> None:
    await publish(services.database, CARE, rules=RULES)
    await take(services, track("signed_up"), identify(A_DAY + DAY, age=17))
    await take(services, identify(A_DAY + 2 * DAY, age=18))
    assert await told(services) == [("segment.entered", "adults", "c1", A_DAY + 2 * DAY)]
    assert (await enrollment(services.database, "care:c1")).ending is Ending.EXITED


async def test_steps_move_with_a_computed_date(services: Services) -> None:
    await publish(services.database, CARE, rules=RULES)
    await take(services, track("signed_up"))
    assert (await enrollment(services.database, "care:c1")).next_at is None
    await take(services, order(A_DAY + DAY))
    (moved,) = [r for r in await outbox(services.database) if r.kind == "signal"]
    assert moved.payload["traits"] == {"last_order_at": "2026-11-24T09:00:00Z"}
    # An order from before says nothing new about the last one.
    await take(services, order(A_DAY + timedelta(hours=1)))
    assert len([r for r in await outbox(services.database) if r.kind == "signal"]) == 1


async def test_a_publication_moves_nobody_and_the_ticker_computes_the_rest(
    services: Services, wall: Wall
) -> None:
    await publish(services.database, WIN_BACK)
    for who in ("c1", "c2", "c3"):
        await take(services, order(A_DAY, who), identify(A_DAY, who, age=40))
    wall.at = now = A_DAY + 200 * DAY
    await publish(services.database, WIN_BACK, rules=RULES)
    await take(services, identify(now, "c1", name="Ann"))  # before anybody has looked at all
    assert (await row(services)).inside == ["adults", "lapsed"]
    assert await Ticker(services, at_once=1).tick() == 2
    assert (await row(services, "c3")).inside == ["adults", "lapsed"]
    assert await told(services) == []
    await take(services, order(now + DAY, "c3"))
    assert await told(services) == [("segment.left", "lapsed", "c3", now + DAY)]


@pytest.mark.parametrize("beside", [(), (identify(A_DAY + 3 * DAY, name="Ann"),)])
async def test_the_first_event_after_a_publication_counts_once(
    services: Services, beside: Sequence[Call]
) -> None:
    """Whoever is computed anew has it among their events already, whichever way they are taken."""
    keen = policy(
        traits={"views": {"count": "page_viewed"}},
        segments={"keen": {"when": "count('page_viewed') >= 4"}},
    )
    await publish(services.database, SORRY)
    await take(services, track("page_viewed", A_DAY), track("page_viewed", A_DAY + DAY))
    for rules in (keen, keen.model_copy(update={"segments": {}})):
        await publish(services.database, SORRY, rules=rules)
        await take(services, track("page_viewed", A_DAY + 3 * DAY), *beside)
    kept = (await row(services)).state["kept"]
    assert kept["views"] == 4
    await publish(services.database, SORRY, rules=keen)
    await take(services, track("saved", A_DAY + 4 * DAY), identify(A_DAY + 4 * DAY))
    assert (await row(services)).inside == ["keen"]


async def test_a_call_that_is_told_twice_counts_once(services: Services) -> None:
    await publish(services.database, WIN_BACK, rules=RULES)
    first, again = order(A_DAY), order(A_DAY + DAY)
    await take(services, first)
    await take(services, again, again, replace(again, at=A_DAY + 2 * DAY))
    await take(services, again, first)
    kept = (await row(services)).state["kept"]
    await take(services, order(A_DAY, "c2"), order(A_DAY + DAY, "c2"))
    assert kept == (await row(services, "c2")).state["kept"]


async def test_support_sees_what_is_computed_and_the_segments(
    services: Services, client: httpx.AsyncClient
) -> None:
    await publish(services.database, WIN_BACK, rules=RULES)
    await take(services, identify(age=40), order(A_DAY), order(A_DAY))
    told = (await client.get("/v1/customers/c1")).json()
    assert told["traits"] == {"age": 40}
    assert told["computed"] == {"last_order_at": "2026-11-23T09:00:00Z", "orders": 2}
    assert told["segments"] == ["adults"]


async def test_history_that_is_imported_counts_and_starts_nothing(
    services: Services, wall: Wall
) -> None:
    await publish(services.database, WIN_BACK, rules=RULES)
    wall.at = A_DAY + 400 * DAY
    await accept(services, [order(A_DAY, historical=True)], received_at=wall.at)
    await Ticker(services).tick()
    assert (await row(services)).inside == ["lapsed"]
    assert not await outbox(services.database)


async def test_what_a_visitor_did_is_the_customers_once_they_are_known(services: Services) -> None:
    await publish(services.database, CARE, rules=RULES)
    device = anonymous_customer("d1")
    await take(services, order(A_DAY, device), order(A_DAY + DAY, device))
    await take(services, track("signed_up", A_DAY + 2 * DAY))
    known = Alias(customer_id="c1", at=A_DAY + 3 * DAY, message_id="a1", formerly=(device,))
    await take(services, known)
    kept = await row(services)
    assert kept.changes_at == A_DAY + 91 * DAY
    async with services.database.reading() as session:
        assert list(await computed.of_customers(session, [device, "c1"])) == ["c1"]


class Odd:
    """In place of `accept_in`: one customer is more than it can do, until it is mended."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.asked_at: list[datetime] = []

    async def __call__(
        self, session: Any, services: Services, calls: Sequence[Call], at: datetime
    ) -> Accepted:
        if any(call.customer_id == "c2" for call in calls):
            if len(calls) == 1:
                self.asked_at.append(services.wall())
            if self.error is not None:
                raise self.error
        return await accept_in(session, services, calls, at)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), IntegrityError("INSERT", {}, ValueError("a key is taken"))]
)
async def test_one_who_makes_trouble_holds_up_nobody_else(
    services: Services, wall: Wall, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    await publish(services.database, WIN_BACK, rules=RULES)
    await take(services, *(order(A_DAY, f"c{n}") for n in range(5)))
    wall.at = A_DAY + 91 * DAY
    monkeypatch.setattr(ticking, "accept_in", Odd(error))
    ticker = Ticker(services, at_once=2)
    assert await ticker.tick() == 4
    assert {each[2] for each in await told(services)} == {"c0", "c1", "c3", "c4"}
    assert await ticker.tick() == 0


async def test_who_makes_trouble_is_tried_again_ever_more_rarely_until_it_is_mended(
    services: Services, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(services.database, WIN_BACK, rules=RULES)
    await take(services, order(A_DAY, "c2"))
    wall.at = A_DAY + 91 * DAY
    odd = Odd(ZeroDivisionError())
    monkeypatch.setattr(ticking, "accept_in", odd)
    ticker = Ticker(services)
    pauses = (1, 2, 4, 8, 16, 32, 60, 60)
    with capture_logs() as logs:
        assert await ticker.tick() == 0
        for times, minutes in enumerate(pauses, start=1):
            wall.pass_(timedelta(minutes=minutes, seconds=-1))
            await ticker.tick()
            assert len(odd.asked_at) == times
            wall.pass_(timedelta(seconds=1))
            assert await ticker.tick() == 0
            assert odd.asked_at[times:] == [wall.at]
    assert [each["again_in_seconds"] for each in logs] == [60 * each for each in (*pauses, 60)]
    odd.error = None
    wall.pass_(timedelta(hours=1))
    assert await ticker.tick() == 1
    assert await told(services) == [("segment.entered", "lapsed", "c2", A_DAY + 90 * DAY)]
    wall.pass_(DAY)
    assert await ticker.tick() == 0


async def test_who_was_in_trouble_with_what_is_no_more_is_tried_at_once(
    services: Services, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(services.database, WIN_BACK)
    await take(services, order(A_DAY, "c2"))
    wall.at = A_DAY + 91 * DAY
    odd = Odd(ZeroDivisionError())
    monkeypatch.setattr(ticking, "accept_in", odd)
    ticker = Ticker(services)
    await publish(services.database, WIN_BACK, rules=RULES)
    assert await ticker.tick() == 0
    odd.error = None
    mended = {"lapsed": {"when": LAPSED}}
    rules = policy(traits={"orders": {"count": "order_completed"}}, segments=mended)
    await publish(services.database, WIN_BACK, rules=rules)
    assert await ticker.tick() == 1
    assert (await row(services, "c2")).inside == ["lapsed"]


async def test_of_who_has_nothing_to_wait_for_nobody_asks(services: Services, wall: Wall) -> None:
    """The cost of a quiet customer: not one query, however many there are."""
    await publish(services.database, WIN_BACK, rules=RULES)
    await take(services, *(identify(A_DAY, f"c{n}", age=40) for n in range(100)))
    ticker = Ticker(services)
    await ticker.tick()
    statements: list[str] = []
    for engine in _engines(services.database):
        sql_event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    for _ in range(10):
        wall.at += DAY
        assert await ticker.tick() == 0
    assert len([each for each in statements if "computed" in each]) == 10
    assert len(statements) <= 20  # and what is published


def _engines(database: Database) -> Sequence[Any]:
    """PostgreSQL's reader is the writer with an option, and hears what the writer hears."""
    both = (database._writer.sync_engine, database._reader.sync_engine)
    return both if database.is_sqlite else both[:1]


@pytest.mark.parametrize("late", [timedelta(0), 3 * DAY])
async def test_an_order_heard_of_late_counts_from_when_it_happened(
    services: Services, wall: Wall, late: timedelta
) -> None:
    await publish(services.database, WIN_BACK, rules=RULES)
    await take(services, order(A_DAY))
    wall.at = A_DAY + 30 * DAY + late
    await accept(services, [order(A_DAY + 30 * DAY)], received_at=wall.at)
    assert (await row(services)).changes_at == A_DAY + 120 * DAY

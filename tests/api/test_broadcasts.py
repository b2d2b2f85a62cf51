"""Broadcasts in pages: who is in the audience gets it once, and of the others it is told why."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.broadcasting import taking_up
from api.broadcasting.asked import Asked
from api.broadcasting.orders import Broadcasting, close_left
from api.broadcasting.previewing import preview
from api.broadcasting.taking_up import take_up
from api.errors import ApiError, ConflictError
from api.services import Services
from api.steering import Steering
from engine.calls import ChangeConsent, Identify
from engine.keys import anonymous_customer
from store import archives, audit, broadcasts, customers, enrollments
from store.tables import ArchivedInside
from tests.api.broadcasting import (
    all_pages,
    begun,
    enrolled,
    known,
    later,
    publish,
    row_of,
)
from tests.api.given import A_DAY, HOUR, identify, kept_events, outbox, take, track, trial
from tests.store.given import policy


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few customers are several pages."""
    monkeypatch.setattr(taking_up, "LOOKED_AT", 3)
    monkeypatch.setattr(taking_up, "MOST_TAKEN", 2)


SOME = [f"c{n}" for n in range(1, 9)]


async def test_everybody_is_enrolled_once_and_temporal_hears_of_each(services: Services) -> None:
    await publish(services.database)
    await known(services, *SOME)
    await begun(services, journey="trial")
    told = await all_pages(services)
    assert [each.taken for each in told if each.taken] == [2, 2, 2, 2]
    assert set(await enrolled(services, *SOME)) == set(SOME)
    starts = [row.customer_id for row in await outbox(services.database)]
    assert sorted(starts) == SOME
    row = await row_of(services)
    assert (row.state, row.cursor, row.counted["in"]) == ("done", None, 8)


async def test_a_page_that_dies_before_its_end_is_done_again_and_nothing_twice(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(services.database)
    await known(services, *SOME)
    await begun(services, journey="trial")
    await take_up(services, "sale")

    def die(*_: Any) -> None:
        raise SystemExit  # as good as `kill -9`: nothing of the transaction is left

    with monkeypatch.context() as patched:
        patched.setattr(broadcasts, "note", die)
        with pytest.raises(SystemExit):
            await take_up(services, "sale")
    assert set(await enrolled(services, *SOME)) == {"c1", "c2"}
    await all_pages(services)
    assert len(await outbox(services.database)) == len(SOME)


async def test_those_who_may_not_enter_are_counted_by_reason(services: Services) -> None:
    await publish(services.database)
    await known(services, *SOME, plan="pro")
    await known(services, "c2", plan="free")
    await take(services, track("trial_started", customer="c3"))
    asked = Asked("sale", journey="trial", audience="customer.plan == 'pro'")
    foreseen = await preview(services, asked, "test")
    assert (foreseen.customers, foreseen.audience, foreseen.gets) == (8, 7, 6)
    await begun(services, journey="trial", audience="customer.plan == 'pro'")
    await all_pages(services)
    counted = (await row_of(services)).counted
    assert counted["in"] == foreseen.gets
    assert counted["out"] == foreseen.out == {"not_in_audience": 1, "already_enrolled": 1}


async def test_an_event_routes_as_any_but_is_no_use_of_the_product(services: Services) -> None:
    journey = trial(ends_on=["all_clear"])
    await publish(services.database, journey)
    await known(services, *SOME)
    for who in ("c1", "c2"):
        await take(services, track("trial_started", customer=who))
    later(services, A_DAY + HOUR)
    await begun(services, event="all_clear", properties={"line": 4})
    await all_pages(services)
    rows = await enrolled(services, "c1", "c2")
    assert {row.state for row in rows.values()} == {"exited"}
    told = [each for each in await kept_events(services.database) if each.name == "all_clear"]
    assert len(told) == len(SOME)
    assert told[0].properties == {"line": 4}
    async with services.database.reading() as session:
        row = await customers.get(session, "c1")
        other = await customers.get(session, "c5")
    assert row is not None
    assert other is not None
    assert (row.last_seen_at, other.last_seen_at) == (A_DAY, None)


async def test_visitors_names_of_others_and_the_erased_are_nobody(services: Services) -> None:
    await publish(services.database)
    await known(services, "c1", "c2")
    await take(services, identify(customer="anonymous:v1", email="v@acme.example"))
    joined = Identify(
        customer_id="c1", at=A_DAY, message_id="join", traits={}, formerly=("anonymous:v1",)
    )
    await take(services, joined)
    await begun(services, event="told")
    await all_pages(services)
    told = [each for each in await kept_events(services.database) if each.name == "told"]
    assert sorted(each.customer_id for each in told) == ["c1", "c2"]


async def test_who_had_it_under_another_name_does_not_get_it_again(services: Services) -> None:
    await publish(services.database)
    await known(services, "c1", "c2", "c3", "c4")
    await begun(services, event="told")
    await take_up(services, "sale")  # c1 and c2
    joined = Identify(customer_id="c4", at=A_DAY, message_id="join", traits={}, formerly=("c1",))
    await take(services, joined)
    await all_pages(services)
    told = [each for each in await kept_events(services.database) if each.name == "told"]
    assert sorted(each.customer_id for each in told) == ["c2", "c3", "c4"]
    assert (await row_of(services)).counted["in"] == 3


ZONES = {
    "c1": "Europe/Paris",
    "c2": "America/New_York",
    "c3": "Pacific/Auckland",
    "c4": "America/New_York",
    "c5": "Europe/Paris",
}


async def test_each_gets_it_at_their_own_hour_and_the_audience_is_asked_then(
    services: Services,
) -> None:
    await publish(services.database)  # it is 09:00 UTC
    for who, name in ZONES.items():
        await known(services, who, timezone=name, plan="pro")
    await begun(services, journey="trial", local_time="11:00", audience="customer.plan == 'pro'")
    # 11:00 has passed in Auckland (22:00); in Paris it is in an hour, in New York in seven.
    waits = (await all_pages(services))[-1]
    assert set(await enrolled(services, *ZONES)) == {"c3"}
    assert waits.again_at == A_DAY + HOUR
    await known(services, "c5", plan="free")
    later(services, A_DAY + HOUR)
    waits = (await all_pages(services))[-1]
    assert set(await enrolled(services, *ZONES)) == {"c1", "c3"}
    assert waits.again_at == A_DAY + 7 * HOUR
    # One travels to where it was eleven long ago, another from where they had it already.
    await known(services, "c4", timezone="Europe/Paris")
    await known(services, "c1", timezone="America/New_York")
    later(services, A_DAY + 7 * HOUR)
    assert (await all_pages(services))[-1].state == "done"
    assert set(await enrolled(services, *ZONES)) == {"c1", "c2", "c3", "c4"}
    row = await row_of(services)
    assert (row.counted["in"], row.counted["out"]) == (4, {"not_in_audience": 1})


async def test_who_turns_out_to_be_elsewhere_is_looked_at_again(services: Services) -> None:
    await publish(services.database)
    await known(services, "c1", timezone="Europe/Paris")
    device, paris = anonymous_customer("d1"), "Europe/Paris"
    await take(services, track("seen", customer="c4", timezone="America/New_York"))
    await take(services, track("seen", A_DAY + timedelta(minutes=5), device, timezone=paris))
    await begun(services, journey="trial", local_time="11:00")
    await all_pages(services)
    later(services, A_DAY + HOUR)
    await all_pages(services)
    assert set(await enrolled(services, "c1", "c4")) == {"c1"}
    # With the device they are where it was eleven an hour ago.
    await take(services, track("seen", A_DAY + HOUR, "c4", formerly=(device,)))
    later(services, A_DAY + 7 * HOUR)
    await all_pages(services)
    assert set(await enrolled(services, "c1", "c4")) == {"c1", "c4"}


async def test_a_broadcast_of_a_later_day_waits_for_the_first_who_are_due(
    services: Services,
) -> None:
    await publish(services.database)
    await known(services, "c1", timezone="Pacific/Auckland")
    await begun(services, event="told", local_time="2026-12-01 09:00")
    assert (await all_pages(services))[-1].again_at == datetime(2026, 11, 30, 19, tzinfo=UTC)
    later(services, datetime(2026, 11, 30, 19, tzinfo=UTC))
    assert (await all_pages(services))[-1].again_at == datetime(2026, 11, 30, 20, tzinfo=UTC)


async def test_what_is_paused_goes_on_where_it_was_and_what_is_stopped_does_not(
    services: Services,
) -> None:
    await publish(services.database)
    await known(services, *SOME)
    await begun(services, journey="trial")
    orders = Broadcasting(services, "ann")
    await take_up(services, "sale")
    await orders.pause("sale")
    await orders.pause("sale")  # which changes nothing
    assert (await all_pages(services))[-1].state == "paused"
    assert set(await enrolled(services, *SOME)) == {"c1", "c2"}
    await orders.resume("sale")
    await take_up(services, "sale")
    await orders.stop("sale")
    await all_pages(services)
    assert set(await enrolled(services, *SOME)) == {"c1", "c2", "c3", "c4"}
    with pytest.raises(ConflictError, match="over: stopped"):
        await orders.resume("sale")
    async with services.database.reading() as session:
        entries = await audit.newest(session)
    assert [each.action for each in entries if each.actor == "ann"] == [
        "broadcast.stop",
        "broadcast.resume",
        "broadcast.pause",
    ]


@pytest.mark.parametrize("order", ["pause", "stop"])
async def test_once_it_is_answered_nobody_more_is_taken_up(services: Services, order: str) -> None:
    await publish(services.database)
    await known(services, *SOME)
    await begun(services, journey="trial")
    paging = asyncio.create_task(all_pages(services))
    await asyncio.sleep(0)
    orders = Broadcasting(services, "ann")
    try:
        await (orders.pause if order == "pause" else orders.stop)("sale")
    except ConflictError:
        pytest.fail("it was over before it was stopped: the pages are too fast for this test")
    at_the_answer = len(await enrolled(services, *SOME))
    await paging
    assert len(await enrolled(services, *SOME)) == at_the_answer < len(SOME)


# --- One message alone --------------------------------------------------------------------


async def opened(services: Services, *names: str) -> None:
    """A message of the trial is due for each of them."""
    await publish(services.database)
    await known(services, *names)
    await begun(services, message="trial/coupon", properties={"why": "spring"})
    await all_pages(services)


async def test_a_message_alone_is_a_row_and_nothing_for_temporal(services: Services) -> None:
    await opened(services, *SOME)
    rows = await enrolled(services, *SOME)
    row = rows["c1"]
    assert (row.id, row.broadcast_id, row.next_step) == ("trial:c1:~sale", "sale", "coupon")
    assert (row.next_at, row.start_properties) == (A_DAY, {"why": "spring"})
    assert len(rows) == len(SOME)
    assert await outbox(services.database) == []
    assert (await row_of(services)).state == "running"  # until all are sent


async def test_beside_it_the_customer_may_enter_the_journey(services: Services) -> None:
    await opened(services, "c1")
    await take(services, track("trial_started"))
    async with services.database.reading() as session:
        rows = await enrollments.of_customer(session, "c1")
    assert {row.id for row in rows} == {"trial:c1", "trial:c1:~sale"}


async def test_an_exit_closes_it_and_a_moved_date_does_nothing(services: Services) -> None:
    await opened(services, "c1")
    await take(services, identify(A_DAY + HOUR, trial_ends_at="2026-12-24"))
    await take(services, track("trial_cancelled", A_DAY + 2 * HOUR))
    row = (await enrolled(services, "c1"))["c1"]
    assert (row.state, row.ended_by) == ("exited", "trial_cancelled")
    assert await outbox(services.database) == []


async def test_support_acts_on_its_row_alone(services: Services) -> None:
    await opened(services, "c1", "c2")
    steering = Steering(services, "ann")
    assert (await steering.pause("trial:c1:~sale")).paused_at is not None
    assert (await steering.resume("trial:c1:~sale")).paused_at is None
    assert (await steering.skip("trial:c1:~sale", "coupon")).skipped_steps == ["coupon"]
    assert (await steering.cancel("trial:c1:~sale")).state == "cancelled"
    with pytest.raises(ConflictError, match="the broadcast `sale` sends it") as refused:
        await steering.send_now("trial:c2:~sale", "coupon")
    assert refused.value.code == "of_broadcast"
    assert await outbox(services.database) == []


async def test_archiving_its_journey_ends_it_without_a_word_to_temporal(
    client: httpx.AsyncClient, services: Services
) -> None:
    await opened(services, "c1")
    done = await client.post("/v1/journeys/trial/archive", json={"inside": "exit"})
    assert done.json()["exited"] == 1
    assert (await enrolled(services, "c1"))["c1"].state == "exited"
    assert await outbox(services.database) == []


async def test_an_archived_journey_gives_no_message_to_those_who_are_left(
    services: Services,
) -> None:
    await publish(services.database)
    await known(services, *SOME)
    await begun(services, message="trial/coupon")
    await take_up(services, "sale")
    async with services.database.transaction() as session:
        await archives.put(session, "trial", ArchivedInside.FINISH, A_DAY, "ann")
    await all_pages(services)
    assert (await row_of(services)).counted["out"] == {"journey_archived": 6}


async def test_erasing_somebody_ends_it_and_leaves_no_name_in_the_cursor(
    client: httpx.AsyncClient, services: Services
) -> None:
    await publish(services.database)
    await known(services, *SOME)
    await begun(services, message="trial/coupon")
    await take_up(services, "sale")
    assert (await row_of(services)).cursor == "c2"
    erased = await client.delete("/v1/customers/c2")
    assert erased.status_code == 200
    assert erased.json()["enrollments_exited"] == 1
    assert erased.json()["temporal"] == "has nothing to hear"
    assert (await row_of(services)).cursor == "c1"
    await all_pages(services)
    assert (await row_of(services)).counted["in"] == 8


async def test_stopping_closes_what_is_open(services: Services) -> None:
    await opened(services, *SOME)
    await Broadcasting(services, "ann").stop("sale")
    await close_left(services, "sale")
    rows = await enrolled(services, *SOME)
    assert {(row.state, row.ended_by) for row in rows.values()} == {("cancelled", "ann")}


async def test_a_preview_of_a_message_says_what_the_gate_would(services: Services) -> None:
    pro = trial(
        topic="news",
        steps=[{"send": "coupon", "at": "start", "when": "customer.plan == 'pro'"}],
    )
    await publish(services.database, pro, rules=policy())
    for who in SOME[:6]:
        await known(services, who, plan="pro")
        said = ChangeConsent(
            customer_id=who, at=A_DAY, message_id=who, topic="news", channel=None, subscribed=True
        )
        await take(services, said)
    await take(services, identify(customer="c2", email=None))
    await take(services, identify(customer="c3", email="not an address"))
    await take(services, identify(customer="c4", plan="free"))
    left = ChangeConsent(
        customer_id="c5", at=A_DAY, message_id="l", topic=None, channel=None, subscribed=False
    )
    await take(services, left)
    await known(services, "c7", plan="pro")
    told = await preview(services, Asked("x", message="trial/coupon"), "test")
    assert (told.customers, told.audience, told.gets) == (7, 7, 2)
    assert told.out == {
        "no_address": 1,
        "invalid_address": 1,
        "condition": 1,
        "unsubscribed": 1,
        "no_consent": 1,
    }


# --- What is refused ----------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"journey": "trail"}, "no_such_journey", "published: `trial`"),
    ({"message": "trial/coupn"}, "no_such_step", "it has `thanks`, `demo`, `coupon`"),
    ({"message": "trial"}, "invalid_request", "JOURNEY/STEP"),
    ({"message": "gone/coupon"}, "no_such_journey", "gone"),
    ({"event": "customer.created"}, "reserved_name", "names with a dot"),
    ({}, "invalid_request", "exactly one of"),
    ({"journey": "trial", "event": "told"}, "invalid_request", "exactly one of"),
    ({"event": "told", "name": "Spring Sale"}, "invalid_name", "`Spring Sale`"),
    ({"event": "told", "audience": "customer.plan = 'pro'"}, "invalid_audience", "customer.plan ="),
    ({"event": "told", "audience": "event.total > 5"}, "invalid_audience", "in an audience"),
    ({"event": "told", "audience": "subscribed('newz')"}, "invalid_audience", "no topic `newz`"),
    ({"event": "told", "audience": "inside('vips')"}, "invalid_audience", "no segment `vips`"),
    ({"event": "told", "local_time": "9am"}, "invalid_request", "`9am` is no local time"),
]


@pytest.mark.parametrize("path", ["/v1/broadcasts", "/v1/broadcasts/preview"])
async def test_what_can_not_be_broadcast_is_refused_in_words(
    client: httpx.AsyncClient, services: Services, path: str
) -> None:
    await publish(services.database)
    for asked, code, told in WRONG:
        answer = await client.post(path, json={"name": "sale", **asked})
        assert answer.status_code in (400, 404, 409), answer.text
        assert (answer.json()["code"], told in answer.json()["message"]) == (code, True)
    assert (await client.get("/v1/broadcasts")).json() == {"broadcasts": []}


async def test_a_step_that_sends_nothing_and_an_archived_journey_are_refused(
    services: Services,
) -> None:
    steps = [{"id": "mark", "set": {"seen": True}, "at": "start"}]
    await publish(services.database, trial(steps=steps), trial(journey="old"))
    with pytest.raises(ApiError, match="sends no message"):
        await begun(services, message="trial/mark")
    async with services.database.transaction() as session:
        await archives.put(session, "old", ArchivedInside.FINISH, A_DAY, "ann")
    with pytest.raises(ApiError, match="parcours unarchive old"):
        await begun(services, journey="old")


async def test_a_name_is_taken_for_ever_and_nothing_published_is_told(services: Services) -> None:
    with pytest.raises(ApiError, match="nothing is published"):
        await begun(services, event="told")
    await publish(services.database)
    await begun(services, event="told")
    with pytest.raises(ConflictError, match="another name"):
        await begun(services, event="told")


async def test_a_keyed_journey_needs_its_key(services: Services) -> None:
    await publish(services.database, trial(key="cart_id"))
    await known(services, "c1")
    with pytest.raises(ApiError, match="give it among the properties"):
        await begun(services, journey="trial")
    await begun(services, journey="trial", properties={"cart_id": "all"})
    await all_pages(services)
    assert (await enrolled(services, "c1"))["c1"].id == "trial:c1:all"


# --- Over HTTP ----------------------------------------------------------------------------


async def test_a_broadcast_is_begun_shown_listed_and_stopped(
    client: httpx.AsyncClient, services: Services
) -> None:
    await publish(services.database)
    await known(services, *SOME, plan="pro")
    order = {"name": "sale", "message": "trial/coupon", "audience": "customer.plan == 'pro'"}
    foreseen = (await client.post("/v1/broadcasts/preview", json=order)).json()
    assert foreseen == {"customers": 8, "audience": 8, "gets": 8, "out": {}}
    begun_ = await client.post("/v1/broadcasts", json={**order, "per_second": 2})
    assert begun_.status_code == 200, begun_.text
    assert (begun_.json()["state"], begun_.json()["created_by"]) == ("running", "key:test")
    await take_up(services, "sale")
    shown = (await client.get("/v1/broadcasts/sale")).json()
    assert (shown["taken_up"], shown["waiting"], shown["sent"]) == (2, 2, 0)
    for what, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        assert (await client.post(f"/v1/broadcasts/sale/{what}")).json()["state"] == state
    late = await client.post("/v1/broadcasts/sale/resume")
    assert (late.status_code, late.json()["code"]) == (409, "ended")
    (listed,) = (await client.get("/v1/broadcasts")).json()["broadcasts"]
    assert (listed["name"], listed["state"]) == ("sale", "stopped")
    missing = await client.get("/v1/broadcasts/other")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_such_broadcast")


async def test_a_key_for_support_may_not_write_to_everybody(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    from api.scopes import Scope
    from tests.api.asking import bearer
    from tests.api.given import make_key

    support = await make_key(services.database, Scope.SUPPORT, name="support")
    own = await make_key(services.database, Scope.BROADCASTS, name="own")
    refused = await anyone.get("/v1/broadcasts", headers=bearer(support))
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert (await anyone.get("/v1/broadcasts", headers=bearer(own))).status_code == 200
    assert (await anyone.get("/v1/enrollments", headers=bearer(own))).status_code == 403

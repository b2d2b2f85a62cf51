"""Who is whom: visitors who turn out to be somebody, and customers who turn out to be one."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from api.accept import accept
from api.services import Services
from engine.calls import Alias, Identify, Track
from engine.keys import anonymous_customer
from engine.reasons import Ending
from store import customers, enrollments, events
from store.tables import Customer, Enrollment, EventStats
from tests.api.given import A_DAY, DAY, HOUR, identify, kept_events, outbox, publish, take, track
from tests.api.given import trial as trial_journey

VISITOR = anonymous_customer("v-1")


@pytest.fixture
async def published(services: Services) -> Services:
    await publish(services.database)
    return services


def known_as(at: datetime = A_DAY + HOUR, customer: str = "c1", visitor: str = VISITOR) -> Identify:
    return Identify(
        customer_id=customer, at=at, message_id=f"i-{customer}", traits={}, formerly=(visitor,)
    )


def alias(at: datetime = A_DAY + HOUR, customer: str = "c1", previous: str = "old") -> Alias:
    formerly = (previous, anonymous_customer(previous))
    return Alias(customer_id=customer, at=at, message_id=f"a-{previous}", formerly=formerly)


async def mine(services: Services, customer: str = "c1") -> list[Enrollment]:
    async with services.database.reading() as session:
        return await enrollments.of_customer(session, customer)


async def person(services: Services, customer: str) -> Customer:
    async with services.database.reading() as session:
        row = await customers.known(session, customer)
    assert row is not None
    return row


async def test_what_a_visitor_does_is_kept_and_starts_nothing(published: Services) -> None:
    await take(published, track("trial_started", customer=VISITOR))
    (event,) = await kept_events(published.database)
    assert (event.customer_id, event.name) == (VISITOR, "trial_started")
    assert await outbox(published.database) == []


async def test_a_visitor_who_says_who_they_are_brings_along_what_they_did(
    published: Services,
) -> None:
    await take(published, track("trial_started", customer=VISITOR, message_id="m-start"))
    await take(published, known_as())
    (row,) = await mine(published)
    assert (row.id, row.start_at, row.ending) == ("trial:c1", A_DAY, None)
    assert row.entered_at == A_DAY + HOUR
    kept = {each.message_id: each for each in await kept_events(published.database)}
    assert kept["m-start"].customer_id == "c1"
    assert kept["m-start"].disposition == {
        "did": [{"did": "entered", "journey": "trial", "enrollment": "trial:c1"}]
    }


async def test_a_visit_of_long_ago_starts_no_journey_when_its_visitor_is_known(
    published: Services,
) -> None:
    await take(published, track("trial_started", customer=VISITOR, message_id="m-start"))
    await take(published, known_as(A_DAY + 3 * DAY))
    assert await mine(published) == []
    async with published.database.reading() as session:
        event = await events.get(session, "m-start")
    assert event is not None
    assert event.disposition == {"refused": {"trial": "too_old"}}


async def test_a_visitors_purchase_ends_the_journey_of_whom_they_turn_out_to_be(
    published: Services,
) -> None:
    await take(published, track("trial_started"))
    await take(published, track("subscription_purchased", A_DAY + HOUR, customer=VISITOR))
    await take(published, known_as(A_DAY + 2 * HOUR))
    (row,) = await mine(published)
    assert (row.ending, row.ended_at) == (Ending.CONVERTED, A_DAY + HOUR)


async def test_what_comes_from_a_known_visitor_later_is_the_customers(published: Services) -> None:
    await take(published, track("trial_started"), known_as(A_DAY))
    await take(published, track("trial_cancelled", A_DAY + HOUR, customer=VISITOR))
    (row,) = await mine(published)
    assert row.ending is Ending.EXITED


async def test_traits_of_a_visitor_become_the_customers_by_their_times(
    published: Services,
) -> None:
    await take(published, identify(A_DAY, customer=VISITOR, plan="free", city="Lyon"))
    await take(published, identify(A_DAY + HOUR, plan="pro"))
    await take(published, known_as(A_DAY + 2 * HOUR))
    assert (await person(published, "c1")).traits == {"plan": "pro", "city": "Lyon"}


async def test_a_device_that_somebody_else_uses_now_is_theirs_from_then_on(
    published: Services,
) -> None:
    await take(published, track("looked", customer=VISITOR, message_id="m1"), known_as(A_DAY))
    await take(published, known_as(A_DAY + DAY, customer="c2"))
    await take(published, track("looked", A_DAY + 2 * DAY, customer=VISITOR, message_id="m2"))
    kept = {each.message_id: each.customer_id for each in await kept_events(published.database)}
    assert (kept["m1"], kept["m2"]) == ("c1", "c2")


async def test_a_late_word_about_a_device_takes_it_from_nobody(published: Services) -> None:
    await take(published, known_as(A_DAY + DAY, customer="c2"))
    await accept(published, [known_as(A_DAY, customer="c1")], A_DAY + DAY)
    assert (await person(published, VISITOR)).id == "c2"


async def test_of_two_who_are_one_the_older_enrollment_stays(published: Services) -> None:
    await take(published, track("trial_started", A_DAY, customer="old"))
    await take(published, track("trial_started", A_DAY + HOUR, customer="c1"))
    await take(published, alias(A_DAY + 2 * HOUR))
    older, younger = await mine(published)
    assert (older.id, older.ending) == ("trial:old", None)
    assert (younger.id, younger.ending, younger.ended_by) == (
        "trial:c1",
        Ending.EXITED,
        "customer.merged",
    )
    told = (await outbox(published.database))[-1]
    assert (told.enrollment_id, told.customer_id) == ("trial:c1", "c1")
    assert told.payload["ending"] == "exited"


async def test_what_the_one_did_counts_in_what_the_other_was_in(published: Services) -> None:
    await take(published, track("trial_started", customer="c1"))
    await take(published, track("subscription_purchased", A_DAY + HOUR, customer="old"))
    await take(published, alias(A_DAY + 2 * HOUR))
    (row,) = await mine(published)
    assert (row.ending, row.ended_at) == (Ending.CONVERTED, A_DAY + HOUR)


async def test_joined_customers_are_one_in_everything(published: Services) -> None:
    await take(published, identify(A_DAY, customer="old", plan="free"), track("looked", A_DAY))
    await take(
        published,
        track("looked", A_DAY + HOUR, customer="old"),
        track("trial_started", A_DAY + HOUR, customer="old"),
    )
    await take(published, alias(A_DAY + 2 * HOUR))
    row = await person(published, "old")
    assert (row.id, row.traits, row.last_seen_at) == ("c1", {"plan": "free"}, A_DAY + HOUR)
    async with published.database.reading() as session:
        stats = await session.get(EventStats, ("c1", "looked"))
        left = await session.get(EventStats, ("old", "looked"))
    assert stats is not None
    assert (stats.count, stats.first_at, stats.last_at) == (2, A_DAY, A_DAY + HOUR)
    assert left is None
    assert [each.customer_id for each in await outbox(published.database)] == ["c1"]
    await take(published, track("trial_cancelled", A_DAY + 3 * HOUR, customer="old"))
    assert [each.ending for each in await mine(published)] == [Ending.EXITED]


async def test_who_was_joined_is_followed_through_several_names(published: Services) -> None:
    await take(published, track("looked", customer="a"))
    await take(published, alias(A_DAY + HOUR, customer="b", previous="a"))
    await take(published, alias(A_DAY + 2 * HOUR, customer="c1", previous="b"))
    await take(published, track("looked", A_DAY + DAY, customer="a"))
    async with published.database.reading() as session:
        stats = await session.get(EventStats, ("c1", "looked"))
    assert stats is not None
    assert stats.count == 2


async def test_two_who_are_said_to_be_one_both_ways_stay_one(published: Services) -> None:
    await take(published, track("looked", customer="old"), track("looked", customer="c1"))
    await take(published, alias(A_DAY + HOUR))
    await take(published, alias(A_DAY + 2 * HOUR, customer="old", previous="c1"))
    assert (await person(published, "old")).id == (await person(published, "c1")).id == "c1"


async def test_a_whole_life_in_one_request(published: Services) -> None:
    """Visit, alias and purchase in one batch, in an order of their own."""
    accepted = await take(
        published,
        track("subscription_purchased", A_DAY + 3 * HOUR, customer="old"),
        alias(A_DAY + 2 * HOUR),
        track("trial_started", A_DAY, customer=VISITOR),
        known_as(A_DAY + HOUR),
    )
    assert accepted.enrolled == ("trial:c1",)
    (row,) = await mine(published)
    assert (row.ending, row.ended_at) == (Ending.CONVERTED, A_DAY + 3 * HOUR)


async def test_an_imported_event_is_known_and_starts_nothing(published: Services) -> None:
    started = Track(
        customer_id="c1", at=A_DAY, message_id="m1", event="trial_started", historical=True
    )
    await take(published, started)
    assert await mine(published) == []
    (event, created) = sorted(await kept_events(published.database), key=lambda e: e.kind)[::-1]
    assert event.disposition == {"refused": {"trial": "imported"}}
    assert created.name == "customer.created"


@pytest.mark.parametrize("late", [timedelta(minutes=2), timedelta(days=400)])
async def test_a_time_in_the_future_is_flagged(published: Services, late: timedelta) -> None:
    call = Track(customer_id="c1", at=A_DAY, message_id="m1", event="looked", clamped=True)
    await take(published, call)
    async with published.database.reading() as session:
        event = await events.get(session, "m1")
    assert event is not None
    assert event.disposition == {"flags": ["clamped"]}


async def test_an_exit_before_the_start_was_known_still_ends_it(published: Services) -> None:
    bought = track("subscription_purchased", A_DAY + HOUR)
    await accept(published, [bought], A_DAY + HOUR)
    await accept(published, [track("trial_started", A_DAY)], A_DAY + HOUR)
    (row,) = await mine(published)
    assert (row.ending, row.ended_at) == (Ending.CONVERTED, A_DAY + HOUR)


async def test_an_earlier_start_that_comes_late_is_when_it_began(published: Services) -> None:
    await accept(published, [track("trial_started", A_DAY + HOUR)], A_DAY + HOUR)
    await accept(published, [track("trial_started", A_DAY)], A_DAY + HOUR)
    rows = sorted(await mine(published), key=lambda row: row.ordinal)
    assert [(row.id, row.start_at, row.ending) for row in rows] == [
        ("trial:c1", A_DAY + HOUR, Ending.EXITED),
        ("trial:c1:~2", A_DAY, None),
    ]


async def test_an_earlier_goal_that_comes_late_makes_an_exit_a_conversion(
    published: Services,
) -> None:
    await take(published, track("trial_started"))
    await accept(published, [track("trial_cancelled", A_DAY + 2 * HOUR)], A_DAY + 2 * HOUR)
    paid: dict[str, Any] = {"properties": {"total": 49}}
    await accept(
        published, [track("subscription_purchased", A_DAY + HOUR, **paid)], A_DAY + 2 * HOUR
    )
    (row,) = await mine(published)
    assert (row.ending, row.converted_at, row.conversion_value) == (
        Ending.CONVERTED,
        A_DAY + HOUR,
        Decimal(49),
    )


async def test_a_start_after_an_exit_that_comes_late_counts(services: Services) -> None:
    await publish(services.database, trial_journey(reenter="after_exit"))
    await accept(services, [track("trial_started", A_DAY, message_id="m1")], A_DAY + DAY)
    await accept(services, [track("trial_started", A_DAY + 2 * HOUR)], A_DAY + DAY)
    await accept(services, [track("trial_cancelled", A_DAY + HOUR)], A_DAY + DAY)
    first, second = await mine(services)
    assert (first.start_at, first.ending, first.ended_at) == (A_DAY, Ending.EXITED, A_DAY + HOUR)
    assert (second.start_at, second.ending) == (A_DAY + 2 * HOUR, None)


async def test_a_visitor_who_is_known_already_costs_no_look_at_anybodys_traits(
    published: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every event of a browser names both: the usual case must be the cheap one."""
    await take(published, known_as())
    loaded: list[frozenset[str]] = []
    really = customers.load_locked

    async def noted(session: AsyncSession, ids: frozenset[str]) -> dict[str, Customer]:
        loaded.append(frozenset(ids))
        return await really(session, ids)

    monkeypatch.setattr(customers, "load_locked", noted)
    used = track("looked", A_DAY + DAY, formerly=(VISITOR,))
    await take(published, used)
    assert loaded == [frozenset()]
    assert (await person(published, "c1")).last_seen_at == A_DAY + DAY


async def test_a_known_visitors_name_beside_a_start_in_one_request(published: Services) -> None:
    """One call is plain and names who is joined already; the other takes the long way."""
    await take(published, known_as())
    used = track("looked", A_DAY + DAY, formerly=(VISITOR,), message_id="m-used")
    accepted = await take(published, track("trial_started", A_DAY + DAY), used)
    assert accepted.enrolled == ("trial:c1",)
    assert "m-used" in accepted.new

"""What a journey's step sets or withdraws: taken in as an app's word, once, and of the living."""

from datetime import timedelta

import pytest
from sqlalchemy import delete

from api.dispatcher import Dispatcher
from api.own_calls import take_own
from api.services import Services
from engine.enrollment import Notice
from store import consents, customers, enrollments
from store import outbox as rows
from store.database import Database
from store.tables import ConsentState, Customer, OutboxKind, OutboxRow
from tests.api.fake_temporal import FakeTemporal, away
from tests.api.given import (
    A_DAY,
    DAY,
    Wall,
    identify,
    kept_events,
    outbox,
    publish,
    take,
    track,
    trial,
)

AT = A_DAY + DAY


@pytest.fixture
async def inside(services: Services, dispatcher: Dispatcher, wall: Wall) -> Services:
    """c1 is in the trial, which ends on 1 January, and Temporal has heard so."""
    await publish(services.database)
    await take(services, identify(trial_ends_at="2027-01-01"), track("trial_started"))
    await dispatcher.drain()
    wall.pass_(DAY)
    return services


async def a_step_sets(database: Database, customer: str = "c1", **traits: object) -> None:
    """As `deliver` writes it."""
    async with database.transaction() as session:
        await rows.append(
            session,
            customer_id=customer,
            kind=OutboxKind.IDENTIFY,
            payload={"message_id": "trial:c1/mark/start", "at": AT.isoformat(), "traits": traits},
            at=AT,
            enrollment_id="trial:c1",
        )


async def traits_of(database: Database, customer: str = "c1") -> dict[str, object] | None:
    async with database.reading() as session:
        row = await customers.get(session, customer)
    return None if row is None else dict(row.traits)


async def test_other_steps_hear_of_a_date_that_a_step_moves(
    inside: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    await a_step_sets(inside.database, trial_ends_at="2027-02-01", plan=None)
    await dispatcher.drain()
    assert await traits_of(inside.database) == {"trial_ends_at": "2027-02-01"}
    moved = Notice.model_validate(temporal.heard[-1].arg)
    assert moved.traits == {"trial_ends_at": "2027-02-01"}
    assert moved.at == AT


async def test_traits_that_are_carried_twice_are_taken_in_once(
    inside: Services, dispatcher: Dispatcher
) -> None:
    await a_step_sets(inside.database, plan="gone")
    await a_step_sets(inside.database, plan="gone")
    await dispatcher.drain()
    mine = [e for e in await kept_events(inside.database) if e.message_id == "trial:c1/mark/start"]
    assert len(mine) == 1
    assert mine[0].occurred_at == AT
    assert all(row.done_at is not None for row in await outbox(inside.database))


async def test_what_the_app_said_later_stays(inside: Services, dispatcher: Dispatcher) -> None:
    await take(inside, identify(AT + timedelta(minutes=1), plan="pro"))
    await a_step_sets(inside.database, plan="gone")
    await dispatcher.drain()
    assert (await traits_of(inside.database) or {})["plan"] == "pro"


async def test_traits_set_by_a_step_need_no_temporal_of_their_own(
    inside: Services, dispatcher: Dispatcher, temporal: FakeTemporal
) -> None:
    temporal.fails = away
    await a_step_sets(inside.database, plan="gone")
    await dispatcher.drain()
    assert (await traits_of(inside.database) or {})["plan"] == "gone"


async def test_somebody_erased_while_their_traits_are_on_their_way_does_not_come_back(
    inside: Services,
) -> None:
    await a_step_sets(inside.database, customer="c1", plan="gone")
    row = (await outbox(inside.database))[-1]
    async with inside.database.transaction() as session:  # erased, after it was taken
        await session.execute(delete(OutboxRow).where(OutboxRow.id == row.id))  # type: ignore[arg-type]
    row.customer_id = "c9"
    await take_own(inside, row)
    async with inside.database.reading() as session:
        assert await session.get(Customer, "c9") is None


async def test_a_journey_that_waits_for_a_trait_is_told_as_by_the_app(
    services: Services, dispatcher: Dispatcher, temporal: FakeTemporal, wall: Wall
) -> None:
    """The same notice, whoever says it, but for who said it and when it was heard."""
    await publish(services.database, trial())
    await take(services, track("trial_started"), track("trial_started", customer="c2"))
    await dispatcher.drain()
    temporal.heard.clear()
    wall.pass_(DAY)
    await take(services, identify(AT, customer="c2", trial_ends_at="2027-02-01"))
    await a_step_sets(services.database, trial_ends_at="2027-02-01")
    await dispatcher.drain()
    told = {asked.workflow: Notice.model_validate(asked.arg) for asked in temporal.heard}
    same = [
        notice.model_dump(exclude={"event_id", "seq"})
        for notice in (told["trial:c1"], told["trial:c2"])
    ]
    assert same[0] == same[1]


async def a_step_takes_off(database: Database, topics: list[str] | None) -> None:
    """As `deliver` writes it."""
    said = {"message_id": "trial:c1/off/start", "at": AT.isoformat(), "topics": topics}
    async with database.transaction() as session:
        await rows.append(
            session,
            customer_id="c1",
            kind=OutboxKind.CONSENT,
            payload=said,
            at=AT,
            enrollment_id="trial:c1",
        )


@pytest.mark.parametrize("topics", [None, ["onboarding"], ["onboarding", "offers"]])
async def test_who_is_taken_off_is_unsubscribed_once_and_journeys_hear_of_it(
    services: Services, dispatcher: Dispatcher, wall: Wall, topics: list[str] | None
) -> None:
    sorry = trial(journey="sorry", starts_on="consent.withdrawn", reenter="always")
    await publish(services.database, trial(), sorry)
    await take(services, identify(plan="x"), track("trial_started"))
    wall.pass_(DAY)
    for _ in range(2):
        await a_step_takes_off(services.database, topics)
    await dispatcher.drain()
    async with services.database.reading() as session:
        said = await consents.of_customer(session, "c1")
        state = await consents.consent_state(session, "c1", "email", "onboarding")
        begun = await enrollments.of_customer(session, "c1")
    assert state is ConsentState.UNSUBSCRIBED
    assert [(each.topic, each.channel, each.source, each.at) for each in said] == [
        (topic, None, "journey", AT) for topic in (topics or (None,))
    ]
    heard = [e for e in await kept_events(services.database) if e.name == "consent.withdrawn"]
    assert len(heard) == (1 if topics is None else len(topics))
    assert [each.journey for each in begun].count("sorry") == len(heard)

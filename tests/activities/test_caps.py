"""Caps in `deliver`: what takes a place, what gives it back, and room left for the heavier."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from activities.desk import Trouble
from activities.providers.outcome import Ambiguous, NotTaken, Refused
from engine.enrollment import NotBefore, Outcome, Settled
from engine.orders import DeliverOrder, Next
from engine.reasons import Decision, Reason
from store import customers, enrollments
from store.database import Database
from tests.activities.given import (
    DAY,
    NOW,
    FakeProvider,
    Office,
    enroll,
    journey,
    open_office,
    policy,
)

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ONE_A_DAY = [{"max": 1, "per": "1 day"}]
SENT = Settled(decision=Decision.SENT, channel="email", message="tip")
CAPPED = Settled(decision=Decision.NOT_SENT, reason=Reason.CAPPED)

# Keyed, so that one customer may be in it many times at once; `heavy` outweighs `tip`.
CARTS = journey(
    key="cart",
    steps=[
        {"send": "tip", "at": "start + 1 day"},
        {"id": "heavy", "send": "tip", "at": "start + 5 days", "priority": 10},
        {"id": "twin", "send": "tip", "at": "start + 5 days"},
        {"id": "after", "send": "tip", "at": "tip + 1 hour", "priority": 10},
        {"id": "news", "send": "tip", "at": "start + 5 days", "priority": 10, "topic": "news"},
    ],
)


async def the_office(db: Database, provider: Any = None, caps: Any = None, **more: Any) -> Office:
    """One enrollment, in which `tip` is due."""
    rules = policy(caps=caps or ONE_A_DAY)
    return await open_office(
        db, provider, what=CARTS, rules=rules, key="a", id="trial:c1:a", **more
    )


def at_the_desk(office: Office) -> Office:
    return replace(office, enrollment="trial:c1:a")


async def another(office: Office, key: str, step: str, at: datetime, **more: Any) -> Office:
    """One more enrollment of the same customer, in which `step` is due at `at`."""
    async with office.database.transaction() as session:
        await enroll(
            session, CARTS, id=f"trial:c1:{key}", key=key, next_step=step, next_at=at, **more
        )
    return replace(office, enrollment=f"trial:c1:{key}")


def order(office: Office, step: str = "tip", at: datetime = NOW, **more: Any) -> DeliverOrder:
    delivery = {"step": step, "at": at, "until": NOW + 2 * DAY, **more.pop("delivery", {})}
    return office.order(delivery=delivery, **more)


async def deliver(office: Office, *given: Any, **more: Any) -> Outcome:
    return await office.deliver(order(office, *given, **more))


@contextmanager
def statements(db: Database) -> Iterator[list[str]]:
    """Every statement meanwhile."""
    noted: list[str] = []

    def note(_c: Any, _u: Any, statement: str, *_rest: Any) -> None:
        noted.append(statement)

    engines = {id(e): e for e in (db._reader.sync_engine, db._writer.sync_engine)}
    for engine in engines.values():
        sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield noted
    finally:
        for engine in engines.values():
            sa.event.remove(engine, "before_cursor_execute", note)


def looked_ahead(noted: list[str]) -> bool:
    return any("enrollments.next_at <" in each for each in noted)


# --- What takes a place -------------------------------------------------------------------


async def test_what_went_out_takes_a_place(db: Database) -> None:
    first = at_the_desk(await the_office(db))
    second = await another(first, "b", "tip", NOW)
    assert await deliver(first) == SENT
    assert await deliver(second, at=NOW + HOUR) == NotBefore(until=NOW + DAY, reason=Reason.CAPPED)
    short = {"until": NOW + 2 * HOUR}
    assert await deliver(second, at=NOW + HOUR, delivery=short) == CAPPED
    assert len(first.provider.given) == 1


async def test_what_may_have_gone_out_takes_a_place(db: Database) -> None:
    provider = FakeProvider([Ambiguous("a reset")], remembers_keys_for=None)
    first = at_the_desk(await the_office(db, provider))
    second = await another(first, "b", "tip", NOW)
    assert await deliver(first) == Settled(
        decision=Decision.UNKNOWN, channel="email", message="tip"
    )
    assert isinstance(await deliver(second), NotBefore)


async def test_what_is_under_way_takes_a_place(db: Database) -> None:
    """The second is asked while the provider has the first."""
    answers: list[Outcome] = []
    provider = FakeProvider()
    first = at_the_desk(await the_office(db, provider))
    second = await another(first, "b", "tip", NOW)

    async def meanwhile() -> None:
        provider.meanwhile = None
        answers.append(await deliver(second))

    provider.meanwhile = meanwhile
    assert await deliver(first) == SENT
    assert isinstance(answers[0], NotBefore)


async def test_what_the_provider_refused_gives_its_place_back(db: Database) -> None:
    first = at_the_desk(await the_office(db, FakeProvider([Refused("no")])))
    second = await another(first, "b", "tip", NOW)
    refused = await deliver(first)
    assert isinstance(refused, Settled)
    assert refused.reason is Reason.PROVIDER_REFUSED
    assert await deliver(second) == SENT


async def test_a_claim_that_is_taken_back_gives_its_place_back(db: Database) -> None:
    first = at_the_desk(await the_office(db, FakeProvider([NotTaken("down")])))
    second = await another(first, "b", "tip", NOW)
    with pytest.raises(Trouble):
        await deliver(first)
    assert isinstance(await deliver(second), NotBefore)  # it may go out at the next attempt
    await first.change(paused_at=NOW)
    assert isinstance(await deliver(first), NotBefore)
    assert await deliver(second) == SENT


async def test_transactional_messages_take_a_place_only_where_the_cap_says_so(
    db: Database,
) -> None:
    receipt = journey(
        key="cart",
        steps=[
            {"id": "receipt", "send": "tip", "at": "start + 1 day", "transactional": True},
            {"send": "tip", "at": "start + 1 day"},
        ],
    )
    rules = policy(caps=[{"max": 1, "per": "calendar day", "counts_transactional": True}])
    office = await open_office(db, what=receipt, rules=rules)
    assert await office.deliver(order(office, "receipt")) == SENT
    assert await office.deliver(order(office, "receipt", delivery={"occurrence": "2"})) == SENT
    assert await office.deliver(order(office)) == NotBefore(
        until=NOW.replace(hour=0, minute=0) + DAY, reason=Reason.CAPPED
    )
    await office.publish(rules=policy(caps=[{"max": 1, "per": "calendar day"}]))
    assert await office.deliver(order(office)) == SENT


# --- Who goes first -----------------------------------------------------------------------


async def test_room_is_left_for_a_heavier_message_of_the_same_day(db: Database) -> None:
    light = at_the_desk(await the_office(db))
    heavy = await another(light, "b", "heavy", NOW + HOUR)
    waits = NotBefore(until=NOW + HOUR + MINUTE, reason=Reason.CAPPED)
    assert await deliver(light) == waits
    row = await light.in_store()
    assert (row.next_step, row.next_at) == ("tip", waits.until)
    assert await deliver(heavy, "heavy", NOW + HOUR) == SENT
    assert await deliver(light, at=NOW + HOUR + MINUTE) == NotBefore(
        until=NOW + HOUR + DAY, reason=Reason.CAPPED
    )


async def test_the_heavier_that_comes_to_nothing_leaves_its_room(db: Database) -> None:
    light = at_the_desk(await the_office(db))
    heavy = await another(light, "b", "heavy", NOW + HOUR)
    assert isinstance(await deliver(light), NotBefore)
    await heavy.change(skipped_steps=["heavy"])
    assert isinstance(await deliver(heavy, "heavy", NOW + HOUR), Settled)
    row = await heavy.in_store()
    assert (row.next_step, row.next_at) == ("heavy", NOW + HOUR)  # nobody has told it more yet
    assert await deliver(light, at=NOW + HOUR + MINUTE) == SENT


@pytest.mark.parametrize(
    "held",
    [
        {"paused_at": NOW},
        {"skipped_steps": ["heavy"]},
        {"next_reason": Reason.STOPPED},
        {"next_step": None, "next_at": None},
        {"next_step": "twin"},
        {"next_at": NOW + 20 * HOUR},
        {"next_step": "news"},  # to which nobody is subscribed
    ],
    ids=lambda held: "-".join(held),
)
async def test_what_will_not_go_out_today_is_left_no_room(
    db: Database, held: dict[str, Any]
) -> None:
    light = at_the_desk(await the_office(db))
    heavy = await another(light, "b", "heavy", NOW + HOUR)
    await heavy.change(**held)
    assert await deliver(light) == SENT


async def test_an_enrollment_that_has_ended_is_left_no_room(db: Database) -> None:
    light = at_the_desk(await the_office(db))
    heavy = await another(light, "b", "heavy", NOW + HOUR)
    await heavy.exit()
    assert await deliver(light) == SENT


async def test_the_next_step_of_its_own_enrollment_may_be_the_heavier(db: Database) -> None:
    office = at_the_desk(await the_office(db))
    follows = {"next": Next(step="heavy", at=NOW + HOUR)}
    assert isinstance(await deliver(office, report=follows), NotBefore)
    timed_by_it = {"next": Next(step="after", at=NOW + HOUR)}
    assert await deliver(office, report=timed_by_it) == SENT


async def test_of_twins_the_first_goes_first(db: Database) -> None:
    first = at_the_desk(await the_office(db, next_step="tip", next_at=NOW))
    second = await another(first, "b", "tip", NOW)
    assert await deliver(second) == NotBefore(until=NOW + MINUTE, reason=Reason.CAPPED)
    assert await deliver(first) == SENT


async def test_nothing_more_is_read_where_nobody_could_take_the_room(db: Database) -> None:
    office = at_the_desk(await the_office(db, caps=[{"max": 3, "per": "1 day"}]))
    with statements(db) as alone:
        assert await deliver(office) == SENT
    other = await another(office, "b", "heavy", NOW + HOUR)
    with statements(db) as roomy:
        assert await deliver(other) == SENT
    assert not looked_ahead(alone + roomy)
    third = await another(office, "c", "tip", NOW)
    await another(office, "d", "heavy", NOW + HOUR)
    with statements(db) as tight:
        assert isinstance(await deliver(third), NotBefore)
    assert looked_ahead(tight)
    assert len(alone) == len(roomy)


async def test_a_store_that_has_the_heavier_as_a_claim_counts_it_once(db: Database) -> None:
    light = at_the_desk(await the_office(db, caps=[{"max": 2, "per": "1 day"}]))
    heavy = await another(light, "b", "heavy", NOW)
    assert await deliver(heavy, "heavy") == SENT
    async with db.transaction() as session:
        await customers.hold(session, "c1")
        await enrollments.set_next(session, heavy.enrollment, "heavy", NOW)
    assert await deliver(light) == SENT

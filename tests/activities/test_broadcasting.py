"""The messages of a broadcast: sent by `deliver` through the whole gate, without a workflow."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.broadcasting import Sending, Sent, send_due
from activities.desk import Desk
from activities.providers.outcome import NotTaken
from engine.enrollment import Tolerances
from engine.keys import broadcast_enrollment_id
from engine.policy import Policy
from engine.reasons import Ending
from store import broadcasts, customers, enrollments, messages
from store.database import Database
from store.tables import Broadcast, BroadcastKind, BroadcastState, Enrollment, Message
from store.traits import merge_traits
from tests.activities.given import (
    LINKS,
    NOW,
    FakeProvider,
    journey,
    policy,
    publish,
)

HOUR = timedelta(hours=1)


class _Killed(Exception):  # noqa: N818 - what a worker's death leaves is what it leaves
    """After the claim, before anything else is written."""


@dataclass
class Stage:
    """A broadcast of the tip whose messages are due now, and a clock by hand."""

    database: Database
    provider: FakeProvider = field(default_factory=FakeProvider)
    at: datetime = NOW

    async def open(
        self, *names: str, rules: Policy | None = None, traits: Any = None, **step: Any
    ) -> None:
        """One message each."""
        what = journey(step={"at": "start", **step})
        await publish(self.database, what, rules or policy())
        async with self.database.transaction() as session:
            row = Broadcast(
                id="sale",
                kind=BroadcastKind.MESSAGE,
                journey="trial",
                version=what.version,
                step="tip",
                start_at=NOW,
                state=BroadcastState.RUNNING,
                all_seen=True,
                created_at=NOW,
                created_by="ann",
                changed_at=NOW,
                changed_by="ann",
            )
            session.add(row)
            for name in names:
                own = {"email": f"{name}@acme.example", "name": name, **(traits or {})}
                row_ = await customers.lock(session, name, NOW)
                merge_traits(row_, own, NOW)
                await session.flush()
                opened = Enrollment(
                    id=broadcast_enrollment_id("trial", name, "sale"),
                    customer_id=name,
                    journey="trial",
                    version=what.version,
                    key="~sale",
                    start_event_id=f"broadcast:{name}",
                    start_at=NOW,
                    entered_at=NOW,
                    next_step="tip",
                    next_at=NOW,
                    broadcast_id="sale",
                )
                await enrollments.insert(session, opened)

    async def send(self, most: int = 100) -> Sent:
        desk = Desk(database=self.database, providers={"email": self.provider}, links=LINKS)
        return await send_due(Sending(desk, lambda: self.at, Tolerances()), "sale", most)

    async def row(self, name: str = "c1") -> Enrollment:
        async with self.database.reading() as session:
            found = await enrollments.get(session, f"trial:{name}:~sale")
        assert found is not None
        return found

    async def message(self, name: str = "c1") -> Message:
        async with self.database.reading() as session:
            (found,) = await messages.of_customer(session, name)
        return found

    async def stand(self, state: BroadcastState) -> None:
        async with self.database.transaction() as session:
            row = await broadcasts.hold(session, "sale")
            assert row is not None
            broadcasts.change(row, state, self.at, "ann")


@pytest.fixture
def stage(db: Database) -> Stage:
    return Stage(db)


async def test_each_is_sent_its_message_and_the_row_is_closed(stage: Stage) -> None:
    names = [f"c{n}" for n in range(30)]
    await stage.open(*names)
    assert await stage.send(20) == Sent(tried=20)
    assert await stage.send(20) == Sent(tried=10)
    assert await stage.send(20) == Sent()
    assert sorted(mail.recipient for mail in stage.provider.given) == sorted(
        f"{name}@acme.example" for name in names
    )
    row, message = await stage.row(), await stage.message()
    assert (row.state, row.ended_at, row.next_at) == ("completed", NOW, None)
    assert (message.decision, message.key) == ("sent", "trial:c1:~sale/tip/start")
    async with stage.database.reading() as session:
        told = await broadcasts.decided(session, "sale")
        assert await broadcasts.next_due(session, "sale") is None
    assert (told.sent, told.unknown, told.not_sent) == (30, 0, {})


async def test_who_may_not_have_it_is_told_by_reason_and_closed(stage: Stage) -> None:
    await stage.open("c1", topic="news")
    assert await stage.send() == Sent(tried=1)
    assert stage.provider.given == []
    assert (await stage.row()).state == "completed"
    assert (await stage.message()).reason == "no_consent"


async def test_quiet_hours_put_it_off_and_their_end_sends_it(stage: Stage) -> None:
    await stage.open("c1", rules=policy(quiet_hours={"email": "08:00-10:00"}))
    await stage.send()
    row = await stage.row()
    assert (row.state, row.next_at, row.next_reason) == ("open", NOW + HOUR, "quiet_hours")
    assert await stage.send() == Sent()
    stage.at = NOW + HOUR
    await stage.send()
    assert (await stage.message()).decision == "sent"


async def test_the_step_s_window_moves_with_who_travels(stage: Stage) -> None:
    await stage.open("c1", traits={"timezone": "America/New_York"}, between="09:00-18:00")
    assert await stage.send() == Sent()  # it was opened for where they were: it is 04:00 now
    assert (await stage.row()).next_at == NOW + 5 * HOUR
    stage.at = NOW + 5 * HOUR
    await stage.send()
    assert (await stage.message()).decision == "sent"


async def test_past_its_grace_it_expires_and_is_closed(stage: Stage) -> None:
    await stage.open("c1", grace="2 hours")
    stage.at = NOW + 3 * HOUR
    await stage.send()
    assert stage.provider.given == []
    assert (await stage.message()).reason == "expired"
    assert (await stage.row()).state == "completed"


async def test_trouble_is_tried_again_later_and_settled_at_the_end_of_the_grace(
    stage: Stage,
) -> None:
    await stage.open("c1", "c2", grace="2 hours")
    stage.provider.answers = [NotTaken("down")] * 20
    down = Sent(2, 2, "provider_down: fake did not take it: down")
    assert await stage.send() == down
    assert await stage.send() == Sent()
    stage.at = NOW + timedelta(minutes=1)
    assert await stage.send() == down
    stage.at = NOW + 2 * HOUR + timedelta(minutes=2)
    assert await stage.send() == Sent(tried=2)
    assert (await stage.message()).reason == "provider_down"
    assert (await stage.row()).state == "completed"


async def test_nothing_is_claimed_once_a_stop_or_a_pause_is_written(stage: Stage) -> None:
    await stage.open("c1", "c2")
    await stage.stand(BroadcastState.PAUSED)
    await stage.send()
    assert stage.provider.given == []
    assert ((await stage.row()).state, (await stage.row()).next_at) == (
        "open",
        NOW + timedelta(minutes=1),
    )
    await stage.stand(BroadcastState.RUNNING)
    await stage.stand(BroadcastState.STOPPED)
    stage.at = NOW + HOUR
    await stage.send()
    assert stage.provider.given == []


async def test_an_exit_while_they_are_under_way_is_in_time_for_those_not_claimed(
    stage: Stage,
) -> None:
    await stage.open("c1")
    async with stage.database.transaction() as session:
        await enrollments.close(session, "trial:c1:~sale", Ending.EXITED, NOW, "trial_cancelled")
    assert await stage.send() == Sent()
    assert stage.provider.given == []


async def test_a_claim_whose_worker_died_is_sent_with_the_same_key(stage: Stage) -> None:
    await stage.open("c1")

    async def die() -> None:
        raise _Killed

    stage.provider.meanwhile = die
    with pytest.raises(_Killed):
        await stage.send()
    assert (await stage.message()).decision is None
    stage.provider.meanwhile = None
    await stage.send()
    assert (await stage.message()).decision == "sent"
    assert len({mail.key for mail in stage.provider.given}) == 1
    assert (await stage.row()).state == "completed"


async def test_a_bug_with_one_message_holds_up_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.open(*(f"c{n}" for n in range(5)))

    async def raise_once() -> None:
        stage.provider.meanwhile = None
        raise ZeroDivisionError

    stage.provider.meanwhile = raise_once
    with pytest.raises(ZeroDivisionError):
        await stage.send()
    async with stage.database.reading() as session:
        told = await broadcasts.decided(session, "sale")
    assert told.sent == 4

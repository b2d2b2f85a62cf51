"""The border to Temporal: what it shows, when it tries again, how it stops an attempt."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import activities as border
from activities.activities import Activities
from activities.providers.outcome import Ambiguous, NotTaken
from engine.clock import Clock
from engine.enrollment import Ended, Settlement
from engine.orders import DeliverOrder, DeliverResult, Report
from engine.reasons import Decision, Ending, Reason
from store import audit, enrollments, messages
from store.database import Database
from store.tables import EnrollmentState
from tests.activities.given import BROKEN, DAY, NOW, FakeProvider, Office, journey, open_office

SECOND = timedelta(seconds=1)


def environment(after: timedelta = timedelta(0), attempt: int = 1) -> ActivityEnvironment:
    """An attempt that Temporal began `after` the step's time."""
    env = ActivityEnvironment()
    env.info = replace(env.info, started_time=NOW + after, scheduled_time=NOW, attempt=attempt)
    return env


async def run(
    office: Office, order: DeliverOrder | None = None, env: ActivityEnvironment | None = None
) -> DeliverResult:
    activities = Activities(office.desk)
    return await (env or environment()).run(activities.deliver, order or office.order())


async def trouble(office: Office, *given: Any, **more: Any) -> ApplicationError:
    with pytest.raises(ApplicationError) as raised:
        await run(office, *given, **more)
    return raised.value


def shown(error: BaseException) -> str:
    """Everything that Temporal keeps of an error."""
    failure = Failure()
    pydantic_data_converter.failure_converter.to_failure(
        error, pydantic_data_converter.payload_converter, failure
    )
    return str(failure)


class TestWhatTemporalShows:
    @pytest.mark.parametrize("said", [NotTaken, Ambiguous])
    async def test_nothing_that_a_provider_said(
        self, db: Database, said: type[NotTaken] | type[Ambiguous]
    ) -> None:
        answers = [said("answered 500", "no such user ann@acme.example")]
        error = await trouble(await open_office(db, FakeProvider(list(answers))))
        assert error.type == "provider_down"
        assert "answered 500" in shown(error)
        assert "ann@acme" not in shown(error)

    async def test_nothing_of_a_fault_that_nobody_foresaw(
        self, db: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Faulty(FakeProvider):
            async def send(self, mail: Any) -> Any:
                raise RuntimeError(f"cannot write to {mail.recipient}")

        error = await trouble(await open_office(db, Faulty()))
        assert error.message == "RuntimeError: the worker's log says more"
        assert "ann@acme" not in shown(error)
        assert "cannot write to ann@acme.example" in caplog.text

    async def test_where_a_template_is_broken(self, db: Database) -> None:
        error = await trouble(await open_office(db, texts={"tip": BROKEN}))
        assert error.type == "template_error"
        assert "tip/email.html, line 1" in error.message
        assert "no_such_filter" in error.message


class TestWhenItIsTriedAgain:
    async def pause(
        self, db: Database, answer: Any, order: dict[str, Any] | None = None, **given: Any
    ) -> ApplicationError:
        office = await open_office(db, FakeProvider([answer]))
        return await trouble(office, office.order(**(order or {})), environment(**given))

    @pytest.mark.parametrize(
        ("attempt", "seconds"), [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (5_000, 300)]
    )
    async def test_less_and_less_often(self, db: Database, attempt: int, seconds: int) -> None:
        error = await self.pause(db, NotTaken("down"), attempt=attempt)
        assert error.next_retry_delay == seconds * SECOND

    async def test_when_the_provider_says(self, db: Database) -> None:
        error = await self.pause(db, NotTaken("429", retry_after=40 * SECOND))
        assert error.next_retry_delay == 40 * SECOND

    async def test_but_not_after_the_deadline(self, db: Database) -> None:
        limit = {"delivery": {"until": NOW + 10 * SECOND}}
        error = await self.pause(db, NotTaken("429", retry_after=DAY), limit, after=5 * SECOND)
        assert error.next_retry_delay == timedelta(seconds=65, milliseconds=10)

    async def test_in_real_time_under_a_fast_clock(self, db: Database) -> None:
        clock = Clock(real_origin=NOW, journey_origin=NOW, speed=60)
        limit = {"delivery": {"until": NOW + timedelta(minutes=9)}, "clock": clock}
        error = await self.pause(db, NotTaken("429", retry_after=DAY), limit)
        assert error.next_retry_delay == timedelta(seconds=10, milliseconds=10)

    async def test_a_broken_template_less_often(self, db: Database) -> None:
        office = await open_office(db, texts={"tip": BROKEN})
        for attempt, seconds in ((1, 30), (2, 60), (9, 300)):
            error = await trouble(office, None, environment(attempt=attempt))
            assert error.next_retry_delay == seconds * SECOND

    async def test_a_prompt_order_gives_up_soon(self, db: Database) -> None:
        office = await open_office(db, FakeProvider([NotTaken("down")] * 2))
        prompt = office.order(prompt=True)
        for attempt, gives_up in ((2, False), (3, True)):
            error = await trouble(office, prompt, environment(attempt=attempt))
            assert error.non_retryable is gives_up


class TestStopping:
    async def test_an_attempt_that_is_asked_to_stop_finishes_first(self, db: Database) -> None:
        env = environment()

        async def stopped() -> None:
            env.cancel()
            await asyncio.sleep(0)

        provider = FakeProvider()
        provider.meanwhile = stopped
        office = await open_office(db, provider)
        result = await run(office, None, env)
        assert result.outcome.kind == "settled"
        assert (await office.row()).decision is Decision.SENT

    async def test_a_long_attempt_gives_signs_of_life(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(border, "_HEARTBEAT", timedelta(milliseconds=1))
        lived = asyncio.Event()
        env = environment()
        env.on_heartbeat = lambda *details: lived.set()
        provider = FakeProvider()
        provider.meanwhile = lived.wait
        office = await open_office(db, provider)
        await run(office, None, env)


class TestRecord:
    async def record(self, office: Office, **report: Any) -> None:
        given = Report(enrollment_id=office.enrollment, customer_id="c1", **report)
        await environment().run(Activities(office.desk).record, given)

    async def test_the_end_is_written_and_stays(self, db: Database) -> None:
        office = await open_office(db)
        await self.record(office, ended=Ended(ending=Ending.CANCELLED, at=NOW, by="temporal"))
        await self.record(office, ended=Ended(ending=Ending.COMPLETED, at=NOW + DAY))
        row = await office.in_store()
        assert (row.state, row.ended_at, row.ended_by) == (
            EnrollmentState.CANCELLED,
            NOW,
            "temporal",
        )

    async def test_a_decision_is_written_once(self, db: Database) -> None:
        office = await open_office(db)
        settlement = Settlement(step="tip", occurrence="start", decision=Decision.NOT_SENT, at=NOW)
        for _ in range(2):
            await self.record(office, decided=(settlement,))
        async with db.reading() as session:
            assert len(await messages.of_enrollment(session, office.enrollment)) == 1

    async def test_a_skip_that_was_carried_out_frees_the_next_occurrence(
        self, db: Database
    ) -> None:
        office = await open_office(db)
        async with db.transaction() as session:
            await enrollments.skip(session, office.enrollment, "tip")
        skipped = Settlement(
            step="tip",
            occurrence="start",
            decision=Decision.NOT_SENT,
            reason=Reason.SKIPPED,
            at=NOW,
        )
        await self.record(office, decided=(skipped,))
        assert (await office.in_store()).skipped_steps == []

    async def test_a_pause_by_hand_counts_whatever_came_with_it(self, db: Database) -> None:
        office = await open_office(db)
        await self.record(office, by_hand=("pause {'why': 'holiday'}",))
        assert (await office.in_store()).paused_at == NOW

    async def test_what_people_did_in_temporals_ui_is_in_the_audit_log_once(
        self, db: Database
    ) -> None:
        office = await open_office(db)
        for _ in range(2):
            await self.record(office, by_hand=("pause", "skip tip"))
        assert (await office.in_store()).paused_at == NOW
        async with db.reading() as session:
            entries = await audit.newest(session, enrollment_id=office.enrollment)
        assert [(entry.actor, entry.action) for entry in entries] == [
            ("temporal", "skip tip"),
            ("temporal", "pause"),
        ]

    async def test_an_enrollment_that_the_store_does_not_know_is_no_fault(
        self, db: Database
    ) -> None:
        office = await open_office(db, what=journey())
        await self.record(replace(office, enrollment="trial:nobody"), by_hand=("pause",))

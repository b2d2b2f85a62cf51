"""Temporal in a test's own hands: runs the machines that the dispatcher starts, and delivers.

The API, the store, the dispatcher, `deliver` and the mailbox are the real ones. What the
workflow does around the machine is done here by a loop over a clock that is only a number;
that a real server comes to the same is `test_scenarios`' claim.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from activities.deliver import deliver
from activities.desk import Attempt, Desk
from activities.record import record
from engine.definition import Journey
from engine.enrollment import Answer, Delivery, Notice
from engine.machine import Machine
from engine.orders import DeliverOrder, EnrollmentInput, Next, Report
from tests.api.fake_temporal import Asked, FakeTemporal


@dataclass
class _Run:
    given: EnrollmentInput
    machine: Machine
    last_seq: int = 0


@dataclass
class Host(FakeTemporal):
    """Takes starts and signals as Temporal does; `run` takes up what is due."""

    desk: Desk | None = None
    runs: dict[str, _Run] = field(default_factory=dict)

    async def _hear(self, asked: Asked) -> None:
        await super()._hear(asked)
        if asked.what == "start":
            given = EnrollmentInput.model_validate(asked.arg)
            journey = Journey.model_validate(given.definition)
            self.runs.setdefault(asked.workflow, _Run(given, _machine(journey, given)))
        elif asked.what == "event":
            run, notice = self.runs[asked.workflow], Notice.model_validate(asked.arg)
            if notice.seq == 0 or notice.seq > run.last_seq:
                run.last_seq = max(run.last_seq, notice.seq)
                run.machine.apply(notice)

    def next_at(self, now: datetime) -> datetime | None:
        """When something is due next, of anybody."""
        wakes = (run.machine.wakeup(now) for run in self.runs.values())
        return min((wake.at for wake in wakes if wake is not None), default=None)

    async def run(self, now: datetime) -> None:
        """Take up what is due, and tell the store."""
        for run in list(self.runs.values()):
            while (delivery := run.machine.take(now)) is not None:
                await self._deliver(run, delivery, now)
            await self._report(run, now)

    async def _deliver(self, run: _Run, delivery: Delivery, now: datetime) -> None:
        assert self.desk is not None
        order = DeliverOrder(
            journey=run.given.journey,
            version=run.given.version,
            delivery=delivery,
            report=_news(run),
        )
        outcome = await deliver(self.desk, Attempt(order, now))
        run.machine.apply(
            Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=outcome)
        )
        run.machine.recorded(order.report.decided)

    async def _report(self, run: _Run, now: datetime) -> None:
        assert self.desk is not None
        wake = run.machine.wakeup(now)
        following = Next.of(wake) if wake is not None else None
        news = _news(run, next=following, ended=run.machine.ended)
        await record(self.desk.database, news, now)
        run.machine.recorded(news.decided)


def _machine(journey: Journey, given: EnrollmentInput) -> Machine:
    return Machine(journey, given.start, given.facts, tolerances=given.tolerances)


def _news(run: _Run, **known: Any) -> Report:
    return Report(
        enrollment_id=run.given.enrollment_id,
        customer_id=run.given.customer_id,
        decided=run.machine.state.unrecorded,
        **known,
    )

"""A stage for the shell alone: the real workflow on a real server, with scripted activities.

What `deliver` answers is the test's to say; what the workflow ordered is kept.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from engine.definition import Journey
from engine.enrollment import Facts, Outcome, Settled, Start
from engine.machine import Machine
from engine.orders import DeliverOrder, DeliverResult, EnrollmentInput, Next, Report
from engine.reasons import Decision
from worker.sandbox import sandbox
from workflows.enrollment import Enrollment

TASK_QUEUE = "stage"

TRIAL: dict[str, Any] = {
    "journey": "trial-onboarding",
    "title": "From trial to first purchase",
    "starts_on": "trial_started",
    "ends_on": ["trial_cancelled"],
    "ends_at": "customer.trial_ends_at",
    "goal": "subscription_purchased",
    "topic": "onboarding",
    "steps": [
        {"send": "thanks", "at": "start + 1 day"},
        {"send": "tip", "at": "start + 2 days"},
        {"send": "demo", "after_idle": "10 days"},
        {
            "send": "coupon",
            "at": "customer.trial_ends_at - 5 days",
            "offer": {"percent": 20, "valid": "5 days"},
        },
    ],
}

Script = Callable[[DeliverOrder], Outcome | Exception]


def always_sent(order: DeliverOrder) -> Outcome:
    """The world in which everything goes well."""
    return Settled(decision=Decision.SENT, channel="email", message=order.delivery.step)


@dataclass
class Stage:
    """A worker with scripted activities. `orders` and `reports` are what it was told."""

    client: Client
    script: Script = always_sent
    orders: list[DeliverOrder] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)

    @activity.defn(name="deliver")
    async def deliver(self, order: DeliverOrder) -> DeliverResult:
        self.orders.append(order)
        answer = self.script(order)
        if isinstance(answer, Exception):
            raise ApplicationError(str(answer), next_retry_delay=timedelta(milliseconds=50))
        return DeliverResult(outcome=answer)

    @activity.defn(name="record")
    async def record(self, report: Report) -> None:
        self.reports.append(report)

    @property
    def steps(self) -> list[str]:
        """The steps that were ordered, in order, settle-only questions left out."""
        return [order.delivery.step for order in self.orders if not order.settle_only]

    async def enroll(
        self,
        start_at: datetime,
        *,
        definition: dict[str, Any] | None = None,
        customer: str = "c1",
        traits: dict[str, Any] | None = None,
        zone: str = "Europe/Paris",
    ) -> WorkflowHandle[Any, Any]:
        """Start an enrollment as the dispatcher does."""
        given = enrollment_input(start_at, definition or TRIAL, customer, traits or {}, zone)
        return await self.client.start_workflow(
            given.journey, given, id=given.enrollment_id, task_queue=TASK_QUEUE
        )


def enrollment_input(
    start_at: datetime,
    definition: dict[str, Any],
    customer: str,
    traits: dict[str, Any],
    zone: str,
) -> EnrollmentInput:
    journey = Journey.model_validate(definition)
    start = Start(event_id="start-1", at=start_at, entered_at=start_at)
    facts = Facts(zone=zone, traits={path: traits.get(path) for path in journey.live_traits})
    wake = Machine(journey, start, facts).wakeup(start_at)
    return EnrollmentInput(
        enrollment_id=f"{journey.journey}:{customer}",
        customer_id=customer,
        journey=journey.journey,
        version=journey.version,
        definition=json.loads(journey.pinned),
        start=start,
        facts=facts,
        next=None if wake is None else Next(step=wake.step, at=wake.at),
    )


@asynccontextmanager
async def on_stage(client: Client, script: Script = always_sent) -> AsyncIterator[Stage]:
    """A stage with its worker running."""
    stage = Stage(client, script)
    async with Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[Enrollment],
        activities=[stage.deliver, stage.record],
        workflow_runner=sandbox(),
    ):
        yield stage


# What Temporal Cloud bills as an action (docs.temporal.io/cloud/actions): the start, and
# these commands and messages.
BILLED = frozenset(
    {
        "workflow_execution_started_event_attributes",
        "timer_started_event_attributes",
        "activity_task_scheduled_event_attributes",
        "workflow_execution_signaled_event_attributes",
        "workflow_execution_update_accepted_event_attributes",
    }
)


async def billed(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """The billable actions of a run, from its history."""
    history = await handle.fetch_history()
    kinds = [event.WhichOneof("attributes") or "" for event in history.events]
    return [kind for kind in kinds if kind in BILLED]

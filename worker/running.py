"""The worker process: the enrollment workflow and the activities on one task queue.

The numbers were chosen by measuring (docs/decisions).
"""

from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.activities import Activities
from activities.desk import Desk
from workflows.enrollment import Enrollment

# Our rooms and what they are made of are loaded once, not once a workflow. That switches off
# the sandbox's guard against clocks in them; the linter guards instead.
PASSED_THROUGH = (
    "activities",
    "annotated_types",
    "engine",
    "pydantic",
    "pydantic_core",
    "temporalio",
    "workflows",
)

# Larger than the number of enrollments that wake up within minutes of each other; one that
# was evicted is rebuilt from its history, at three times the cost of a cached step.
MAX_CACHED_WORKFLOWS = 5_000

# `deliver` mostly waits for the store and the provider.
MAX_CONCURRENT_ACTIVITIES = 50


def build_worker(
    client: Client, desk: Desk, task_queue: str, graceful_shutdown: timedelta
) -> Worker:
    """A worker, not yet running."""
    activities = Activities(desk)
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[Enrollment],
        activities=[activities.deliver, activities.record],
        graceful_shutdown_timeout=graceful_shutdown,
        **worker_settings(),
    )


def worker_settings() -> dict[str, Any]:
    """The settings that were chosen by measuring, as arguments of `Worker`."""
    return {
        "workflow_runner": SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
        ),
        "max_cached_workflows": MAX_CACHED_WORKFLOWS,
        "max_concurrent_activities": MAX_CONCURRENT_ACTIVITIES,
    }

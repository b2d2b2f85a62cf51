"""The worker process: the workflows and the activities on one task queue.

The numbers were chosen by measuring (docs/decisions/0001-worker-settings.md).
"""

from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from activities.activities import Activities
from activities.desk import Desk
from api.services import Services
from worker.broadcasting import BroadcastActivities
from worker.sandbox import sandbox
from workflows.broadcast import Broadcast
from workflows.enrollment import Enrollment

# One that is not in the cache is rebuilt from its history whenever it wakes: more than twice
# the CPU. At 77 KB each this many take 390 MB, which a worker with 1 GB can spare. Those
# that wake up within minutes of each other should fit; more need more workers.
MAX_CACHED_WORKFLOWS = 5_000

# A step takes some 14 ms of this process's time, and otherwise its `deliver` waits for the
# provider: 50 keep it busy with one that takes half a second, and no more than 50 messages
# are in the air when a worker dies.
MAX_CONCURRENT_ACTIVITIES = 50


def build_worker(
    client: Client,
    desk: Desk,
    task_queue: str,
    graceful_shutdown: timedelta,
    services: Services | None = None,
) -> Worker:
    """A worker, not yet running. It has no broadcasts without `services`, as in a rehearsal."""
    activities = Activities(desk)
    broadcasts = [] if services is None else [BroadcastActivities(desk, services).page]
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[Enrollment, Broadcast],
        activities=[activities.deliver, activities.record, *broadcasts],
        graceful_shutdown_timeout=graceful_shutdown,
        **worker_settings(),
    )


def worker_settings() -> dict[str, Any]:
    """The settings that were chosen by measuring, as arguments of `Worker`."""
    return {
        "workflow_runner": sandbox(),
        "max_cached_workflows": MAX_CACHED_WORKFLOWS,
        "max_concurrent_activities": MAX_CONCURRENT_ACTIVITIES,
    }

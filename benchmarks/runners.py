"""The ways to run workflow code that a worker could choose between, as settings of `Worker`."""

from typing import Any

from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from worker.running import worker_settings
from worker.sandbox import PASSED_THROUGH

# The guard on for `workflows` alone. Not for `engine`: it pins the time zones when it is
# loaded, which the sandbox forbids.
_ALL_BUT_WORKFLOWS = SandboxRestrictions.default.with_passthrough_modules(
    *(name for name in PASSED_THROUGH if name != "workflows")
)

RUNNERS: dict[str, dict[str, Any]] = {
    "as the worker's": {"workflow_runner": worker_settings()["workflow_runner"]},
    "workflows guarded": {
        "workflow_runner": SandboxedWorkflowRunner(restrictions=_ALL_BUT_WORKFLOWS)
    },
    "unsandboxed": {"workflow_runner": UnsandboxedWorkflowRunner()},
}

"""The ways to run workflow code that a worker could choose between, as settings of `Worker`."""

from typing import Any

from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from worker.running import worker_settings

_PYDANTIC_ONLY = SandboxRestrictions.default.with_passthrough_modules("pydantic", "pydantic_core")

RUNNERS: dict[str, dict[str, Any]] = {
    "as the worker's": {"workflow_runner": worker_settings()["workflow_runner"]},
    "sandboxed": {"workflow_runner": SandboxedWorkflowRunner(restrictions=_PYDANTIC_ONLY)},
    "unsandboxed": {"workflow_runner": UnsandboxedWorkflowRunner()},
}

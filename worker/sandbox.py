"""The sandbox that workflow code runs in, asked for no more than is used.

Decides what is passed through it. The surprising fact: for every payload of every activation
the SDK asks a workflow, in its sandbox, who the payload is for. That was a fifth of this
process's work, and only a codec or a converter that treats one workflow's payloads unlike
another's wants to know. Ours (worker/connection.py) does not; one that does needs the plain
`SandboxedWorkflowRunner`.
"""

from dataclasses import dataclass
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import Info

# Our rooms and what they are made of are loaded once, not once a workflow: 77 KB for each one
# that sleeps in the cache, in place of 210. That switches off the sandbox's guard against
# clocks in them; the linter guards instead.
PASSED_THROUGH = (
    "activities",
    "annotated_types",
    "engine",
    "pydantic",
    "pydantic_core",
    "temporalio",
    "workflows",
)


def sandbox() -> SandboxedWorkflowRunner:
    """The runner of our workflows."""
    return _Runner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    )


@dataclass(frozen=True)
class _Runner(SandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _Instance(super().create_instance(det))


class _Instance(WorkflowInstance):
    """A workflow that answers for itself who its payloads are for: whoever."""

    def __init__(self, inside: WorkflowInstance) -> None:
        self._inside = inside

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._inside.activate(act)

    def get_info(self) -> Info:
        return self._inside.get_info()

    def get_thread_id(self) -> int | None:
        return self._inside.get_thread_id()

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)

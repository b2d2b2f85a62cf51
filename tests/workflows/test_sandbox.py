"""The sandbox asked for less is a sandbox still, and what it is not asked nobody wants to know."""

import pytest
from temporalio import workflow
from temporalio.client import WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import RestrictedWorkflowAccessError

from tests.temporal import time_skipping_server
from worker.sandbox import sandbox


@workflow.defn(sandboxed=True, failure_exception_types=[RestrictedWorkflowAccessError])
class Reader:
    @workflow.run
    async def run(self) -> None:
        open(__file__)  # noqa: ASYNC230, SIM115 - what is being refused


async def test_a_workflow_still_may_not_open_files() -> None:
    async with (
        time_skipping_server() as env,
        Worker(env.client, task_queue="q", workflows=[Reader], workflow_runner=sandbox()),
    ):
        with pytest.raises(WorkflowFailureError) as caught:
            await env.client.execute_workflow(Reader.run, id="reader", task_queue="q")
    assert isinstance(caught.value.cause, ApplicationError)
    assert "open" in caught.value.cause.message


def test_our_converter_treats_the_payloads_of_all_workflows_alike() -> None:
    """What `_Instance` leaves out matters to one that does not."""
    of_workflow = WorkflowSerializationContext(namespace="default", workflow_id="trial:c1")
    of_activity = ActivitySerializationContext(
        namespace="default", activity_id="1", activity_type="deliver", activity_task_queue="q",
        workflow_id="trial:c1", workflow_type="trial", is_local=False,
    )  # fmt: skip
    for context in (of_workflow, of_activity):
        assert pydantic_data_converter.with_context(context) is pydantic_data_converter
    assert pydantic_data_converter.payload_codec is None

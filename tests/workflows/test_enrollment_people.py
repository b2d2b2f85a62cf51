"""People act on a running enrollment, by our API or by hand in the Temporal UI."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from engine.enrollment import Notice
from engine.reasons import Decision, Ending, Reason
from tests.temporal import time_skipping_server
from tests.workflows.stage import Stage, on_stage

DAY = timedelta(days=1)


async def _row(handle: WorkflowHandle[Any, Any], step: str) -> dict[str, Any]:
    progress = await handle.query("progress")
    row: dict[str, Any] = next(row for row in progress["steps"] if row["step"] == step)
    return row


async def _settled(stage: Stage, step: str) -> list[Reason | None]:
    return [s.reason for r in stage.reports for s in r.decided if s.step == step]


@pytest.mark.parametrize("argument", ["tip", {"step": "tip"}, {"step": "tip", "by": "support"}])
async def test_a_skipped_step_is_not_sent_and_the_store_learns_why(argument: Any) -> None:
    async with time_skipping_server() as env, on_stage(env.client) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start, traits={"trial_ends_at": (start + 30 * DAY).isoformat()})
        assert await handle.execute_update("skip", argument) == "accepted"
        assert (await _row(handle, "tip"))["state"] == "not_sent"
        assert await handle.result() == Ending.COMPLETED
        assert stage.steps == ["thanks", "demo", "coupon"]
        assert await _settled(stage, "tip") == [Reason.SKIPPED]
        by_hand = [what for report in stage.reports for what in report.by_hand]
        assert bool(by_hand) is (not isinstance(argument, dict) or "by" not in argument)


async def test_paused_steps_wait_and_resume_sends_those_within_grace() -> None:
    async with time_skipping_server() as env, on_stage(env.client) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start, traits={"trial_ends_at": (start + 30 * DAY).isoformat()})
        await handle.execute_update("pause")
        await env.sleep(timedelta(hours=60))  # `thanks` is 36 hours late now, `tip` 12
        assert stage.steps == []
        await handle.execute_update("resume")
        assert await handle.result() == Ending.COMPLETED
        assert stage.steps == ["tip", "demo", "coupon"]
        decided = [s for report in stage.reports for s in report.decided]
        decided += [s for order in stage.orders for s in order.report.decided]
        assert ("thanks", Decision.NOT_SENT, Reason.EXPIRED) in [
            (s.step, s.decision, s.reason) for s in decided
        ]


async def test_send_now_brings_a_step_forward() -> None:
    async with time_skipping_server() as env, on_stage(env.client) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start, traits={"trial_ends_at": (start + 30 * DAY).isoformat()})
        await handle.execute_update("send_now", "coupon")
        await env.sleep(timedelta(minutes=1))
        assert stage.steps == ["coupon"]
        assert await handle.result() == Ending.COMPLETED
        assert stage.steps == ["coupon", "thanks", "tip", "demo"]


async def test_exit_by_hand_ends_it_with_its_reason() -> None:
    async with time_skipping_server() as env, on_stage(env.client) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start)
        await handle.execute_update("exit", "asked by phone")
        assert await handle.result() == Ending.EXITED
        (report,) = stage.reports
        assert report.ended is not None
        assert report.ended.by == "asked by phone"


@pytest.mark.parametrize(
    ("update", "arguments", "said"),
    [
        ("skip", [], "say which step"),
        ("skip", ["tpi"], "there is no step `tpi`"),
        ("skip", [{"stage": "tip"}], "say which step"),
        ("send_now", [7], "say which step"),
        ("adopt", ["5d139b034ad3"], "`adopt` needs an object"),
        ("pause", ["now", "please", "!"], "argument"),
    ],
)
async def test_an_update_that_makes_no_sense_is_refused_in_words(
    update: str, arguments: list[Any], said: str
) -> None:
    async with time_skipping_server() as env, on_stage(env.client) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(update, args=arguments)
        assert said in str(refused.value.cause)
        await handle.signal("event", _exit(start + DAY))
        assert await handle.result() == Ending.EXITED  # nothing wedged the run


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], [{"at": "never"}], [1, 2, 3], [None], [{"kind": "pause"}]]
)
async def test_a_garbled_signal_is_dropped_and_wedges_nothing(arguments: list[Any]) -> None:
    async with time_skipping_server() as env, on_stage(env.client) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start)
        await handle.signal("event", args=arguments)
        await handle.signal("no_such_signal", args=arguments)
        await handle.signal("event", _exit(start + DAY))
        assert await handle.result() == Ending.EXITED


async def test_a_notice_delivered_twice_counts_once() -> None:
    definition = {
        "journey": "orders",
        "title": "Orders",
        "starts_on": "signed_up",
        "ends_on": "left",
        "topic": "news",
        "steps": [{"send": "thanks", "after_event": "ordered", "repeat": True}],
    }
    async with time_skipping_server() as env, on_stage(env.client) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start, definition=definition)
        for seq, event_id in ((5, "o1"), (5, "o1"), (6, "o2"), (4, "o0")):
            ordered = Notice(
                event_id=event_id, name="ordered", at=start, fires=("thanks",), seq=seq
            )
            await handle.signal("event", ordered)
        await env.sleep(timedelta(minutes=1))
        await handle.signal("event", _exit(start + DAY, seq=9, name="left"))
        assert await handle.result() == Ending.EXITED
        assert [order.delivery.event_id for order in stage.orders] == ["o1", "o2"]


def _exit(at: Any, seq: int = 9, name: str = "trial_cancelled") -> Notice:
    return Notice(event_id="exit-1", name=name, at=at, ending=Ending.EXITED, seq=seq)

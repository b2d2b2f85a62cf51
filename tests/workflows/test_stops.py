"""A step that people have stopped waits in the workflow, and goes on when they start again."""

from datetime import timedelta
from typing import Any

from engine.enrollment import NotBefore, Outcome
from engine.orders import DeliverOrder
from engine.reasons import Ending, Reason
from tests.temporal import time_skipping_server
from tests.workflows.replaying import ordered_now, ordered_then
from tests.workflows.stage import always_sent, on_stage

DAY = timedelta(days=1)


async def test_a_stopped_step_waits_visibly_and_a_retry_brings_it_up_at_once() -> None:
    stopped = {"thanks"}

    def script(order: DeliverOrder) -> Outcome:
        delivery = order.delivery
        if delivery.step in stopped:
            return NotBefore(until=delivery.until, reason=Reason.STOPPED)
        return always_sent(order)

    async with time_skipping_server() as env, on_stage(env.client, script) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start, traits={"trial_ends_at": (start + 30 * DAY).isoformat()})
        await env.sleep(timedelta(hours=30))
        (row,) = [r for r in (await handle.query("progress"))["steps"] if r["step"] == "thanks"]
        assert (row["state"], row["reason"]) == ("due", "stopped")
        await handle.signal("retry", {"step": "thanks"})  # nobody has lifted it: it waits on
        await env.sleep(timedelta(minutes=1))
        assert stage.steps == ["thanks", "thanks"]
        stopped.clear()
        told: tuple[Any, ...] = ("thanks", {"step": "gone"}, {"of": "nothing"}, None, 7)
        for argument in told:  # the bare word counts, all else is harmless
            await handle.signal("retry", argument)
        await env.sleep(timedelta(minutes=1))
        assert stage.steps == ["thanks", "thanks", "thanks"]
        third = stage.orders[2].delivery
        assert start + timedelta(hours=30) <= third.at < start + timedelta(hours=31)
        assert await handle.result() == Ending.COMPLETED
        history = await handle.fetch_history()
        assert await ordered_now(history) == ordered_then(history)

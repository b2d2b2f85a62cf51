"""The shell keeps time, cost and order, on a real server whose clock jumps."""

from datetime import timedelta
from itertools import pairwise

import pytest
from temporalio.client import WorkflowFailureError

from engine.enrollment import NotBefore, Notice, Outcome
from engine.orders import DeliverOrder, Next
from engine.reasons import Ending
from tests.temporal import time_skipping_server
from tests.workflows.replaying import ordered_now, ordered_then
from tests.workflows.stage import TRIAL, always_sent, billed, on_stage

DAY = timedelta(days=1)


async def test_four_messages_cost_nine_actions_and_at_most_fifty_events() -> None:
    async with time_skipping_server() as env, on_stage(env.client) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start, traits={"trial_ends_at": (start + 30 * DAY).isoformat()})
        assert await handle.result() == Ending.COMPLETED
        history = await handle.fetch_history()

        assert stage.steps == ["thanks", "tip", "demo", "coupon"]
        assert [order.delivery.at - start for order in stage.orders] == [
            DAY,
            2 * DAY,
            10 * DAY,
            25 * DAY,
        ]
        assert len(await billed(handle)) == 9
        assert len(history.events) <= 50
        assert sum(event.ByteSize() for event in history.events) <= 12_000
        assert stage.reports == []  # everything rode on `deliver`
        assert stage.orders[-1].report.ended is not None


async def test_an_event_that_ends_it_costs_one_action_more_and_nothing_is_sent_after_it() -> None:
    async with time_skipping_server() as env, on_stage(env.client) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start, traits={"trial_ends_at": (start + 30 * DAY).isoformat()})
        await env.sleep(4 * DAY)
        bought = Notice(
            event_id="e2",
            name="subscription_purchased",
            at=start + 4 * DAY,
            ending=Ending.CONVERTED,
            seq=2,
        )
        await handle.signal("event", bought)
        assert await handle.result() == Ending.CONVERTED
        assert stage.steps == ["thanks", "tip"]
        # Start, three timers (the third was waiting), two sends, one signal.
        assert len(await billed(handle)) == 7
        assert stage.reports == []  # routing closed it in the store before it told us


async def test_a_daily_user_costs_one_timer_and_one_activity_per_ten_days() -> None:
    async with time_skipping_server() as env:
        start = await env.get_current_time()

        def script(order: DeliverOrder) -> Outcome | Exception:
            if order.delivery.step != "demo":
                return always_sent(order)
            return NotBefore(last_activity_at=order.delivery.at)  # used just now

        async with on_stage(env.client, script) as stage:
            handle = await stage.enroll(
                start, traits={"trial_ends_at": (start + 57 * DAY).isoformat()}
            )
            assert await handle.result() == Ending.COMPLETED
            checks = [o.delivery.at for o in stage.orders if o.delivery.step == "demo"]
            assert [later - earlier for earlier, later in pairwise(checks)] == [10 * DAY] * 4
            actions = await billed(handle)
            # Start; three sends and five checks, a timer each; the wait for the end; record.
            assert len(actions) == 1 + 2 * 3 + 2 * 5 + 1 + 1
            assert [report.ended is not None for report in stage.reports] == [True]


async def test_extending_the_trial_moves_the_coupon_at_once() -> None:
    async with time_skipping_server() as env, on_stage(env.client) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start, traits={"trial_ends_at": (start + 14 * DAY).isoformat()})
        await env.sleep(8 * DAY)
        moved = Notice(
            event_id="e2",
            name="identify",
            at=start + 8 * DAY,
            traits={"trial_ends_at": (start + 30 * DAY).isoformat()},
            seq=2,
        )
        await handle.signal("event", moved)
        progress = await handle.query("progress")
        coupon = next(row for row in progress["steps"] if row["step"] == "coupon")
        assert coupon["at"].startswith(f"{start + 25 * DAY:%Y-%m-%dT%H:%M}")
        assert await handle.result() == Ending.COMPLETED
        assert stage.orders[-1].delivery.at == start + 25 * DAY


async def test_a_step_in_trouble_holds_up_neither_the_others_nor_the_exit() -> None:
    async with time_skipping_server() as env:
        start = await env.get_current_time()

        def script(order: DeliverOrder) -> Outcome | Exception:
            if order.delivery.step == "thanks" and not order.settle_only:
                return ValueError("the template is broken")
            return always_sent(order) if not order.settle_only else NotBefore()

        definition = {
            "journey": "two",
            "title": "Two at once",
            "starts_on": "begun",
            "ends_on": "left",
            "topic": "news",
            "steps": [
                {"send": "thanks", "at": "start + 1 minute"},
                {"send": "tip", "at": "start + 1 minute"},
                {"send": "later", "at": "start + 100 days"},
            ],
        }
        async with on_stage(env.client, script) as stage:
            handle = await stage.enroll(start, definition=definition)
            await env.sleep(timedelta(minutes=2))
            assert "tip" in stage.steps  # though `thanks`, before it in the file, is stuck
            left = Notice(
                event_id="e2",
                name="left",
                at=start + timedelta(minutes=2),
                ending=Ending.EXITED,
                seq=2,
            )
            await handle.signal("event", left)
            assert await handle.result() == Ending.EXITED


async def test_after_two_deliveries_at_once_the_store_is_told_what_comes_next() -> None:
    """Each foretold it, and nobody knows whose word the store has had last."""
    definition = {
        **TRIAL,
        "steps": [
            {"send": "early", "at": "start + 1 minute"},
            {"send": "late", "at": "start + 1 minute"},
            {"send": "last", "at": "start + 10 days"},
        ],
    }
    sent: list[str] = []

    def crossing(order: DeliverOrder) -> Outcome | Exception:
        """`early` waits until `late` is under way as well, and is answered before it."""
        waits_for = {"early": "late" in stage.steps, "late": "early" in sent, "last": True}
        if not waits_for[order.delivery.step]:
            return RuntimeError("in trouble")
        sent.append(order.delivery.step)
        return always_sent(order)

    async with time_skipping_server() as env, on_stage(env.client, crossing) as stage:
        start = await env.get_current_time()
        ends_at = (start + 30 * DAY).isoformat()
        handle = await stage.enroll(start, definition=definition, traits={"trial_ends_at": ends_at})
        assert await handle.result() == Ending.COMPLETED
        assert sent == ["early", "late", "last"]
        (told,) = stage.reports
        assert told.next == Next(step="last", at=start + 10 * DAY)
        history = await handle.fetch_history()
        assert await ordered_now(history) == ordered_then(history)


async def test_cancelling_stops_all_sends_and_the_store_is_told() -> None:
    async with time_skipping_server() as env, on_stage(env.client) as stage:
        start = await env.get_current_time()
        handle = await stage.enroll(start, traits={"trial_ends_at": (start + 30 * DAY).isoformat()})
        await env.sleep(timedelta(hours=30))
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        description = await handle.describe()
        assert description.status is not None
        assert description.status.name == "CANCELED"
        assert stage.steps == ["thanks"]
        (report,) = stage.reports
        assert report.ended is not None
        assert report.ended.ending is Ending.CANCELLED

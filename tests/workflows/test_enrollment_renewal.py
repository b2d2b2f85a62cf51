"""A long enrollment goes on in a new run and loses nothing, on the server that lasts."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError

from engine.enrollment import Notice
from engine.reasons import Ending
from tests.temporal import connect, dev_server
from tests.workflows.stage import on_stage

DAY = timedelta(days=1)
SIGNALS = 4_500  # twice past the number at which a run is renewed


async def test_a_flood_of_signals_is_renewed_and_loses_none(tmp_path: Path) -> None:
    with dev_server(tmp_path) as address:
        client = await connect(address)
        start = datetime.now(UTC)
        async with on_stage(client) as stage:
            handle = await stage.enroll(
                start, traits={"trial_ends_at": (start + 30 * DAY).isoformat()}
            )
            first = (await handle.describe()).run_id
            await asyncio.gather(*(_flood(handle, start, n) for n in range(8)))
            last = Notice(
                event_id="last",
                name="identify",
                at=start,
                traits={"trial_ends_at": (start + 90 * DAY).isoformat()},
                seq=SIGNALS + 1,
            )
            await handle.signal("event", last)
            progress = await handle.query("progress")
            coupon = next(row for row in progress["steps"] if row["step"] == "coupon")
            assert coupon["at"].startswith(f"{start + 85 * DAY:%Y-%m-%d}")
            assert (await handle.describe()).run_id != first
            await handle.cancel()
            with pytest.raises(WorkflowFailureError):
                await handle.result()
            assert stage.reports[-1].ended is not None
            assert stage.reports[-1].ended.ending is Ending.CANCELLED


async def _flood(handle: object, start: datetime, lane: int) -> None:
    for n in range(lane, SIGNALS, 8):
        notice = Notice(event_id=f"n{n}", name="identify", at=start, zone="Europe/Paris", seq=0)
        await handle.signal("event", notice)  # type: ignore[attr-defined]

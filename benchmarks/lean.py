"""The leanest enrollment one would write by hand: four timers, four activities, nothing else.

What Parcours costs is measured against it. It knows no pause, no exit, no table of steps and
no version; its activity takes and gives nothing.
"""

from datetime import timedelta

from temporalio import activity, workflow

STEPS = 4


@activity.defn(name="lean_step")
async def lean_step() -> None:
    """Do nothing."""


@workflow.defn(name="lean")
class Lean:
    """Sleep until the next step is due, and act, four times."""

    @workflow.run
    async def run(self, gap_s: float) -> None:
        gap, started_at = timedelta(seconds=gap_s), workflow.info().start_time
        for step in range(STEPS):
            due_at = started_at + gap * (step + 1)
            await workflow.sleep(max(due_at - workflow.now(), timedelta(milliseconds=1)))
            await workflow.execute_activity(lean_step, start_to_close_timeout=timedelta(seconds=60))

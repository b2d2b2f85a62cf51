"""The trial journey at full speed, so that its four steps come up one gap apart.

It is the journey of the journeys folder, with its idle time shortened to fall between the
others; enrollments are opened as routing opens them. A journey day lasts one gap.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from authoring.folder import LoadedJourneys, load_journeys
from engine.clock import Clock, journey_time
from engine.definition import Journey
from engine.enrollment import Facts, Start, Tolerances
from engine.machine import Machine
from engine.orders import EnrollmentInput, Next

FOLDER = Path(__file__).parent.parent / "journeys"
ZONE = "Europe/Paris"

# A second of real delay is days of the journey: nothing here may count as late, held up or
# expired for that.
_ALWAYS = timedelta(days=36_500)
_TOLERANCES = Tolerances(lateness=_ALWAYS, held_after=_ALWAYS, least_grace=_ALWAYS)


@dataclass(frozen=True)
class Trial:
    """The journey with its clock; None is production's, at which a gap is a day."""

    journey: Journey
    clock: Clock | None

    def input(self, enrollment: str, started: datetime) -> EnrollmentInput:
        """What the dispatcher would start it with; `started` is real time. One customer each."""
        at = journey_time(self.clock, started)
        start = Start(event_id=f"start-{enrollment}", at=at, entered_at=at)
        facts = Facts(zone=ZONE, traits={"trial_ends_at": traits(at)["trial_ends_at"]})
        wake = Machine(self.journey, start, facts).wakeup(at)
        assert wake is not None
        return EnrollmentInput(
            enrollment_id=enrollment,
            customer_id=enrollment,
            journey=self.journey.journey,
            version=self.journey.version,
            definition=json.loads(self.journey.pinned),
            start=start,
            facts=facts,
            next=Next(step=wake.step, at=wake.at),
            tolerances=Tolerances() if self.clock is None else _TOLERANCES,
            clock=self.clock,
        )


def traits(at: datetime) -> dict[str, Any]:
    """A customer's traits, whose trial ends such that the coupon is due on the fourth day."""
    return {
        "email": "ada@example.com",
        "first_name": "Ada",
        "timezone": ZONE,
        "trial_ends_at": (at + timedelta(days=9)).isoformat(),
        "representative": {"name": "Inès Laurent", "email": "ines@atelier.example"},
    }


def fast_trial(gap_s: float) -> Trial:
    """The trial with a step every `gap_s` seconds, four of them."""
    now = datetime.now(UTC)
    speed = timedelta(days=1) / timedelta(seconds=gap_s)
    return Trial(fast_journey(), Clock(real_origin=now, journey_origin=now, speed=speed))


def real_trial() -> Trial:
    """The trial in production's time: its enrollments sleep for days."""
    return Trial(fast_journey(), clock=None)


@cache
def folder() -> LoadedJourneys:
    """The journeys folder, read once."""
    return load_journeys(FOLDER)


@cache
def fast_journey() -> Journey:
    """thanks on day 1, tip on 2, demo on 3 in place of 10, coupon on 4 by the trial's end."""
    definition = json.loads(folder().journeys["trial-onboarding"].journey.pinned)
    for step in definition["steps"]:
        if step["send"] == "demo":
            step["after_idle"] = "3 days"
    return Journey.model_validate(definition)

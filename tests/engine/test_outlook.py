"""What an enrollment that begins midway would come to, by the machine itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

from engine.definition import Journey
from engine.enrollment import Facts, Notice, Start
from engine.machine import Machine
from engine.outlook import When, outlook
from engine.reasons import Ending

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def machine(*steps: dict[str, Any], began: timedelta, **more: Any) -> Machine:
    given: dict[str, Any] = {
        "journey": "trial",
        "title": "A trial",
        "starts_on": "trial_started",
        "topic": "onboarding",
        "steps": list(steps),
    }
    traits = more.pop("traits", {})
    journey = Journey.model_validate({**given, **more})
    start = Start(event_id="s", at=NOW - began, entered_at=NOW)
    return Machine(journey, start, Facts(zone="UTC", traits=traits))


def test_each_step_is_past_due_soon_later_or_waiting() -> None:
    seen = outlook(
        machine(
            {"send": "thanks", "at": "start + 1 day"},
            {"send": "tip", "at": "start + 9 days + 12 hours"},
            {"send": "more", "at": "tip + 12 hours"},
            {"send": "demo", "at": "start + 20 days"},
            {"send": "card", "at": "customer.birthday"},
            {"send": "reply", "after_event": "asked"},
            began=10 * DAY,
        ),
        NOW,
        DAY,
    )
    assert dict(seen.steps) == {
        "thanks": When.PAST,
        "tip": When.NOW,
        "more": When.SOON,
        "demo": When.LATER,
        "card": When.WAITING,
        "reply": When.WAITING,
    }
    assert seen.ended is None


def test_a_step_due_exactly_at_the_end_of_soon_is_soon() -> None:
    step = {"send": "tip", "at": "start + 2 days"}
    assert outlook(machine(step, began=DAY), NOW, DAY).steps == (("tip", When.SOON),)
    assert outlook(machine(step, began=DAY), NOW, DAY * 0.9).steps == (("tip", When.LATER),)


def test_what_hangs_on_a_step_that_is_past_never_comes() -> None:
    seen = outlook(
        machine(
            {"send": "thanks", "at": "start + 1 day"},
            {"send": "tip", "at": "thanks + 1 day"},
            began=10 * DAY,
        ),
        NOW,
        DAY,
    )
    assert seen.steps == (("thanks", When.PAST), ("tip", When.NEVER))
    assert seen.ended is not None
    assert seen.ended.ending is Ending.COMPLETED


def test_an_enrollment_that_an_event_has_ended_is_over_and_sends_nothing() -> None:
    begun = machine({"send": "tip", "at": "start + 10 days"}, began=10 * DAY)
    begun.apply(Notice(event_id="e", name="bought", at=NOW - DAY, ending=Ending.CONVERTED))
    seen = outlook(begun, NOW, DAY)
    assert seen.steps == ()
    assert seen.ended is not None
    assert seen.ended.ending is Ending.CONVERTED


def test_a_repeating_idle_step_is_counted_once_a_spell() -> None:
    step = {"send": "miss-you", "after_idle": "10 days", "repeat": True}
    seen = outlook(machine(step, began=10 * DAY), NOW, 30 * DAY)
    assert seen.steps == (("miss-you", When.NOW), ("miss-you", When.LATER))

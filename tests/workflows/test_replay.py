"""Running enrollments survive a deploy: today's code orders on every recorded history exactly
what was ordered then. `python -m tests.workflows.recording` records them anew."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from authoring.folder import load_journeys
from engine.orders import Report
from tests.workflows.recording import HISTORIES, JOURNEYS, file_of, read
from tests.workflows.replaying import ordered_now, ordered_then
from workflows import enrollment
from workflows.outgoing import Outgoing
from workflows.timer import Timer

RECORDED = sorted(HISTORIES.glob("*/*.json.gz"))

# Has all there is: four messages, an idle check, an anchor that moves.
RICH = file_of("trial-onboarding", "extending-the-trial-on-day-8-moves-the-coupon")


def test_every_scenario_has_a_recorded_history() -> None:
    expected = {
        file_of(named.journey.journey, scenario.customer_id)
        for named in load_journeys(JOURNEYS).journeys.values()
        for scenario in named.scenarios
    }
    assert set(RECORDED) == expected


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_a_recorded_history_is_ordered_alike_today(path: Path) -> None:
    history = read(path)
    assert await ordered_now(history) == ordered_then(history)


async def test_another_recipient_turns_a_replay_red(monkeypatch: pytest.MonkeyPatch) -> None:
    real = enrollment.Enrollment._news

    def news(self: enrollment.Enrollment, **known: Any) -> Report:
        return real(self, **known).model_copy(update={"customer_id": "somebody-else"})

    monkeypatch.setattr(enrollment.Enrollment, "_news", news)
    await _is_red()


async def test_another_timer_length_turns_a_replay_red(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Timer.stand_for

    def stand_for(self: Timer, wake: Any, left: timedelta, otherwise: str) -> None:
        real(self, wake, left + timedelta(milliseconds=500), otherwise)

    monkeypatch.setattr(Timer, "stand_for", stand_for)
    await _is_red()


async def test_another_order_of_commands_turns_a_replay_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Outgoing.deliver

    def deliver(self: Outgoing, *args: Any, **kwargs: Any) -> None:
        # One turn of the loop later: after whatever else the workflow orders meanwhile.
        asyncio.get_event_loop().call_soon(lambda: real(self, *args, **kwargs))

    monkeypatch.setattr(Outgoing, "deliver", deliver)
    await _is_red()


async def _is_red() -> None:
    history = read(RICH)
    try:
        now = await ordered_now(history)
    except Exception:  # Temporal itself found another run
        return
    assert now != ordered_then(history)

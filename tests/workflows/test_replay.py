"""Running enrollments and broadcasts survive a deploy: today's code orders on every recorded
history exactly what was ordered then. `python -m tests.workflows.recording` records them anew."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from authoring.folder import load_journeys
from engine.broadcasts import PageOrder
from engine.keys import BROADCAST
from engine.orders import Report
from tests.workflows.recording import HISTORIES, JOURNEYS, file_of, read
from tests.workflows.recording_broadcasts import COURSES
from tests.workflows.replaying import ordered_now, ordered_then
from workflows import broadcast, enrollment
from workflows.outgoing import Outgoing
from workflows.policies import TROUBLED_PAUSE
from workflows.timer import Timer

RECORDED = sorted(HISTORIES.glob("*/*.json.gz"))

# Has all there is: four messages, an idle check, an anchor that moves.
RICH = file_of("trial-onboarding", "extending-the-trial-on-day-8-moves-the-coupon")


# A page in which nobody could be sent anything, a pause for it, and what was put off.
TROUBLED = file_of(BROADCAST, "a-message-in-trouble")


def test_every_scenario_has_a_recorded_history() -> None:
    expected = {
        file_of(named.journey.journey, scenario.customer_id)
        for named in load_journeys(JOURNEYS).journeys.values()
        for scenario in named.scenarios
    }
    assert set(RECORDED) == expected | {file_of(BROADCAST, name) for name in COURSES}


@pytest.mark.parametrize(
    ("name", "timers", "pages"),
    [
        ("a-journey", 2, 3),
        ("a-message", 0, 1),
        ("a-message-in-trouble", 3, 4),
        ("cancelled-in-temporal", 1, 2),
        ("local-time", 2, 3),
        ("paused-and-resumed", 2, 3),
        ("stopped", 1, 2),
    ],
)
def test_a_course_of_a_broadcast_has_what_it_was_recorded_for(
    name: str, timers: int, pages: int
) -> None:
    kinds = Counter(each.kind for each in ordered_then(read(file_of(BROADCAST, name))))
    assert kinds["timer"] >= timers
    assert kinds["activity"] >= pages


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_a_recorded_history_is_ordered_alike_today(path: Path) -> None:
    history = read(path)
    assert await ordered_now(history) == ordered_then(history)


async def test_another_recipient_turns_a_replay_red(monkeypatch: pytest.MonkeyPatch) -> None:
    real = enrollment.Enrollment._news

    def news(self: enrollment.Enrollment, **known: Any) -> Report:
        return real(self, **known).model_copy(update={"customer_id": "somebody-else"})

    monkeypatch.setattr(enrollment.Enrollment, "_news", news)
    await _is_red(RICH)


async def test_another_timer_length_turns_a_replay_red(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Timer.stand_for

    def stand_for(self: Timer, wake: Any, left: timedelta, otherwise: str) -> None:
        real(self, wake, left + timedelta(milliseconds=500), otherwise)

    monkeypatch.setattr(Timer, "stand_for", stand_for)
    await _is_red(RICH)


async def test_another_order_of_commands_turns_a_replay_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Outgoing.deliver

    def deliver(self: Outgoing, *args: Any, **kwargs: Any) -> None:
        # One turn of the loop later: after whatever else the workflow orders meanwhile.
        asyncio.get_event_loop().call_soon(lambda: real(self, *args, **kwargs))

    monkeypatch.setattr(Outgoing, "deliver", deliver)
    await _is_red(RICH)


@pytest.mark.parametrize("name", sorted(COURSES))
async def test_another_page_of_a_broadcast_turns_a_replay_red(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def order(**given: Any) -> PageOrder:
        return PageOrder(**{**given, "name": "another"})

    monkeypatch.setattr(broadcast, "PageOrder", order)
    await _is_red(file_of(BROADCAST, name))


async def test_a_cancelled_broadcast_that_is_not_stopped_turns_a_replay_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcast, "_ACTOR", None)
    await _is_red(file_of(BROADCAST, "cancelled-in-temporal"))


async def test_another_pause_between_pages_turns_a_replay_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcast, "TROUBLED_PAUSE", TROUBLED_PAUSE * 2)
    await _is_red(TROUBLED)


@pytest.mark.parametrize("name", ["a-journey", "local-time", "paused-and-resumed"])
async def test_a_timer_of_a_broadcast_that_is_a_moment_longer_turns_a_replay_red(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = broadcast.Broadcast._pause

    def pause(self: broadcast.Broadcast) -> timedelta:
        return real(self) + timedelta(milliseconds=50)

    monkeypatch.setattr(broadcast.Broadcast, "_pause", pause)
    await _is_red(file_of(BROADCAST, name))


async def _is_red(path: Path) -> None:
    history = read(path)
    try:
        now = await ordered_now(history)
    except Exception:  # Temporal itself found another run
        return
    assert now != ordered_then(history)

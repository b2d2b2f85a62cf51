"""(d) What the engine decides in a second, with nothing around it; and a month of 1,000 customers.

Pure Python in one process: the machine alone, then the whole simulator (routing, machine,
gate) as `parcours simulate` plays it.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from benchmarks.ratios import Ratio
from benchmarks.trial import ZONE, folder, traits
from engine.calls import Call, Identify, Track
from engine.definition import Journey
from engine.enrollment import Answer, Facts, Settled, Start
from engine.machine import Machine
from engine.person import Stage
from engine.reasons import Decision
from engine.simulator import simulate
from rendering.conditions import counted, evaluate

_ROUNDS = 5
_ENROLLMENTS = 500
_CUSTOMERS = 1_000
_MONTH_AT_MOST_S = 2.0
_START = datetime(2026, 11, 23, 8, tzinfo=UTC)


async def run() -> None:
    """Both, several times over."""
    journey = folder().journeys["trial-onboarding"].journey
    decided = 4 * _ENROLLMENTS
    rates = [decided / each for each in _timed(lambda: _live_all(journey))]
    print(f"  engine decisions per second: {_told(rates, '{:,.0f}')}")
    stage, calls = _stage(), _calls()
    lines = len(simulate(stage, calls, _START + timedelta(days=31)))
    seconds = _timed(lambda: simulate(stage, calls, _START + timedelta(days=31)))
    print(f"  {_CUSTOMERS:,} customers, 30 days, {lines:,} lines, s: {_told(seconds, '{:.2f}')}")
    of_limit = [each / _MONTH_AT_MOST_S for each in seconds]
    print(Ratio("a month of 1,000 customers / 2 s", of_limit, at_most=1.0))


def _timed(work: Callable[[], object]) -> list[float]:
    """How long it takes, round by round."""
    took = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return took


def _told(values: list[float], form: str) -> str:
    median, low, high = statistics.median(values), min(values), max(values)
    spread = f"{form.format(low)} … {form.format(high)}, {_ROUNDS} rounds"
    return f"{form.format(median)} ({spread})"


def _live_all(journey: Journey) -> None:
    """Many enrollments from start to end, every message sent."""
    for number in range(_ENROLLMENTS):
        at = _START + timedelta(minutes=number)
        ends = {"trial_ends_at": (at + timedelta(days=30)).isoformat()}
        start = Start(event_id=f"e{number}", at=at, entered_at=at)
        machine = Machine(journey, start, Facts(zone=ZONE, traits=ends))
        now = at
        while (wake := machine.wakeup(now)) is not None:
            now = wake.at
            while (delivery := machine.take(now)) is not None:
                sent = Settled(decision=Decision.SENT, channel="email", message=delivery.step)
                machine.apply(
                    Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=sent)
                )


def _stage() -> Stage:
    loaded = folder()
    return Stage(
        journeys={name: each.journey for name, each in loaded.journeys.items()},
        policy=loaded.policy,
        channels={
            name: {folder: m.channels for folder, m in each.messages.items()}
            for name, each in loaded.journeys.items()
        },
        evaluate=evaluate,
        counted=counted,
    )


def _calls() -> list[Call]:
    """A trial each, some of whom come back now and then, and some of whom buy."""
    calls: list[Call] = []
    for number in range(_CUSTOMERS):
        who, at = f"c{number}", _START + timedelta(seconds=number)
        known = {**traits(at), "trial_ends_at": (at + timedelta(days=30)).isoformat()}
        calls.append(Identify(customer_id=who, at=at, message_id=f"i{number}", traits=known))
        calls.append(_track(who, at, "trial_started"))
        calls += [
            _track(who, at + timedelta(days=day), "report_made")
            for day in range(1, 30, 4 + number % 9)
        ]
        if number % 5 == 0:
            calls.append(_track(who, at + timedelta(days=number % 29), "subscription_purchased"))
    return calls


def _track(who: str, at: datetime, event: str) -> Track:
    return Track(customer_id=who, at=at, message_id=f"{event}-{who}-{at.isoformat()}", event=event)

"""Scenarios played by the simulator: where a journey gives something else than they say.

Decides how a difference is told; only the first of each scenario, since one thing that
comes at another time often moves the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import zip_longest

from authoring.folder import LoadedJourneys
from authoring.mistakes import Mistake
from authoring.scenario_lines import Expected, ExpectedDecision
from authoring.scenarios import Scenario
from cli.simulate import play
from cli.zones import Zones
from engine.lines import Line, StepLine
from engine.progress import local_text
from engine.reactions import CannotReact
from engine.reasons import Decision, Ending, Reason

# What is compared: a decision's time, step, decision and reason, or an ending's time and word.
Told = tuple[datetime, str, Decision, Reason | None] | tuple[datetime, Ending]


def differences(loaded: LoadedJourneys) -> list[Mistake]:
    """For every scenario that comes out otherwise: where, and what came instead."""
    found = []
    for journey in loaded.journeys.values():
        for scenario in journey.scenarios:
            zones = Zones(scenario.calls, loaded.policy.timezone)

            def local(at: datetime, zones: Zones = zones, who: str = scenario.customer_id) -> str:
                return local_text(at, zones.at(who, at))

            try:
                lines = play(journey, loaded.policy, scenario.calls, scenario.until)
            except CannotReact as error:
                found.append(_unplayable(scenario, error, local))
                continue
            difference = _difference(scenario, told(lines), local)
            if difference is not None:
                found.append(difference)
    return found


def told(lines: Iterable[Line]) -> list[Told]:
    """The decisions and endings among the lines, as scenarios list them."""
    found: list[Told] = []
    for line in lines:
        if isinstance(line, StepLine):
            found.append((line.at, line.step, line.decision, line.reason))
        elif line.ending is not None:
            found.append((line.at, line.ending))
    return found


def expected(scenario: Scenario) -> list[Told]:
    """The same of what the scenario says."""
    return [_as_told(each) for each in scenario.expected]


def _as_told(each: Expected) -> Told:
    if isinstance(each, ExpectedDecision):
        return each.at, each.step, each.decision, each.reason
    return each.at, each.ending


def _difference(
    scenario: Scenario, got: Sequence[Told], local: Callable[[datetime], str]
) -> Mistake | None:
    for said, came in zip_longest(scenario.expected, got):
        if said is None or _as_told(said) != came:
            line = scenario.line if said is None else said.line
            wanted = "nothing more" if said is None else _words(_as_told(said), local)
            instead = "nothing more" if came is None else _words(came, local)
            return Mistake(
                scenario.file,
                line,
                f"“{scenario.name}” says {wanted}; the journey gives {instead}",
            )
    return None


def _unplayable(
    scenario: Scenario, error: CannotReact, local: Callable[[datetime], str]
) -> Mistake:
    line = scenario.lines[scenario.calls.index(error.reaction)]
    at = local(error.reaction.at)
    return Mistake(scenario.file, line, f"“{scenario.name}” can't be played at {at}: {error}")


def _words(each: Told, local: Callable[[datetime], str]) -> str:
    match each:
        case (at, step, decision, reason):
            why = "" if reason is None else f" ({reason})"
            return f"`{decision}: {step}`{why} at {local(at)}"
        case (at, ending):
            return f"`enrollment: {ending}` at {local(at)}"

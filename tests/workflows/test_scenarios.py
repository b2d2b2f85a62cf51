"""Every scenario of every journey, by the simulator and by the real stack: both say what it says.

The rehearsal is the one that `parcours simulate --on-temporal` plays: ingestion, dispatcher,
worker, `deliver` and the mailbox on a real Temporal server with skipped time.
"""

import pytest

from authoring.folder import LoadedJourney, load_journeys
from authoring.scenarios import Scenario
from cli.scenarios import expected, told
from cli.simulate import play
from engine.lines import LifeLine
from tests.lint.checkout import ROOT
from worker.rehearsal import rehearse

LOADED = load_journeys(ROOT / "journeys")
SCENARIOS = [
    pytest.param(journey, scenario, id=scenario.customer_id)
    for journey in LOADED.journeys.values()
    for scenario in journey.scenarios
]


def test_every_journey_has_scenarios() -> None:
    assert len(SCENARIOS) >= 35
    assert [name for name, each in LOADED.journeys.items() if not each.scenarios] == []


@pytest.mark.parametrize(("journey", "scenario"), SCENARIOS)
def test_the_simulator_gives_what_the_scenario_says(
    journey: LoadedJourney, scenario: Scenario
) -> None:
    lines = play(journey, LOADED.policy, scenario.calls, scenario.until)
    assert told(lines) == expected(scenario)
    assert [line.at for line in lines if isinstance(line, LifeLine) and line.ending is None]


@pytest.mark.parametrize(("journey", "scenario"), SCENARIOS)
async def test_a_real_server_with_skipped_time_gives_the_same(
    journey: LoadedJourney, scenario: Scenario
) -> None:
    real = await rehearse(journey, LOADED.policy, scenario.calls, scenario.until)
    assert told(real) == expected(scenario)
    assert real == play(journey, LOADED.policy, scenario.calls, scenario.until)

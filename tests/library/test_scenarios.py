"""Every scenario of the library, by the simulator and by the real stack: both say what it says.

On a real server that skips time each takes a second or two, so that all of them are for the
long run; two journeys are played there in every run.
"""

import pytest

from authoring.folder import LoadedJourney
from authoring.scenarios import Scenario
from cli.scenarios import expected, told
from cli.simulate import play
from tests.library.loaded import LIBRARY, SCENARIOS
from worker.rehearsal import rehearse

ALWAYS = ("account-created", "newsletter-sign-up")

each_scenario = pytest.mark.parametrize(("journey", "scenario"), SCENARIOS)
IN_EVERY_RUN = [
    pytest.param(LIBRARY.journeys[name], LIBRARY.journeys[name].scenarios[0], id=name)
    for name in ALWAYS
]


def test_nothing_in_the_library_is_wrong_or_odd() -> None:
    assert LIBRARY.warnings == ()


def test_every_journey_says_when_to_use_it_and_has_some_scenarios() -> None:
    for name, each in LIBRARY.journeys.items():
        assert 2 <= len(each.scenarios) <= 5, name
        note = (each.path / "README.md").read_text(encoding="utf-8")
        assert "- Events" in note, name
        assert len(note) > 200, name


def test_every_message_is_there_in_french_too() -> None:
    untranslated = [
        f"{journey}/{name}/{file}"
        for journey, each in LIBRARY.journeys.items()
        for name, message in each.messages.items()
        for file in message.files
        if "/" not in file and f"fr/{file}" not in message.files
    ]
    assert untranslated == []


@each_scenario
def test_the_simulator_gives_what_the_scenario_says(
    journey: LoadedJourney, scenario: Scenario
) -> None:
    lines = play(journey, LIBRARY.policy, scenario.calls, scenario.until)
    assert told(lines) == expected(scenario)


async def _gives_the_same(journey: LoadedJourney, scenario: Scenario) -> None:
    real = await rehearse(journey, LIBRARY.policy, scenario.calls, scenario.until)
    assert told(real) == expected(scenario)
    assert real == play(journey, LIBRARY.policy, scenario.calls, scenario.until)


@pytest.mark.parametrize(("journey", "scenario"), IN_EVERY_RUN)
async def test_a_real_server_with_skipped_time_gives_the_same(
    journey: LoadedJourney, scenario: Scenario
) -> None:
    await _gives_the_same(journey, scenario)


@pytest.mark.long
@each_scenario
async def test_a_real_server_gives_every_scenario_the_same(
    journey: LoadedJourney, scenario: Scenario
) -> None:
    await _gives_the_same(journey, scenario)

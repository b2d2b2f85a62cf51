"""A customer whom only a phone number or a country is known of, played on a real server too."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from authoring.folder import load_journeys
from cli.scenarios import told
from cli.simulate import play
from engine.calls import Identify, Played
from engine.policy import Policy
from engine.reasons import Decision
from tests.lint.checkout import ROOT
from worker.rehearsal import rehearse

LOADED = load_journeys(ROOT / "journeys")
TRIAL = LOADED.journeys["trial-onboarding"]
QUIET = {"email": {"hours": "18:00-08:00", "days": "sun", "holidays": True}}


def _calls(traits: dict[str, Any]) -> list[Played]:
    """The trial of a scenario, by somebody whose zone nobody told us."""
    scenario = TRIAL.scenarios[0]
    nowhere: list[Played] = []
    for call in scenario.calls:
        if isinstance(call, Identify):
            known = {k: v for k, v in call.traits.items() if k != "timezone"} | traits
            call = replace(call, traits=known)
        nowhere.append(call)
    return nowhere


@pytest.mark.parametrize("traits", [{"phone": "+1 808 555 0123"}, {"country": "us"}])
async def test_a_real_server_waits_as_long_as_the_simulator(traits: dict[str, Any]) -> None:
    policy = Policy.model_validate(LOADED.policy.model_dump() | {"quiet_hours": QUIET})
    calls = _calls(traits)
    until = calls[-1].at + timedelta(days=40)
    simulated = play(TRIAL, policy, calls, until)
    unheld = told(play(TRIAL, LOADED.policy, calls, until))
    sent = [each for each in told(simulated) if Decision.SENT in each]
    assert sent
    assert not set(sent) & set(unheld)  # each of them had to wait
    assert await rehearse(TRIAL, policy, calls, until) == simulated

"""The library, loaded once for all its tests."""

import pytest

from authoring.folder import load_journeys
from tests.lint.checkout import ROOT

FOLDER = ROOT / "journeys" / "library"
LIBRARY = load_journeys(FOLDER)

SCENARIOS = [
    pytest.param(journey, scenario, id=f"{name}/{scenario.customer_id}")
    for name, journey in LIBRARY.journeys.items()
    for scenario in journey.scenarios
]

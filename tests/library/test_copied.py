"""Every journey of the library can be copied beside the shipped ones, and is right there."""

import shutil
from pathlib import Path

import pytest

from tests.cli.running import parcours_here
from tests.library.loaded import LIBRARY
from tests.lint.checkout import ROOT

# One in every run, that brings along a topic, traits and a segment.
_ALWAYS = "win-back"

NAMES = [
    pytest.param(name, marks=() if name == _ALWAYS else (pytest.mark.long,))
    for name in LIBRARY.journeys
]


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_copied_beside_the_shipped_journeys(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "journeys"
    shutil.copytree(ROOT / "journeys", folder)
    ran = parcours_here("new", f"our-{name}", "--from", name, "--journeys", folder)
    assert ran.code == 0, ran.out + ran.err
    assert f"our-{name}: copied from" in ran.out
    assert " 0 warnings)" in ran.out.splitlines()[-1]

"""Where zones come from: design.md, "Time", rule 3. The pinned package, and nothing else."""

import os
import subprocess
import sys
import zoneinfo
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.localtime import pin_tzdata, zone


@pytest.mark.parametrize(
    "name",
    ["", " ", "Nowhere/City", "Europe", "europe/paris", "Europe/Paris ", "../etc/passwd",
     "/etc/passwd", "Europe/../Europe/Paris", "Europe/Paris\x00", "zone.tab", "tzdata.zi",
     "__init__.py", "\ud800", "x" * 100_000, "CET-1CEST"],
)  # fmt: skip
def test_an_unknown_or_hostile_zone_name_is_none(name: str) -> None:
    assert zone(name) is None


def test_a_zone_is_made_once() -> None:
    assert zone("Europe/Paris") is zone("Europe/Paris")


def _plant_wrong_paris(folder: Path) -> None:
    (folder / "Europe").mkdir()
    wrong = files("tzdata").joinpath("zoneinfo/Pacific/Auckland").read_bytes()
    (folder / "Europe" / "Paris").write_bytes(wrong)


def test_pinning_takes_zones_from_the_package_and_nowhere_else(tmp_path: Path) -> None:
    noon = datetime(2026, 12, 1, 12, tzinfo=UTC)
    _plant_wrong_paris(tmp_path)
    try:
        zoneinfo.reset_tzpath(to=[str(tmp_path)])
        ZoneInfo.clear_cache()
        assert noon.astimezone(ZoneInfo("Europe/Paris")).hour == 1
        pin_tzdata()
        assert noon.astimezone(ZoneInfo("Europe/Paris")).hour == 13
        assert noon.astimezone(zone("Europe/Paris")).hour == 13
    finally:
        pin_tzdata()


def test_importing_any_part_of_the_engine_pins_the_process(tmp_path: Path) -> None:
    _plant_wrong_paris(tmp_path)
    program = (
        "import zoneinfo, engine.reasons\n"
        "from datetime import UTC, datetime\n"
        "noon = datetime(2026, 12, 1, 12, tzinfo=UTC)\n"
        "print(zoneinfo.TZPATH, noon.astimezone(zoneinfo.ZoneInfo('Europe/Paris')).hour)\n"
    )
    environment = {**os.environ, "PYTHONTZPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "() 13"

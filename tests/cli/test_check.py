"""`parcours check` names everything that is wrong, and plays the scenarios."""

import shutil
from pathlib import Path

from tests.authoring.test_twenty_mistakes import TWENTY
from tests.cli.running import parcours
from tests.lint.checkout import ROOT


def test_a_folder_without_a_mistake_is_ok() -> None:
    ran = parcours("check")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("ok: confirm-subscription, trial-onboarding (38 scenarios")


def test_all_twenty_mistakes_are_named_with_file_and_line() -> None:
    ran = parcours("check", "tests/authoring/twenty_mistakes")
    assert ran.code == 2
    lines = ran.out.splitlines()
    for (file, line, wrong, instead), text in zip(TWENTY, lines, strict=False):
        assert text.startswith(f"tests/authoring/twenty_mistakes/{file}:{line}: ")
        assert wrong in text
        assert instead in text
    assert lines[20:] == ["20 mistakes in tests/authoring/twenty_mistakes"]


def test_a_scenario_that_comes_out_otherwise_is_named_with_what_came_instead(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "journeys"
    shutil.copytree(ROOT / "journeys", folder)
    path = folder / "trial-onboarding" / "journey.yaml"
    path.write_text(path.read_text().replace("start + 2 days", "start + 3 days"))
    ran = parcours("check", folder)
    assert ran.code == 2
    first = ran.out.splitlines()[0]
    assert "trial-onboarding/scenarios.yaml:" in first
    assert "says `sent: tip` at 2026-11-25 09:00 Europe/Paris" in first
    assert "gives `sent: tip` at 2026-11-26 09:00 Europe/Paris" in first


def test_a_click_on_what_was_not_sent_by_then_has_its_line(tmp_path: Path) -> None:
    folder = tmp_path / "journeys"
    shutil.copytree(ROOT / "journeys", folder)
    path = folder / "trial-onboarding" / "scenarios.yaml"
    path.write_text(
        "scenarios:\n"
        "  - scenario: Too early\n"
        "    customer: {email: ada@example.com, timezone: Europe/Paris}\n"
        "    starts: 2026-11-23 09:00\n"
        "    happens:\n"
        "      - {after: 1 day, track: report_opened}\n"
        "      - {after: 1 day, click: tip}\n"
        "    gets: []\n"
    )
    ran = parcours("check", folder)
    assert ran.code == 2
    assert ran.out.splitlines()[0].endswith(
        "trial-onboarding/scenarios.yaml:7: “Too early” can't be played at 2026-11-24 09:00 "
        "Europe/Paris: nothing was sent that could be clicked: by then `tip` had not gone out"
    )


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    ran = parcours("check", tmp_path / "nowhere")
    assert (ran.code, ran.out) == (2, "")
    assert "nowhere" in ran.err

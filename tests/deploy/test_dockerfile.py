"""The Dockerfile, read by hadolint, and what reaches the image."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lint.checkout import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def hadolint(dockerfile: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "hadolint", "--no-color", "-"],
        input=dockerfile,
        capture_output=True,
        text=True,
        check=False,
    )


def test_hadolint_finds_nothing() -> None:
    run = hadolint(DOCKERFILE)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("python:3.11-slim-bookworm", "python", "DL3006"),
        ("WORKDIR /app", "WORKDIR app", "DL3000"),
        ("--no-cache-dir ", "", "DL3042"),
    ],
)
def test_hadolint_finds_a_mistake(right: str, wrong: str, rule: str) -> None:
    assert right in DOCKERFILE
    run = hadolint(DOCKERFILE.replace(right, wrong))
    assert run.returncode != 0
    assert rule in run.stdout


def test_the_image_does_not_run_as_root() -> None:
    users = [line for line in DOCKERFILE.splitlines() if line.startswith("USER ")]
    assert users[-1] == "USER 10001"


def test_the_image_takes_its_time_zones_from_the_pinned_package() -> None:
    assert "PYTHONTZPATH= " in DOCKERFILE


def test_neither_secrets_nor_data_reach_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    # `.env`, `.git`, `.venv` and `.parcours`, the data of the embedded stack.
    assert ".*" in ignored
    assert [line for line in ignored if line.startswith("!")] == ["!.env.example"]

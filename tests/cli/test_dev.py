"""`parcours dev`: everything comes up, everything goes, and what is in the way is named."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cli.running import environment, parcours
from tests.lint.checkout import ROOT
from tests.temporal import free_port
from worker.binaries import installed
from worker.errors import MissingBinaryError

_UP_S = 60.0


@contextmanager
def dev(data: Path, journeys: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running `parcours dev`, and what it said when it was up."""
    ports = [str(free_port()) for _ in range(3)]
    arguments = ["dev", "--data", str(data), "--journeys", str(journeys)]
    arguments += ["--port", ports[0], "--temporal-port", ports[1], "--ui-port", ports[2]]
    with (data.parent / "err.txt").open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", *arguments],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield process, _said(process)
    finally:
        process.kill()
        process.communicate()


def _said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    deadline = time.monotonic() + _UP_S
    while "Temporal UI" not in said:
        assert time.monotonic() < deadline, said
        line = process.stdout.readline()
        assert line, f"it ended: {said}"
        said += line
    return said


def servers_of(data: Path) -> list[str]:
    """Temporal servers that keep their data there."""
    ran = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True)
    return [line for line in ran.stdout.splitlines() if str(data / "temporal.db") in line]


def test_it_serves_until_it_is_told_to_stop_and_leaves_nothing_behind(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with dev(data, ROOT / "journeys") as (process, said):
        page, key = re.findall(r"mailbox +(\S+)/mailbox\?key=(\S+)", said)[0]
        with httpx.Client(base_url=page, trust_env=False) as client:
            ready = client.get("/readyz").json()
            assert (ready["store"], ready["temporal"], ready["dispatcher"]) == ("ok", "ok", "ok")
            listed = client.get("/v1/enrollments", headers={"Authorization": f"Bearer {key}"})
            assert listed.json() == {"enrollments": []}
        assert len(servers_of(data)) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert servers_of(data) == []
    for secret in ("secret.key", "api.key"):
        assert os.stat(data / secret).st_mode & 0o777 == 0o600


def test_with_a_mistake_it_starts_and_what_was_published_stays(tmp_path: Path) -> None:
    data, journeys = tmp_path / "data", tmp_path / "journeys"
    shutil.copytree(ROOT / "journeys", journeys)
    with dev(data, journeys) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    path = journeys / "trial-onboarding" / "journey.yaml"
    path.write_text(path.read_text().replace("start + 1 day\n", "start + 1 dya\n"))
    with dev(data, journeys) as (process, said):
        page, key = re.findall(r"mailbox +(\S+)/mailbox\?key=(\S+)", said)[0]
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=page, headers=headers, trust_env=False) as client:
            client.post("/v1/identify", json={"userId": "ada", "traits": {"plan": "trial"}})
            client.post("/v1/track", json={"userId": "ada", "event": "trial_started"})
            (enrolled,) = client.get("/v1/enrollments").json()["enrollments"]
        assert enrolled["journey"] == "trial-onboarding"
    errors = (tmp_path / "err.txt").read_text()
    assert "did you mean `day`?" in errors
    assert "what was published before stays" in errors


@pytest.mark.parametrize("option", ["--port", "--temporal-port", "--ui-port"])
def test_a_port_in_use_is_named_with_the_option_that_chooses_another(
    tmp_path: Path, option: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        others = {"--port", "--temporal-port", "--ui-port"} - {option}
        arguments = [text for each in others for text in (each, str(free_port()))]
        ran = parcours("dev", "--data", tmp_path / "data", option, str(port), *arguments)
    assert ran.code == 1
    assert f"port {port} is in use" in ran.err
    assert f"`{option} {port + 1}`" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_missing_program_is_told_how_to_come_by(tmp_path: Path) -> None:
    with pytest.raises(MissingBinaryError, match=r"parcours\[embedded\]"):
        installed("temporal", tmp_path)

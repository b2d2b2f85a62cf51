"""The real Docker Compose, asked to check and resolve a file; shared by the tests beside it."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from tests.lint.checkout import ROOT

# The wheel's own wrapper script answers 0 whatever happened, so the binary is called.
COMPOSE = Path(sysconfig.get_path("purelib")) / "compose" / "docker-compose"
FILE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"
SECRETS = {"POSTGRES_PASSWORD": "p" * 48, "PARCOURS_SECRET_KEY": "k" * 64}
PARCOURS_SERVICES = ("migrate", "publish", "api", "worker")


def compose(tmp_path: Path, text: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Have Compose check and resolve a file; only `env` is there to fill it in."""
    (tmp_path / "docker-compose.yml").write_text(text, encoding="utf-8")
    return subprocess.run(
        [COMPOSE, "--project-directory", tmp_path, "config", "--format", "json"],
        cwd=tmp_path,
        env={"PATH": os.defpath, "HOME": str(tmp_path), **env},
        capture_output=True,
        text=True,
        check=False,
    )


def resolved(tmp_path: Path, env: dict[str, str], text: str | None = None) -> dict[str, Any]:
    """The services, by name; of docker-compose.yml, unless another text is given."""
    run = compose(tmp_path, text or FILE.read_text(encoding="utf-8"), env)
    assert run.returncode == 0, run.stderr
    services: dict[str, Any] = json.loads(run.stdout)["services"]
    return services


def example() -> dict[str, str]:
    """The variables of .env.example and their values."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}

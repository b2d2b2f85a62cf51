"""What docker-compose.yml has its services do is what the code knows: commands, attributes."""

import re
from pathlib import Path
from typing import Any

import pytest

from api.temporal_names import SEARCH_ATTRIBUTES
from tests.deploy.compose import FILE, PARCOURS_SERVICES, SECRETS, resolved
from tests.docs.test_commands import parcours
from tests.lint.checkout import project


def not_commands(services: dict[str, Any]) -> list[str]:
    """Each command of the image that is not `parcours` and the words of one of its commands."""
    commands = [each["command"] for each in services.values() if each["image"] == "parcours"]
    leaves = [path for path, command in parcours().items() if not command.is_group]
    return [
        " ".join(words)
        for words in commands
        if words[0] not in project()["project"]["scripts"] or tuple(words[1:]) not in leaves
    ]


def test_every_service_of_the_image_runs_a_command_that_exists(tmp_path: Path) -> None:
    services = resolved(tmp_path, SECRETS)
    ours = {name for name, each in services.items() if each["image"] == "parcours"}
    assert ours == set(PARCOURS_SERVICES)
    assert not_commands(services) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("[parcours, db, upgrade]", "[parcours, db, upgrde]"),
        ("[parcours, db, upgrade]", "[parcours, db]"),
        ("[parcours, worker]", "[parcours, worker, --fast]"),
        ("[parcours, api]", "[parcour, api]"),
    ],
)
def test_a_command_that_does_not_exist_is_found(tmp_path: Path, right: str, wrong: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert right in text
    services = resolved(tmp_path, SECRETS, text.replace(right, wrong))
    assert not_commands(services) == [wrong.strip("[]").replace(",", "")]


def attributes_made(script: str) -> dict[str, str]:
    """Those that `temporal operator search-attribute create` is told to make: name and type."""
    return dict(re.findall(r"--name (\w+) --type (\w+)", script))


def attributes_waited_for(script: str) -> set[str]:
    """Those that the last query names, which is repeated until the server knows them all."""
    return set(re.findall(r"(\w+) = '", script))


def test_the_namespace_gets_the_search_attributes_of_the_code(tmp_path: Path) -> None:
    script = resolved(tmp_path, SECRETS)["temporal-namespace"]["command"][-1]
    of_the_code = {key.name: key.indexed_value_type.name for key in SEARCH_ATTRIBUTES}
    made = {name: kind.upper() for name, kind in attributes_made(script).items()}
    assert made == of_the_code
    assert attributes_waited_for(script) == set(of_the_code)


def test_publishing_and_the_processes_wait_for_what_they_need(tmp_path: Path) -> None:
    services = resolved(tmp_path, SECRETS)
    done = {"condition": "service_completed_successfully", "required": True}
    assert services["publish"]["depends_on"] == {"migrate": done}
    for process in ("api", "worker"):
        assert services[process]["depends_on"] == {"publish": done, "temporal-namespace": done}

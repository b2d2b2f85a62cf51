"""docker-compose.yml, read by the real Docker Compose, and the settings it hands over."""

import re
import subprocess
import sys
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import pytest

from settings import EmailProvider, Settings, load, variable
from tests.deploy.compose import (
    EXAMPLE,
    FILE,
    PARCOURS_SERVICES,
    SECRETS,
    compose,
    example,
    resolved,
)
from worker import web


def test_compose_accepts_the_file(tmp_path: Path) -> None:
    services = resolved(tmp_path, SECRETS)
    assert {"postgresql", "temporal", "temporal-ui", "mailpit", *PARCOURS_SERVICES} <= set(services)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("image: postgres:17", "imagee: postgres:17"),
        ("postgresql: {condition: service_healthy}", "postgres: {condition: service_healthy}"),
        ("- postgresql:/var", "- nowhere:/var"),
        ("source: temporal-dynamic-config", "source: another"),
    ],
)
def test_compose_refuses_a_file_with_a_mistake(tmp_path: Path, right: str, wrong: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert right in text
    assert compose(tmp_path, text.replace(right, wrong), SECRETS).returncode != 0


@pytest.mark.parametrize("missing", SECRETS)
def test_a_missing_secret_is_refused_by_name(tmp_path: Path, missing: str) -> None:
    env = {name: value for name, value in SECRETS.items() if name != missing}
    run = compose(tmp_path, FILE.read_text(encoding="utf-8"), env)
    assert run.returncode != 0
    assert missing in run.stderr
    assert "openssl rand" in run.stderr


def secrets_with_a_default(text: str) -> list[str]:
    """`${SOME_PASSWORD:-x}`, and a secret that is written out."""
    in_variables = re.findall(r"\$\{\w*(?:PASSWORD|SECRET|KEY|PWD)\w*:?-[^}]+\}", text)
    written_out = re.findall(
        r"(?m)^ *\w*(?:PASSWORD|SECRET|_KEY|PWD)\w*: *[\"']?[^\"'$\s].*$", text
    )
    return [*in_variables, *written_out]


def test_no_secret_has_a_default() -> None:
    assert secrets_with_a_default(FILE.read_text(encoding="utf-8")) == []
    assert {name for name, value in example().items() if value} & {
        name for name in example() if re.search("PASSWORD|SECRET|KEY", name)
    } == set()


@pytest.mark.parametrize(
    "text",
    [
        "      POSTGRES_PASSWORD: temporal\n",
        '      SQL_PASSWORD: "temporal"\n',
        '      POSTGRES_PWD: "${POSTGRES_PASSWORD:-temporal}"\n',
        '      PARCOURS_SECRET_KEY: "${PARCOURS_SECRET_KEY-dev}"\n',
    ],
)
def test_a_secret_with_a_default_is_found(text: str) -> None:
    assert secrets_with_a_default(text) != []


def test_compose_and_the_example_name_every_setting_and_no_other(tmp_path: Path) -> None:
    names = {variable(field) for field in Settings.model_fields}
    assert {*example()} == names | {"POSTGRES_PASSWORD"}
    services = resolved(tmp_path, SECRETS)
    for service in PARCOURS_SERVICES:
        assert set(services[service]["environment"]) == names


def test_compose_reads_no_variable_that_the_example_does_not_name() -> None:
    read = set(re.findall(r"(?<!\$)\$\{(\w+)", FILE.read_text(encoding="utf-8")))
    assert len(read) > 10
    assert read - set(example()) == set()


def test_the_example_with_its_secrets_filled_in_starts_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = resolved(tmp_path, {**example(), **SECRETS})
    for name, value in services["api"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert settings.database_url == (
        f"postgresql+asyncpg://parcours:{SECRETS['POSTGRES_PASSWORD']}@postgresql:5432/parcours"
    )
    assert settings.temporal_address == "temporal:7233"
    assert settings.email_provider is EmailProvider.SMTP
    assert settings.smtp_host == "mailpit"
    assert settings.secret_key.get_secret_value() == SECRETS["PARCOURS_SECRET_KEY"]


def test_a_setting_of_the_environment_reaches_the_processes(tmp_path: Path) -> None:
    services = resolved(
        tmp_path,
        {
            **SECRETS,
            "PARCOURS_DATABASE_URL": "postgresql+asyncpg://elsewhere/parcours",
            "PARCOURS_PUBLIC_URL": "https://parcours.example.com",
            "PARCOURS_API_PORT": "9000",
        },
    )
    environment = services["worker"]["environment"]
    assert environment["PARCOURS_DATABASE_URL"] == "postgresql+asyncpg://elsewhere/parcours"
    assert environment["PARCOURS_PUBLIC_URL"] == "https://parcours.example.com"
    assert services["api"]["ports"][0]["published"] == "9000"
    assert environment["PARCOURS_API_PORT"] == "8080"


def test_the_example_says_each_default_that_settings_has() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    unsaid = []
    for field, info in Settings.model_fields.items():
        if info.is_required() or info.default in (None, ()):
            continue
        comment = text.partition(f"\n{variable(field)}=")[0].rpartition("=")[2].partition("\n")[2]
        if shown(info.default) not in comment:
            unsaid.append(field)
    assert unsaid == []


def shown(default: object) -> str:
    """A default as one writes it in an `.env` file."""
    match default:
        case timedelta():
            return f"{default.total_seconds():g}"
        case StrEnum():
            return default.value
        case bool():
            return str(default).lower()
        case _:
            return str(default)


def test_every_image_is_pinned(tmp_path: Path) -> None:
    images = {service["image"] for service in resolved(tmp_path, SECRETS).values()}
    pinned = {image for image in images if re.fullmatch(r"[\w./-]+:v?\d[\w.]*", image)}
    assert images - pinned == {"parcours"}


def test_the_ports_are_open_to_this_machine_only(tmp_path: Path) -> None:
    services = resolved(tmp_path, SECRETS).values()
    ports = [port for service in services for port in service.get("ports", [])]
    assert len(ports) == 4
    assert {port.get("host_ip") for port in ports} == {"127.0.0.1"}


def test_a_stopping_worker_is_not_killed_while_it_finishes_its_sends(tmp_path: Path) -> None:
    worker = resolved(tmp_path, SECRETS)["worker"]
    graceful: timedelta = Settings.model_fields["graceful_shutdown"].default
    assert timedelta(seconds=int(worker["stop_grace_period"].removesuffix("s"))) > graceful


def test_a_stopping_api_is_not_killed_while_temporal_is_frozen(tmp_path: Path) -> None:
    """Requests under way run out first, then the dispatcher's calls, one after another."""
    api = resolved(tmp_path, SECRETS)["api"]
    rpc: timedelta = Settings.model_fields["rpc_timeout"].default
    assert timedelta(seconds=int(api["stop_grace_period"].removesuffix("s"))) > web._GRACE + 2 * rpc


def test_the_server_and_its_ui_are_those_that_the_tests_run_on(tmp_path: Path) -> None:
    """`temporal --version` says: temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)."""
    said = subprocess.run(
        [Path(sys.executable).parent / "temporal", "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    embedded = dict(re.findall(r"(Server|UI) (\d+\.\d+)\.", said))
    services = resolved(tmp_path, SECRETS)
    assert services["temporal"]["image"].startswith(f"temporalio/server:{embedded['Server']}.")
    assert services["temporal-ui"]["image"].startswith(f"temporalio/ui:{embedded['UI']}.")
    tools = {services[name]["image"] for name in ("temporal-schema", "temporal-namespace")}
    assert tools == {services["temporal"]["image"].replace("/server:", "/admin-tools:")}

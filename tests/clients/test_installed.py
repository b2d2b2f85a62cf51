"""Every client that is locked is run, and one that is missing is never passed over in CI."""

import pytest

from tests.clients import installed
from tests.clients.installed import CLIENTS, HERE, Client, installation, node


def test_every_client_that_is_locked_is_run() -> None:
    python = {path.stem for path in (HERE / "python").glob("*.lock")}
    node = {path.parent.name for path in (HERE / "node").glob("*/package-lock.json")}
    assert {client.name for client in CLIENTS} | {"analytics-next"} == python | node
    assert {client.name for client in CLIENTS if client.is_python} == python


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_named_after_its_version_is_pinned_to_it(client: Client) -> None:
    name, _, version = client.name.rpartition("-")
    if name and version != "newest":
        assert client.locked_version() == version


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_what_is_missing_fails_in_ci_and_skips_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(outcome, match="there is no node: `apt install nodejs`"):
        node()
    with pytest.raises(outcome, match="there is no npm: `apt install npm`"):
        installation("analytics-node-0")


def test_a_client_that_is_not_installed_says_how_it_would_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(installed, "_FOLDER", HERE / "nowhere")
    with pytest.raises(pytest.fail.Exception, match="rudder is not installed: `make clients`"):
        installation("rudder")

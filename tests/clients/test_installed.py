"""Every client that is locked is run, and one that is missing is never passed over in CI."""

import pytest

from tests.clients.installed import CLIENTS, HERE, Client, installation


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
def test_a_client_that_is_not_installed_fails_in_ci_and_skips_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="the client segment-0 is not installed: `make clients`"):
        installation("segment-0")


def test_without_node_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.fail.Exception, match="after `apt install nodejs npm`"):
        installation("analytics-node-0")

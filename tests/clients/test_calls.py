"""Every call of every client is kept once, as what it is, and when it happened."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.services import wall_time
from store.tables import Event
from tests.clients.installed import CLIENTS, Client, Said
from tests.clients.serving import NEAR, serving
from tests.store.conftest import migrated_file  # noqa: F401 — a fixture

CALLS: Mapping[str, dict[str, Any]] = {
    "identify": {"userId": "cust_42", "traits": {"plan": "trial", "seats": 3}},
    "track": {"userId": "cust_42", "event": "trial_started", "properties": {"plan": "pro"}},
    "page": {"userId": "cust_42", "name": "Pricing v1.2", "properties": {"url": "/pricing"}},
    "screen": {"userId": "cust_42", "name": "Settings", "properties": {"dark": True}},
    "group": {"userId": "cust_42", "groupId": "acme", "traits": {"employees": 40}},
    "alias": {"userId": "cust_42", "previousId": "visitor_7"},
}
# What of each is kept: the event's name, and what its properties hold.
KEPT: Mapping[str, tuple[str | None, dict[str, Any]]] = {
    "identify": (None, {"plan": "trial", "seats": 3}),
    "track": ("trial_started", {"plan": "pro"}),
    "page": ("page", {"name": "Pricing v1.2", "url": "/pricing"}),
    "screen": ("screen", {"name": "Settings", "dark": True}),
    "group": (None, {"employees": 40}),
    "alias": (None, {}),
}


@dataclass(frozen=True)
class Played:
    """What came of each call, made once with a time of its own and once without."""

    client: Client
    said: Said
    hour_ago: datetime
    began: datetime
    ended: datetime
    events: Sequence[Event]

    def of(self, kind: str) -> list[Event]:
        """The events of a kind, the older one first."""
        return [event for event in self.events if event.kind == kind]


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda client: client.name)
def played(
    request: pytest.FixtureRequest,
    migrated_file: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Played:
    """One run of a client, at which many tests look."""
    return asyncio.run(_play(request.param, migrated_file, tmp_path_factory.mktemp("played")))


async def _play(client: Client, migrated: Path, folder: Path) -> Played:
    began = wall_time()
    hour_ago = began - timedelta(hours=1)
    calls = [{"type": kind, **call} for kind, call in CALLS.items()]
    timed = [{**call, "timestamp": hour_ago.isoformat()} for call in calls]
    async with serving(migrated, folder) as api:
        said = await client.make([*timed, *calls], api.host, api.key)
        return Played(client, said, hour_ago, began, wall_time(), await api.events())


def test_it_is_the_version_that_its_lock_file_pins(played: Played) -> None:
    assert played.said.version == played.client.locked_version()


def test_the_client_sees_no_error(played: Played) -> None:
    assert played.said.errors == ()


@pytest.mark.parametrize("kind", CALLS)
def test_a_call_is_kept_once_as_what_it_is(played: Played, kind: str) -> None:
    name, properties = KEPT[kind]
    kept = played.of(kind)
    assert [event.name for event in kept] == [name, name]
    for event in kept:
        assert event.customer_id == "cust_42"
        assert event.properties.items() >= properties.items()


@pytest.mark.parametrize("kind", CALLS)
def test_the_clients_own_time_of_a_call_is_kept(played: Played, kind: str) -> None:
    timed, _ = played.of(kind)
    assert abs(timed.occurred_at - played.hour_ago) < NEAR
    assert timed.occurred_at.tzinfo is UTC


@pytest.mark.parametrize("kind", CALLS)
def test_a_call_without_a_time_happened_when_it_was_made(played: Played, kind: str) -> None:
    _, untimed = played.of(kind)
    assert played.began - NEAR < untimed.occurred_at < played.ended

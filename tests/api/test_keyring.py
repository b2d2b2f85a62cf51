"""What a process remembers of keys: how soon a revocation holds, and when each was used."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from api.app import create_app
from api.keyring import _MOST_KNOWN, _MOST_WRONG, KNOWN_FOR
from api.scopes import Scope
from api.services import Services
from settings import Settings
from store import keys
from store.database import Database
from store.tables import ApiKey
from tests.api.asking import UNKNOWN, key_queries, looked, revoke_all, sent
from tests.api.given import A_DAY, Wall, make_key

SECOND = timedelta(seconds=1)


async def test_a_key_is_looked_up_once_in_five_seconds(
    services: Services, anyone: httpx.AsyncClient, key: str, wall: Wall
) -> None:
    with key_queries(services.database) as seen:
        for _ in range(4):
            assert (await sent(anyone, key)).status_code == 200
            wall.pass_(SECOND)
        assert len(seen) == 1
        wall.pass_(SECOND)
        assert (await sent(anyone, key)).status_code == 200
        assert len(seen) == 2


async def test_requests_at_the_same_moment_share_one_look(
    services: Services, anyone: httpx.AsyncClient, key: str
) -> None:
    with key_queries(services.database) as seen:
        answers = await asyncio.gather(*(looked(anyone, key) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(seen) == 1


async def test_a_request_that_goes_away_takes_no_answer_from_the_others(
    services: Services, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answering, find_valid = asyncio.Event(), asyncio.Event(), keys.find_valid

    async def slowly(session: AsyncSession, text: str) -> ApiKey | None:
        asked.set()
        await answering.wait()
        return await find_valid(session, text)

    monkeypatch.setattr(keys, "find_valid", slowly)
    first = asyncio.create_task(services.keyring.find(key, A_DAY))
    second = asyncio.create_task(services.keyring.find(key, A_DAY))
    await asked.wait()
    first.cancel()
    answering.set()
    assert await second is not None
    assert first.cancelled()


async def test_a_revoked_key_is_refused_within_five_seconds_on_every_replica(
    services: Services, configured: Settings, key: str, wall: Wall
) -> None:
    replicas = [Services(services.database, configured, wall=wall) for _ in range(2)]
    for replica in replicas:
        assert await replica.keyring.find(key, wall()) is not None
    await revoke_all(services.database)
    wall.pass_(KNOWN_FOR)
    assert KNOWN_FOR <= 5 * SECOND
    for replica in replicas:
        assert await replica.keyring.find(key, wall()) is None


async def test_a_clock_that_is_set_back_does_not_prolong_a_key(
    services: Services, key: str, wall: Wall
) -> None:
    assert await services.keyring.find(key, wall()) is not None
    await revoke_all(services.database)
    wall.pass_(-timedelta(hours=1))
    assert await services.keyring.find(key, wall()) is None


async def test_a_wrong_key_is_looked_up_once_too_and_what_is_no_key_never(
    services: Services, anyone: httpx.AsyncClient
) -> None:
    with key_queries(services.database) as seen:
        for _ in range(3):
            assert (await sent(anyone, UNKNOWN)).status_code == 401
        assert len(seen) == 1
        for wrong in ("wrong", UNKNOWN[:-1], UNKNOWN + "0", UNKNOWN.upper(), "pk_" + "g" * 32):
            assert (await sent(anyone, wrong)).status_code == 401
        assert len(seen) == 1


async def test_a_flood_of_wrong_keys_takes_little_memory_and_pushes_out_no_good_one(
    services: Services, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = services.keyring
    assert await ring.find(key, A_DAY) is not None

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(keys, "find_valid", nothing)
    for number in range(_MOST_WRONG + 100):
        assert await ring.find(f"pk_{number:032x}", A_DAY) is None
    assert len(ring._wrong._kept) == _MOST_WRONG < _MOST_KNOWN
    assert await ring.find(key, A_DAY) is not None


# When a key was last used


async def last_used(database: Database) -> list[Any]:
    async with database.reading() as session:
        return list(await session.scalars(sa.select(ApiKey.last_used_at).order_by(ApiKey.id)))  # type: ignore[call-overload]


async def test_a_request_writes_nothing_of_its_keys_use(
    services: Services, anyone: httpx.AsyncClient, key: str, wall: Wall
) -> None:
    with key_queries(services.database) as seen:
        for _ in range(3):
            await sent(anyone, key)
    assert not any("UPDATE" in each for each in seen)
    wall.pass_(SECOND)
    await services.keyring.write_used()
    assert await last_used(services.database) == [A_DAY]
    with key_queries(services.database) as seen:
        await services.keyring.write_used()
    assert seen == []


async def test_a_key_that_may_not_do_it_is_not_used(
    services: Services, anyone: httpx.AsyncClient
) -> None:
    key = await make_key(services.database, Scope.SUPPORT)
    assert (await sent(anyone, key)).status_code == 403
    await services.keyring.write_used()
    assert await last_used(services.database) == [None]


async def test_a_store_that_is_busy_delays_the_note_and_no_request(
    services: Services,
    anyone: httpx.AsyncClient,
    key: str,
    wall: Wall,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await looked(anyone, key)

    def refuse() -> None:
        raise ConnectionRefusedError("nobody listens")

    with monkeypatch.context() as away:
        away.setattr(services.database, "transaction", refuse)
        await services.keyring.write_used()
        assert (await looked(anyone, key)).status_code == 200
    await services.keyring.write_used()
    assert await last_used(services.database) == [A_DAY]


async def test_the_application_notes_use_at_its_end(services: Services, key: str) -> None:
    app = create_app(services)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://parcours.test") as client,
    ):
        await looked(client, key)
        assert await last_used(services.database) == [None]
    assert await last_used(services.database) == [A_DAY]

"""API keys: shown once, recognised by their hash, two at a time, revoked for good."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from store import keys
from store.database import Database
from store.tables import ApiKey
from tests.store.given import DAY, NOON


async def test_a_key_is_recognised_and_nothing_else_is(db: Database) -> None:
    row, key = await _create(db)
    async with db.reading() as session:
        found = await keys.find_valid(session, key)
        assert found is not None
        assert (found.id, found.scopes) == (row.id, ["publish", "write"])
        for other in ("", key[:-1], key + " ", key.upper(), row.sha256, "\ud83d"):
            assert await keys.find_valid(session, other) is None
            assert not keys.looks_like_one(other)
    assert keys.looks_like_one(key)


async def test_a_key_is_128_random_bits_behind_its_mark(db: Database) -> None:
    (_, one), (_, other) = await _create(db), await _create(db)
    assert one != other
    assert one.startswith("pk_")
    assert len(bytes.fromhex(one.removeprefix("pk_"))) * 8 == 128


async def test_the_key_itself_is_nowhere_in_the_store(db: Database) -> None:
    row, key = await _create(db)
    async with db.reading() as session:
        kept = (await session.execute(text("SELECT * FROM api_keys"))).one()
    assert all(key not in str(value) for value in kept)
    assert row.prefix == key[:9]  # 24 of the 128 bits, for people to tell keys apart


async def test_a_revoked_key_is_refused(db: Database) -> None:
    row, key = await _create(db)
    assert row.id is not None
    async with db.transaction() as session:
        assert await keys.get_valid(session, row.id) is not None
        assert await keys.revoke(session, row.id, NOON)
        assert not await keys.revoke(session, row.id, NOON + DAY)
        assert await keys.find_valid(session, key) is None
        assert await keys.get_valid(session, row.id) is None
        (kept,) = await keys.every(session)
    assert kept.revoked_at == NOON


@pytest.mark.parametrize("rate", [None, 0, 50])
async def test_a_key_keeps_its_rate(db: Database, rate: int | None) -> None:
    async with db.transaction() as session:
        _, key = await keys.create(session, "app", ["write"], NOON, rate)
    async with db.reading() as session:
        found = await keys.find_valid(session, key)
    assert found is not None
    assert found.events_per_second == rate


async def test_two_live_keys_may_have_one_name_and_not_three(db: Database) -> None:
    (first, _), (second, _) = await _create(db), await _create(db)
    with pytest.raises(keys.TooManyKeysError, match="`app` has 2 live keys") as refused:
        await _create(db)
    assert [row.id for row in refused.value.live] == [first.id, second.id]
    await _create(db, "another")
    async with db.transaction() as session:
        assert first.id is not None
        await keys.revoke(session, first.id, NOON)
        assert [row.id for row in await keys.live_of(session, "app")] == [second.id]
    await _create(db)
    with pytest.raises(keys.TooManyKeysError):
        await _create(db)


async def test_of_many_made_at_once_two_are(db: Database) -> None:
    made = await asyncio.gather(*(_create(db) for _ in range(6)), return_exceptions=True)
    refused = [each for each in made if isinstance(each, keys.TooManyKeysError)]
    assert (len(made), len(refused)) == (6, 4)
    async with db.reading() as session:
        assert len(await keys.live_of(session, "app")) == 2


async def test_the_latest_use_is_noted_in_whatever_order_it_is_told(db: Database) -> None:
    (one, _), (other, _), (unused, _) = [await _create(db, name) for name in "abc"]
    assert one.id is not None
    assert other.id is not None
    later = NOON + timedelta(seconds=59)
    async with db.transaction() as session:
        await keys.note_used(session, {other.id: later, one.id: later})
        await keys.note_used(session, {one.id: NOON, other.id: later + DAY})
    async with db.reading() as session:
        kept = [await session.get_one(ApiKey, row.id) for row in (one, other, unused)]
    assert [row.last_used_at for row in kept] == [later, later + DAY, None]


async def _create(db: Database, name: str = "app") -> tuple[ApiKey, str]:
    async with db.transaction() as session:
        return await keys.create(session, name, ["write", "publish", "write"], NOON)

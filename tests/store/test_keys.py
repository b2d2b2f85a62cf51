"""API keys: shown once, recognised by their hash, revoked for good."""

from datetime import timedelta

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


async def test_use_is_noted_to_the_minute(db: Database) -> None:
    row, key = await _create(db)
    moments = [NOON, NOON + timedelta(seconds=59), NOON + timedelta(seconds=60)]
    noted = []
    for at in moments:
        async with db.transaction() as session:
            found = await keys.find_valid(session, key)
            assert found is not None
            noted.append(keys.is_used_long_ago(found, at))
            await keys.touch(session, found, at)
    async with db.reading() as session:
        kept = await session.get_one(ApiKey, row.id)
    assert noted == [True, False, True]
    assert kept.last_used_at == moments[2]


async def _create(db: Database) -> tuple[ApiKey, str]:
    async with db.transaction() as session:
        return await keys.create(session, "app", ["write", "publish", "write"], NOON)

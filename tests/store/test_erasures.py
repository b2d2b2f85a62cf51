"""Hashes by which somebody who was erased is known again."""

import hashlib
import hmac

import pytest

from store import erasures
from store.database import Database
from store.erasures import Kind
from store.tables import Erasure
from tests.store.given import DAY, NOON

SALT, OTHER = b"s" * 32, b"o" * 32


async def remember(db: Database, kind: Kind, text: str, ordinals: int = 0) -> None:
    async with db.transaction() as session:
        salt = await erasures.salted(session, SALT)
        await erasures.remember(session, salt, kind, text, NOON, ordinals)


async def known(db: Database, *texts: str) -> frozenset[str]:
    """Those of the texts that are known, each asked about as an id, an address and a number."""
    async with db.reading() as session:
        return await erasures.erased_among(session, texts, texts, texts)


def test_a_hash_is_an_hmac_of_the_kind_and_the_normal_text() -> None:
    told = hmac.new(SALT, b"email\nann@example.com", hashlib.sha256).hexdigest()
    assert erasures.hash_of(SALT, Kind.EMAIL, " Ann@EXAMPLE.com") == told
    assert erasures.hash_of(OTHER, Kind.EMAIL, "ann@example.com") != told
    assert erasures.hash_of(SALT, Kind.CUSTOMER, "ann@example.com") != told


async def test_the_first_salt_stays(db: Database) -> None:
    async with db.transaction() as session:
        assert await erasures.salted(session, SALT) == SALT
        assert await erasures.salted(session, OTHER) == SALT


@pytest.mark.parametrize(
    ("kind", "text", "same", "others"),
    [
        (Kind.CUSTOMER, "c1", ("c1",), ("C1", " c1", "c")),
        (Kind.EMAIL, "Ann@bücher.example", ("ann@xn--bcher-kva.example",), ("an@bücher.example",)),
        (Kind.PHONE, "+33 6 12", ("+33-6-12", "+33(6)12 "), ("33612", "+33613")),
    ],
    ids=str,
)
async def test_spellings_of_one_thing_are_the_same(
    db: Database, kind: Kind, text: str, same: tuple[str, ...], others: tuple[str, ...]
) -> None:
    await remember(db, kind, text)
    assert await known(db, *same, *others) == set(same)


async def test_nobody_is_known_where_nobody_was_erased(db: Database) -> None:
    assert await known(db, "c1") == frozenset()
    await remember(db, Kind.CUSTOMER, "c2")
    assert await known(db) == frozenset()
    assert await known(db, "c1") == frozenset()


async def test_of_many_texts_exactly_those_are_found(db: Database) -> None:
    for n in (0, 9_999, 10_000, 24_999):
        await remember(db, Kind.CUSTOMER, f"c{n}")
    async with db.reading() as session:
        found = await erasures.erased_among(session, [f"c{n}" for n in range(25_000)], [], [])
    assert found == {"c0", "c9999", "c10000", "c24999"}


async def test_erased_twice_the_highest_ordinal_counts_and_the_last_time(db: Database) -> None:
    await remember(db, Kind.CUSTOMER, "c1", 3)
    async with db.transaction() as session:
        await erasures.remember(session, SALT, Kind.CUSTOMER, "c1", NOON + DAY, 1)
    async with db.reading() as session:
        assert await erasures.recognised(session, ["c1", "c2"], [], []) == {"c1": 3}
        row = await session.get(Erasure, erasures.hash_of(SALT, Kind.CUSTOMER, "c1"))
    assert row is not None
    assert row.at == NOON + DAY

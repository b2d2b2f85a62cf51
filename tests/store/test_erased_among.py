"""Who was erased is recognised by id, address and number, however they are written."""

import hashlib
import hmac

from store.database import Database
from store.erasures import erased_among
from store.tables import Erasure, ErasureSalt
from tests.store.given import NOON

SALT = b"salt" * 8


def erased(kind: str, normal: str, salt: bytes = SALT) -> Erasure:
    text = hmac.new(salt, f"{kind}\n{normal}".encode(), hashlib.sha256).hexdigest()
    return Erasure(hash=text, kind=kind, at=NOON)


async def test_the_erased_are_recognised_by_what_they_are_known_by(db: Database) -> None:
    async with db.transaction() as session:
        session.add(ErasureSalt(id=1, salt=SALT))
        session.add(erased("customer", "c1"))
        session.add(erased("email", "ada@example.com"))
        session.add(erased("phone", "+33612345678"))
    async with db.reading() as session:
        found = await erased_among(
            session,
            ["c1", "C1", "c2"],
            [" Ada@Example.com ", "bea@example.com"],
            ["+33 6 12-34-56-78", "33612345678"],
        )
    assert found == {"c1", " Ada@Example.com ", "+33 6 12-34-56-78"}


async def test_an_id_that_is_somebody_elses_address_is_not_erased(db: Database) -> None:
    async with db.transaction() as session:
        session.add(ErasureSalt(id=1, salt=SALT))
        session.add(erased("customer", "ada@example.com"))
    async with db.reading() as session:
        assert await erased_among(session, [], ["ada@example.com"], []) == frozenset()


async def test_nobody_was_erased_before_there_was_a_salt(db: Database) -> None:
    async with db.transaction() as session:
        session.add(erased("customer", "c1"))
    async with db.reading() as session:
        assert await erased_among(session, ["c1"], [], []) == frozenset()


async def test_many_are_asked_for_at_once(db: Database) -> None:
    async with db.transaction() as session:
        session.add(ErasureSalt(id=1, salt=SALT))
        session.add(erased("customer", "c2500"))
    async with db.reading() as session:
        asked = [f"c{number}" for number in range(3000)]
        assert await erased_among(session, asked, [], []) == {"c2500"}

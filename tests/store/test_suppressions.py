"""Addresses that nothing is sent to."""

from store import suppressions
from store.database import Database
from store.tables import Suppression
from tests.store.given import NOON


async def test_an_address_is_suppressed_however_it_is_spelled(db: Database) -> None:
    async with db.transaction() as session:
        assert await suppressions.add(session, _bounced(" Ada@Example.org"))
    async with db.reading() as session:
        assert await suppressions.is_suppressed(session, "email", "ADA@example.ORG ")


async def test_it_is_suppressed_by_its_channel_only(db: Database) -> None:
    async with db.transaction() as session:
        await suppressions.add(session, _bounced("ada@example.org"))
    async with db.reading() as session:
        assert not await suppressions.is_suppressed(session, "sms", "ada@example.org")
        assert not await suppressions.is_suppressed(session, "email", "bo@example.org")


async def test_a_second_suppression_keeps_the_first_reason(db: Database) -> None:
    async with db.transaction() as session:
        assert await suppressions.add(session, _bounced("ada@example.org"))
        assert not await suppressions.add(session, _bounced("ada@example.org", "complained"))
    async with db.reading() as session:
        assert [kept.reason for kept in await suppressions.newest(session)] == ["bounced"]


async def test_several_are_looked_up_at_once_as_they_were_given(db: Database) -> None:
    async with db.transaction() as session:
        await suppressions.add(session, _bounced("ada@example.org"))
    async with db.reading() as session:
        found = await suppressions.suppressed_among(
            session, [("email", "Ada@example.org"), ("sms", "ada@example.org"), ("sms", "+33 1")]
        )
        assert found == {("email", "Ada@example.org")}
        assert await suppressions.suppressed_among(session, []) == frozenset()


async def test_a_lifted_address_may_be_written_to_again(db: Database) -> None:
    async with db.transaction() as session:
        await suppressions.add(session, _bounced("ada@example.org"))
        assert await suppressions.lift(session, "email", "ADA@example.org")
        assert not await suppressions.lift(session, "email", "ada@example.org")
    async with db.reading() as session:
        assert not await suppressions.is_suppressed(session, "email", "ada@example.org")


def _bounced(address: str, reason: str = "bounced") -> Suppression:
    return Suppression(channel="email", address=address, reason=reason, at=NOON, source="smtp")

"""What is computed of customers is kept as it was given, however many at once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from store import computed
from store.computed import Kept
from store.database import Database
from tests.store.given import NOON, a_customer

EARLY = datetime(7, 1, 2, 3, 4, 5, tzinfo=UTC)
WHO = "zoë \"quoted\" 'c1' \\ ☃"
STATE = {"at": 1_795_000_000_000_001, "kept": {"kind": [[1, '"thé ☃ \\u2603"']], "spent": "0.1"}}


def _kept(who: str, **changes: object) -> Kept:
    given: dict[str, object] = {
        "customer_id": who,
        "by": "v1",
        "state": STATE,
        "inside": ["lapsed", "valuable"],
        "computed_at": NOON + timedelta(microseconds=1),
        "changes_at": None,
    }
    return Kept(**{**given, **changes})  # type: ignore[arg-type]


async def test_what_is_kept_comes_back_as_it_was(db: Database) -> None:
    rows = [
        _kept(WHO),
        _kept("c2", state={}, inside=[], changes_at=NOON),
        _kept("c3", computed_at=EARLY, changes_at=datetime.max.replace(tzinfo=UTC)),
    ]
    async with db.transaction() as session:
        for row in rows:
            await a_customer(session, row.customer_id)
        await _keep(session, rows)
    async with db.reading() as session:
        found = await computed.of_customers(session, [WHO, "c2", "c3", "nobody"])
    assert found == {row.customer_id: row for row in rows}


async def test_what_is_kept_takes_the_place_of_what_was(db: Database) -> None:
    async with db.transaction() as session:
        for who in ("c1", "c2"):
            await a_customer(session, who)
        await _keep(session, [_kept("c1", changes_at=NOON)])
        later = [_kept("c1", by="v2", state={}, inside=[]), _kept("c2")]
        await _keep(session, later)
        await _keep(session, [])
    async with db.reading() as session:
        found = await computed.of_customers(session, ["c1", "c2"])
        assert await computed.due(session, "v1", NOON, 10) == []
    assert found == {row.customer_id: row for row in later}


async def test_those_are_due_whose_time_has_come_to_the_microsecond(db: Database) -> None:
    """Times compare as they do where one row is written by itself: SQLite compares texts."""
    whole, later = NOON, NOON + timedelta(microseconds=1)
    async with db.transaction() as session:
        for who, at in (("c1", whole), ("c2", later)):
            await a_customer(session, who)
            await _keep(session, [_kept(who, changes_at=at)])
    async with db.reading() as session:
        assert await computed.due(session, "v1", whole - timedelta(microseconds=1), 10) == []
        assert await computed.due(session, "v1", whole, 10) == ["c1"]
        assert await computed.due(session, "v1", later, 10) == ["c1", "c2"]


async def _keep(session: AsyncSession, rows: Sequence[Kept]) -> None:
    await computed.keep(session, computed.written(session, rows))

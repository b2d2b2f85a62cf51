"""Refused calls: listed newest first, and forgotten in time."""

from datetime import datetime
from typing import Any

import pytest

from store import refusals
from store.database import Database
from store.refusals import RefusedFilter, RefusedPlace
from store.tables import RefusedCall
from tests.store.given import DAY, HOUR, NOON


def refused(name: str = "a", at: datetime = NOON, **more: Any) -> RefusedCall:
    given: dict[str, Any] = {"customer_id": "c1", "kind": "track", "code": "no_user_id"}
    return RefusedCall(name=name, received_at=at, message="no", payload="{}", **{**given, **more})


async def keep(db: Database, *rows: RefusedCall) -> None:
    async with db.transaction() as session:
        await refusals.append(session, rows)


async def names(db: Database, which: RefusedFilter | None = None, **more: Any) -> list[str | None]:
    async with db.reading() as session:
        return [row.name for row in await refusals.newest(session, which, **more)]


async def test_they_are_listed_newest_first(db: Database) -> None:
    await keep(db, refused("b", NOON + HOUR), refused("a"), refused("c", NOON + HOUR))
    assert await names(db) == ["c", "b", "a"]
    assert await names(db, limit=2) == ["c", "b"]


@pytest.mark.parametrize(
    "which",
    [
        RefusedFilter(customers={"c2", "c3"}),
        RefusedFilter(kind="page"),
        RefusedFilter(name="other"),
        RefusedFilter(since=NOON + HOUR),
    ],
)
async def test_each_filter_leaves_out_the_others(db: Database, which: RefusedFilter) -> None:
    other = refused("other", NOON + HOUR, customer_id="c2", kind="page")
    await keep(db, refused(), refused(customer_id=None, kind=None), other)
    assert await names(db, which) == ["other"]


async def test_page_after_page_shows_each_once_while_others_arrive(db: Database) -> None:
    await keep(db, *(refused(f"n{number}", NOON + number // 3 * HOUR) for number in range(10)))
    seen: list[str | None] = []
    after: RefusedPlace | None = None
    while True:
        async with db.reading() as session:
            page = await refusals.newest(session, limit=4, after=after)
        if not page:
            break
        seen += [row.name for row in page]
        assert page[-1].id is not None
        after = RefusedPlace(page[-1].received_at, page[-1].id)
        await keep(db, refused("late", NOON + DAY))
    assert seen == [f"n{number}" for number in reversed(range(10))]


async def test_the_old_are_forgotten_a_few_at_a_time(db: Database) -> None:
    await keep(db, *(refused(f"n{number}", NOON + number * DAY) for number in range(5)))
    async with db.transaction() as session:
        assert await refusals.prune(session, NOON + 3 * DAY, 2) == 2
    async with db.transaction() as session:
        assert await refusals.prune(session, NOON + 3 * DAY, 2) == 1
        assert await refusals.prune(session, NOON + 3 * DAY, 2) == 0
    assert await names(db) == ["n4", "n3"]


async def test_never_more_are_kept_than_the_disk_bears(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "MOST_KEPT", 3)
    await keep(db, *(refused(f"n{number}") for number in range(5)))
    async with db.transaction() as session:
        assert await refusals.prune(session, NOON, 100) == 2
    assert await names(db) == ["n4", "n3", "n2"]

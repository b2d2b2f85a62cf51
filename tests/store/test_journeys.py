"""Publishing: immutable, the same for every process, and nothing new when nothing changed."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from engine.definition import Journey
from store import journeys
from store.database import Database
from store.journeys import Published, UnknownVersionError
from store.tables import Publication
from tests.store.given import DAY, NOON, journey, policy

TEXTS = {"trial": {"tip": {"subject.txt": "A tip", "email.html": "<p>ü</p>"}}}


async def test_nothing_is_published_at_first(db: Database) -> None:
    async with db.reading() as session:
        assert await journeys.newest_publication(session) is None


async def test_what_was_published_is_what_is_read(db: Database) -> None:
    await _publish(db, journey(), journey("cart", key="cart_id"))
    read = await _newest(db)
    assert list(read.journeys) == ["cart", "trial"]
    assert read.journeys["trial"] == journey()
    assert read.policy == policy()
    assert list(read.policy.topics) == ["onboarding", "news"]  # as written, not by name
    assert read.messages == TEXTS
    assert (read.at, read.by) == (NOON, "ada")


async def test_publishing_the_same_again_makes_nothing_new(db: Database) -> None:
    first, was_new = await _publish(db, journey(), journey("cart"))
    second, is_new = await _publish(db, journey("cart"), journey())
    assert (was_new, is_new) == (True, False)
    assert (second.id, second.at) == (first.id, first.at)


@pytest.mark.parametrize(
    "changed",
    [
        {"journeys": [journey(title="Another title")]},
        {"journeys": [journey(), journey("cart")]},
        {"journeys": []},
        {"policy": policy(postal_address="2 Main Street")},
        {"messages": {"trial": {"tip": {"subject.txt": "Another tip"}}}},
    ],
    ids=["a journey", "one more", "one less", "the policy", "a text"],
)
async def test_whatever_changed_is_published(db: Database, changed: dict[str, Any]) -> None:
    first, _ = await _publish(db, journey())
    second, is_new = await _publish(db, journey(), **changed)
    assert is_new
    assert second.id > first.id
    assert (await _newest(db)).content_hash == second.content_hash != first.content_hash


async def test_going_back_to_what_was_published_before_is_a_publication(db: Database) -> None:
    first, _ = await _publish(db, journey())
    await _publish(db, journey(title="A mistake"))
    back, is_new = await _publish(db, journey())
    assert is_new
    assert back.id > first.id
    assert back.content_hash == first.content_hash
    async with db.reading() as session:
        assert len(await journeys.versions_of(session, "trial")) == 2


async def test_a_version_stays_what_it_was(db: Database) -> None:
    old, new = journey(), journey(title="Another title")
    await _publish(db, old)
    await _publish(db, new, at=NOON + DAY)
    async with db.reading() as session:
        assert (await journeys.version(session, "trial", old.version)).title == "A trial"
        assert (await journeys.version(session, "trial", new.version)).title == "Another title"
        kept = await journeys.versions_of(session, "trial")
    assert [row.version for row in kept] == [new.version, old.version]
    assert kept[1].definition == old.pinned


async def test_an_unknown_version_is_named(db: Database) -> None:
    async with db.reading() as session:
        with pytest.raises(UnknownVersionError, match="`trial` has no version `none`"):
            await journeys.version(session, "trial", "none")


async def test_every_process_sees_a_publication_at_once(url: str) -> None:
    publisher, reader = Database(url), Database(url)
    await _publish(publisher, journey())
    before = await _newest(reader)
    await _publish(publisher, journey(title="Another title"))
    after = await _newest(reader)
    await publisher.dispose()
    await reader.dispose()
    assert before.journeys["trial"].title == "A trial"
    assert after.journeys["trial"].title == "Another title"


async def test_what_was_parsed_once_is_shared(db: Database) -> None:
    await _publish(db, journey())
    one, other = await _newest(db), await _newest(db)
    assert one.journeys["trial"] is other.journeys["trial"]
    async with db.reading() as session:
        pinned = await journeys.version(session, "trial", journey().version)
    assert pinned is one.journeys["trial"]


async def test_publishers_at_the_same_instant_take_turns(url: str) -> None:
    stores = [Database(url) for _ in range(4)]
    for store in stores:  # connected beforehand, so that they do meet
        async with store.transaction() as session:
            assert await journeys.newest_publication(session) is None
    told = await asyncio.gather(*(_publish(store, journey()) for store in stores))
    async with stores[0].reading() as session:
        rows = list(await session.scalars(select(col(Publication.id))))
    for store in stores:
        await store.dispose()
    assert sorted(is_new for _, is_new in told) == [False, False, False, True]
    assert len(rows) == 1


async def test_a_publication_can_not_be_changed_by_who_reads_it(db: Database) -> None:
    await _publish(db, journey())
    read = await _newest(db)
    with pytest.raises(TypeError):
        read.journeys["other"] = journey("other")  # type: ignore[index]


async def _publish(db: Database, *which: Journey, **changed: Any) -> tuple[Published, bool]:
    given: dict[str, Any] = {
        "journeys": which,
        "policy": policy(),
        "messages": TEXTS,
        "at": NOON,
        "by": "ada",
    }
    async with db.transaction() as session:
        return await journeys.publish(session, **{**given, **changed})


async def _newest(db: Database) -> Published:
    async with db.reading() as session:
        newest = await journeys.newest_publication(session)
    assert newest is not None
    return newest

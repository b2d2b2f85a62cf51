"""Customers: locked, seen, and known by traits that have times of their own."""

import asyncio
from datetime import timedelta

import pytest

from store import customers
from store.database import Database
from store.tables import Customer
from store.traits import merge_traits
from tests.store.given import DAY, HOUR, NOON, use


async def test_locking_makes_the_row_once(db: Database) -> None:
    async with db.transaction() as session:
        first = await customers.lock(session, "c1", NOON)
    async with db.transaction() as session:
        again = await customers.lock(session, "c1", NOON + DAY)
    assert (first.created_at, again.created_at) == (NOON, NOON)
    assert again.first_seen_at is None  # made, but not seen


async def test_an_address_as_id_gets_a_pseudonym_that_leads_back(db: Database) -> None:
    async with db.transaction() as session:
        made = await customers.lock(session, "ada@example.org", NOON)
        plain = await customers.lock(session, "c1", NOON)
    assert "@" not in made.pseudonym
    assert plain.pseudonym == "c1"
    async with db.reading() as session:
        found = await customers.by_pseudonym(session, made.pseudonym)
    assert found is not None
    assert found.id == "ada@example.org"


async def test_the_lock_is_held_until_the_transaction_ends(url: str) -> None:
    """Two processes that lock, look and write after one another lose no write."""
    stores = [Database(url), Database(url)]

    async def raise_by_one(store: Database) -> None:
        for _ in range(20):
            async with store.transaction() as session:
                customer = await customers.lock(session, "c1", NOON)
                count = customer.traits.get("count", 0)
                merge_traits(customer, {"count": count + 1}, NOON)

    await asyncio.gather(*(raise_by_one(store) for store in stores))
    async with stores[0].reading() as session:
        customer = await session.get_one(Customer, "c1")
    for store in stores:
        await store.dispose()
    assert customer.traits == {"count": 40}


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_lock_shows_what_was_written_since_the_session_first_read(url: str) -> None:
    """On SQLite nobody else can write meanwhile."""
    ours, theirs = Database(url), Database(url)
    async with theirs.transaction() as session:
        await customers.lock(session, "c1", NOON)
    async with ours.transaction() as session:
        before = await customers.get(session, "c1")
        async with theirs.transaction() as other:
            merge_traits(await customers.lock(other, "c1", NOON), {"a": 1}, NOON)
        locked = await customers.lock(session, "c1", NOON)
        batch = await customers.load_locked(session, ["c1"])
    await ours.dispose()
    await theirs.dispose()
    # One row is one object in a session, and it must not be as it was at the first look.
    assert before is locked is batch["c1"]
    assert locked.traits == {"a": 1}


async def test_batches_that_lock_the_same_customers_never_block_each_other(url: str) -> None:
    """Each locks all of them, given in another order, half of them not there yet."""
    stores = [Database(url) for _ in range(4)]
    everyone = [f"c{n}" for n in range(200)]
    async with stores[0].transaction() as session:
        await customers.lock_known(session, everyone[::2], NOON)

    async def lock_all(turn: int) -> set[str]:
        ids = everyone[turn:] + everyone[:turn]
        if turn % 2:
            ids.reverse()
        async with stores[turn % 4].transaction() as session:
            return set(await customers.lock_known(session, [*ids, ids[0]], NOON))

    locked = await asyncio.gather(*(lock_all(turn) for turn in range(12)))
    for store in stores:
        await store.dispose()
    assert all(each == set(everyone) for each in locked)


async def test_locking_nobody_is_allowed(db: Database) -> None:
    async with db.transaction() as session:
        assert await customers.lock_known(session, [], NOON) == {}


async def test_traits_survive_the_transaction(db: Database) -> None:
    async with db.transaction() as session:
        customer = await customers.lock(session, "c1", NOON)
        merge_traits(customer, {"plan": "trial", "rep": {"name": "Bo"}}, NOON)
    async with db.transaction() as session:
        customer = await customers.lock(session, "c1", NOON)
        merge_traits(customer, {"plan": "pro"}, NOON + HOUR)
    async with db.reading() as session:
        kept = await session.get_one(Customer, "c1")
    assert kept.traits == {"plan": "pro", "rep": {"name": "Bo"}}


def _customer() -> Customer:
    return Customer(id="c1", pseudonym="c1", created_at=NOON, updated_at=NOON)


def test_a_late_old_identify_does_not_undo_a_newer_one() -> None:
    customer = _customer()
    assert merge_traits(customer, {"plan": "pro"}, NOON)
    assert merge_traits(customer, {"plan": "trial", "city": "Lyon"}, NOON - HOUR)
    assert customer.traits == {"plan": "pro", "city": "Lyon"}


def test_a_cleared_trait_is_not_brought_back_by_a_late_old_identify() -> None:
    customer = _customer()
    merge_traits(customer, {"plan": "pro"}, NOON - DAY)
    merge_traits(customer, {"plan": None}, NOON)
    assert not merge_traits(customer, {"plan": "pro"}, NOON - HOUR)
    assert customer.traits == {}


def test_of_two_at_the_same_instant_the_one_told_last_holds() -> None:
    customer = _customer()
    merge_traits(customer, {"plan": "trial"}, NOON)
    merge_traits(customer, {"plan": "pro"}, NOON)
    assert customer.traits == {"plan": "pro"}


@pytest.mark.parametrize("fraction", [timedelta(microseconds=1), timedelta(milliseconds=500)])
def test_trait_times_are_compared_below_the_second(fraction: timedelta) -> None:
    customer = _customer()
    merge_traits(customer, {"plan": "pro"}, NOON + fraction)
    merge_traits(customer, {"plan": "trial"}, NOON)
    assert customer.traits == {"plan": "pro"}


def test_setting_the_same_again_is_no_change() -> None:
    customer = _customer()
    merge_traits(customer, {"plan": "pro"}, NOON)
    assert not merge_traits(customer, {"plan": "pro"}, NOON + HOUR)


def test_a_late_call_takes_back_neither_activity_nor_zone() -> None:
    customer = _customer()
    assert customers.record_seen(customer, NOON, timezone="Europe/Paris", locale="fr")
    assert customers.record_seen(customer, NOON - DAY, timezone="Asia/Tokyo", locale="ja")
    assert not customers.record_seen(customer, NOON)
    for at in (NOON, NOON - DAY):
        customers.record_used(customer, at)
    assert (customer.first_seen_at, customer.last_seen_at) == (NOON - DAY, NOON)
    assert (customer.context_timezone, customer.context_locale) == ("Europe/Paris", "fr")


def test_an_identify_is_a_call_but_no_activity() -> None:
    customer = _customer()
    customers.record_seen(customer, NOON)
    assert (customer.first_seen_at, customer.last_seen_at) == (NOON, None)


async def test_those_active_last_are_listed_first(db: Database) -> None:
    async with db.transaction() as session:
        for name, at in [("never", None), ("old", NOON), ("new", NOON + DAY)]:
            customer = await customers.lock(session, name, NOON)
            if at is not None:
                await use(session, customer, at)
    async with db.reading() as session:
        listed = [customer.id for customer in await customers.recent(session)]
        assert listed == ["new", "old", "never"]
        assert len(await customers.recent(session, limit=2)) == 2

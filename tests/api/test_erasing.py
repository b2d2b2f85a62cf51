"""Erasing a customer: nothing of theirs is left, the numbers are, and it is told what was done."""

from pathlib import Path
from typing import TypeVar

import httpx
import pytest
import sqlalchemy as sa

from api.dispatcher import Dispatcher
from api.erasing import erase
from api.errors import NotFoundError
from api.scopes import Scope
from api.services import Services
from engine.keys import is_erased
from engine.reasons import Decision, Ending
from store import companies, enrollments, erasures, suppressions
from store.database import Database
from store.tables import (
    AuditEntry,
    Broadcast,
    Customer,
    DeliveryEvent,
    Enrollment,
    Erasure,
    Event,
    Message,
    Offer,
    RefusedCall,
    Suppression,
    Table,
)
from tests.api.asking import bearer
from tests.api.broadcasting import all_pages, row_of
from tests.api.given import A_DAY, HOUR, identify, make_key, publish, take, track
from tests.api.rummaging import found_in
from tests.api.somebody import ANN, DEVICE, EMAIL, FORMERLY, PHONE, WORDS, everywhere

_T = TypeVar("_T", bound=Table)

# Where Ann is before: what a table is missing here for, no test has looked at.
KNOWN_IN = {
    "audit_log",
    "broadcasts",
    "computed",
    "consents",
    "customers",
    "delivery_events",
    "enrollments",
    "event_stats",
    "events",
    "mailbox",
    "messages",
    "offers",
    "outbox",
    "refused_calls",
}
# These tell nothing of a customer, or only what erasing writes.
NEVER_IN = {
    "api_keys",
    "archives",
    "companies",
    "console_users",
    "erasure_salt",
    "erasures",
    "hours_of_clicks",
    "journey_versions",
    "publications",
    "send_slots",
    "stops",
    "suppressions",
}


async def every(database: Database, table: type[_T]) -> list[_T]:
    async with database.reading() as session:
        return list(await session.scalars(sa.select(table)))


async def test_nothing_that_says_who_she_was_is_left_in_any_table(services: Services) -> None:
    await everywhere(services)
    before = await found_in(services.database, WORDS)
    assert {place.partition(".")[0] for place in before} == KNOWN_IN
    assert set().union(*before.values()) == set(WORDS)
    assert {table.name for table in Table.metadata.sorted_tables} == KNOWN_IN | NEVER_IN
    her_own = {*WORDS, "Europe/Paris"} - {ANN}
    await erase(services, ANN, "test")
    # What Temporal must still hear of goes by the workflow's id, and nothing else does.
    assert set(await found_in(services.database, her_own)) <= {"outbox.enrollment_id"}
    assert set(await found_in(services.database, WORDS)) == {"outbox.enrollment_id"}


async def test_nothing_is_left_once_temporal_has_heard(
    services: Services, dispatcher: Dispatcher
) -> None:
    await everywhere(services)
    await erase(services, ANN, "test")
    await dispatcher.drain()
    assert await found_in(services.database, WORDS) == {}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_what_was_deleted_is_not_in_the_file_either(
    services: Services, dispatcher: Dispatcher
) -> None:
    await everywhere(services)
    file = Path(services.database.url.database or "")
    await services.database.dispose()  # the last to leave writes the log into the file
    assert _held(file) == set(WORDS)
    async with services.database.transaction() as session:  # as most builds of SQLite have it
        await session.execute(sa.text("PRAGMA secure_delete = OFF"))
    await erase(services, ANN, "test")
    await dispatcher.drain()
    await services.database.dispose()
    assert _held(file) == set()


def _held(file: Path) -> set[str]:
    text = file.read_bytes().decode("latin-1").casefold()
    return {word for word in WORDS if word.casefold() in text}


async def test_the_numbers_stay_with_a_customer_who_is_nobody(services: Services) -> None:
    await everywhere(services)
    await erase(services, ANN, "test")
    async with services.database.reading() as session:
        rows = {row.journey: row for row in await enrollments.found(session)}
    assert {row.id.partition(":")[0] for row in rows.values()} == {
        f"erased-{rows['trial'].customer_id.partition(':')[2]}"
    }
    assert all(is_erased(row.customer_id) for row in rows.values())
    converted, exited = rows["trial"], rows["basket"]
    assert (converted.ending, converted.ended_by) == (Ending.CONVERTED, "subscription_purchased")
    assert (exited.ending, exited.ended_by) == (Ending.EXITED, "customer.erased")
    assert (exited.key, exited.input, exited.start_properties, exited.next_at) == (
        None,
        {},
        {},
        None,
    )
    sent, under_way = sorted(await every(services.database, Message), key=lambda row: row.id or 0)
    assert (sent.decision, sent.sent_at, sent.step) == (Decision.SENT, A_DAY, "thanks")
    assert (under_way.decision, under_way.body, under_way.address) == (Decision.UNKNOWN, None, None)
    told = await every(services.database, DeliveryEvent)
    assert {(row.kind, row.message_key) for row in told} == {
        ("delivered", sent.key),
        ("clicked", sent.key),
    }
    codes = await every(services.database, Offer)
    assert {row.message_key for row in codes} == {sent.key, under_way.key}
    assert all(row.revoked_at is not None for row in codes)


async def test_it_says_what_was_done_and_the_log_says_so_without_her(services: Services) -> None:
    await everywhere(services)
    told = await erase(services, ANN, "key:dpo")
    assert told.model_dump() == {
        "erased": True,
        "enrollments_exited": 1,
        "enrollments_kept": 2,
        "messages_cleared": 2,
        "messages_under_way": 1,
        "events_removed": 10,
        "mails_removed": 1,
        "consents_removed": 1,
        "offers_revoked": 2,
        "suppressions_kept": 0,
        "temporal": "will be told",
    }
    entry = next(e for e in await every(services.database, AuditEntry) if e.action == "erase")
    assert (entry.actor, is_erased(entry.customer_id or "")) == ("key:dpo", True)
    hashes = {row.hash: row.kind for row in await every(services.database, Erasure)}
    (named,) = [hash_ for hash_ in hashes if hash_.startswith(entry.details["hash"])]
    assert hashes[named] == "customer"
    assert sorted(hashes.values()) == ["customer"] * 3 + ["email", "phone"]


async def test_an_audience_that_named_her_is_one_still_and_names_nobody(
    services: Services,
) -> None:
    await everywhere(services)
    await take(services, identify(customer="bob", vip=True))
    await erase(services, ANN, "test")
    (row,) = await every(services.database, Broadcast)
    left = "customer.email == 'erased' or customer.phone == 'erased' or customer.vip"
    assert row.audience == left
    await all_pages(services)
    assert (await row_of(services)).counted["in"] == 1


async def test_an_address_that_somebody_else_has_too_stays_in_an_audience(
    services: Services,
) -> None:
    """Who shares it may be left out by it, and must not be reached for her erasure."""
    await everywhere(services)
    (before,) = await every(services.database, Broadcast)
    await take(services, identify(customer="bob", email=EMAIL.upper()))
    await erase(services, ANN, "test")
    (row,) = await every(services.database, Broadcast)
    assert EMAIL in (before.audience or "")
    assert (
        row.audience == f"customer.email == '{EMAIL}' or customer.phone == 'erased' or customer.vip"
    )


async def test_others_keep_what_is_theirs(services: Services) -> None:
    await everywhere(services)
    await take(services, identify(customer="bob", name="Bob"))
    await erase(services, ANN, "test")
    bob = next(row for row in await every(services.database, Customer) if row.id == "bob")
    assert (bob.traits, bob.company_id) == ({"name": "Bob"}, "acme")
    async with services.database.reading() as session:
        assert await companies.member_ids(session, "acme") == {"bob"}
    theirs = await every(services.database, Event)
    assert {event.customer_id for event in theirs} == {"bob"}
    bought = next(event for event in theirs if event.message_id == "bob-1")
    (deed,) = (bought.disposition or {})["did"]
    assert (deed["did"], deed["journey"]) == ("converted", "trial")
    assert deed["enrollment"] in {row.id for row in await every(services.database, Enrollment)}
    assert [row.customer_id for row in await every(services.database, RefusedCall)] == ["bob"]


@pytest.mark.parametrize("called", [ANN, FORMERLY, DEVICE])
async def test_any_name_of_hers_erases_her_whole_and_only_once(
    services: Services, called: str
) -> None:
    await everywhere(services)
    await erase(services, called, "test")
    assert set(await found_in(services.database, WORDS)) == {"outbox.enrollment_id"}
    for again in (ANN, FORMERLY, DEVICE):
        with pytest.raises(NotFoundError):
            await erase(services, again, "test")


async def test_what_is_left_is_nobody_to_look_at_enroll_or_erase(
    client: httpx.AsyncClient, services: Services
) -> None:
    await everywhere(services)
    await erase(services, ANN, "test")
    nobody = next(row.id for row in await every(services.database, Customer) if row.erased_at)
    for answer in (
        await client.get(f"/v1/customers/{nobody}"),
        await client.delete(f"/v1/customers/{nobody}"),
        await client.post(f"/v1/customers/{nobody}/consents", json={"subscribed": False}),
        await client.post("/v1/journeys/trial/enroll", json={"customer_id": nobody}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_customer")
    forged = await client.post("/v1/track", json={"userId": nobody, "event": "app_opened"})
    assert (forged.status_code, forged.json()["code"]) == (400, "invalid_user_id")


async def test_only_an_admin_may_erase(
    anyone: httpx.AsyncClient, client: httpx.AsyncClient, services: Services
) -> None:
    await publish(services.database)
    await take(services, identify(customer="a/b@example.com", plan="pro"))
    support = await make_key(services.database, Scope.SUPPORT, name="support")
    path = "/v1/customers/a%2Fb%40example.com"
    refused = await anyone.delete(path, headers=bearer(support))
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    admin = await make_key(services.database, Scope.ADMIN, name="dpo")
    done = await anyone.delete(path, headers=bearer(admin))
    assert (done.status_code, done.json()["erased"]) == (200, True)
    assert done.json()["temporal"] == "has nothing to hear"
    again = await anyone.delete(path, headers=bearer(admin))
    assert (again.status_code, again.json()["code"]) == (404, "no_such_customer")
    async with services.database.reading() as session:  # an id that is an address is known as both
        known = await erasures.erased_among(session, [], ["A/B@example.com"], [])
    assert known == {"A/B@example.com"}


async def test_an_address_that_complained_stays_blocked_and_only_that(services: Services) -> None:
    await everywhere(services)
    blocked = Suppression(
        channel="email", address=EMAIL, reason="complained", at=A_DAY, source="resend"
    )
    async with services.database.transaction() as session:
        await suppressions.add(session, blocked)
    assert (await erase(services, ANN, "test")).suppressions_kept == 1
    found = await found_in(services.database, WORDS)
    assert found.pop("outbox.enrollment_id")
    assert found == {"suppressions.address": {EMAIL}}
    async with services.database.reading() as session:
        assert await suppressions.is_suppressed(session, "email", EMAIL)


async def test_a_visitor_nobody_knows_can_be_erased_too(services: Services) -> None:
    await publish(services.database)
    await take(services, track("app_opened", A_DAY + HOUR, DEVICE))
    told = await erase(services, DEVICE, "test")
    assert (told.events_removed, told.temporal) == (1, "has nothing to hear")
    async with services.database.reading() as session:
        known = await erasures.erased_among(session, [DEVICE, "device-ann-1"], [], [PHONE])
    assert known == {DEVICE}

"""Rows of customers, consents and suppressions: what they change, and what is refused."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select

from api.importing.consents import ConsentImport
from api.importing.customers import CustomerImport
from api.importing.rows import Refusal, Row, RowCode
from api.importing.running import ROWS_A_TRANSACTION, Importer, run_import
from api.importing.suppressions import SuppressionImport
from api.services import Services
from engine.segment_fields import RefusalCode
from store import consents, customers, enrollments, suppressions
from store.database import Database
from store.tables import ConsentState, ErasureSalt, Table
from tests.api.given import A_DAY, DAY, HOUR, identify, publish, take, track, trial
from tests.store.test_erased_among import SALT, erased

YES, NO = ConsentState.SUBSCRIBED, ConsentState.UNSUBSCRIBED


async def import_(
    services: Services, importer: Importer, *rows: Mapping[str, Any], dry_run: bool = False
) -> tuple[int, int, list[Refusal]]:
    """How many were new and known, and what was refused."""
    entries = [Row(line, values) for line, values in enumerate(rows, 2)]
    parts = [each async for each in run_import(services, importer, entries, dry_run=dry_run)]
    refused = [refusal for each in parts for refusal in each.refused]
    return sum(len(each.new) for each in parts), sum(each.known for each in parts), refused


def into_customers(services: Services) -> CustomerImport:
    return CustomerImport(services, services.now())


def into_consents(services: Services) -> ConsentImport:
    return ConsentImport(services, services.now())


def codes(refused: list[Refusal]) -> list[tuple[int, str]]:
    return [(each.line, each.code) for each in refused]


async def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    async with database.reading() as session:
        return {
            table.name: sorted(map(tuple, await session.execute(select(table))), key=repr)
            for table in Table.metadata.sorted_tables
        }


async def traits(database: Database, customer_id: str = "c1") -> dict[str, Any]:
    async with database.reading() as session:
        row = await customers.get(session, customer_id)
    assert row is not None
    return row.traits


async def holds(database: Database, customer_id: str = "c1") -> ConsentState | None:
    async with database.reading() as session:
        return await consents.consent_state(session, customer_id, "email", "onboarding")


# --- Customers ----------------------------------------------------------------------------


async def test_a_customer_comes_with_traits_and_starts_nothing(services: Services) -> None:
    await publish(services.database, trial(starts_on=["customer.created", "trial_started"]))
    done = await import_(
        services, into_customers(services), {"id": "c1", "email": "a@example.com", "seats": 3}
    )
    assert done == (1, 0, [])
    assert await traits(services.database) == {"email": "a@example.com", "seats": 3}
    async with services.database.reading() as session:
        assert await enrollments.of_customer(session, "c1") == []


async def test_the_same_file_again_changes_nothing(services: Services, wall: Any) -> None:
    rows = [{"id": "c1", "plan": "pro"}, {"id": "c2", "plan": "free"}, {"id": "c1", "plan": "pro"}]
    assert await import_(services, into_customers(services), *rows) == (2, 1, [])
    before = await contents(services.database)
    wall.pass_(DAY)
    assert await import_(services, into_customers(services), *rows) == (0, 3, [])
    assert await contents(services.database) == before


async def test_a_live_call_that_came_later_wins(services: Services) -> None:
    await take(services, identify(A_DAY - HOUR, plan="pro"))
    old = (A_DAY - 2 * HOUR).isoformat()
    done = await import_(
        services, into_customers(services), {"id": "c1", "timestamp": old, "plan": "free", "a": 1}
    )
    assert done == (1, 0, [])
    assert await traits(services.database) == {"plan": "pro", "a": 1}


async def test_without_a_timestamp_a_row_is_true_now(services: Services) -> None:
    await take(services, identify(A_DAY - HOUR, plan="pro"))
    await import_(services, into_customers(services), {"id": "c1", "plan": "free"})
    assert await traits(services.database) == {"plan": "free"}


async def test_a_field_that_is_none_clears_the_trait(services: Services) -> None:
    await take(services, identify(A_DAY - HOUR, plan="pro"))
    await import_(services, into_customers(services), {"id": "c1", "plan": None})
    assert await traits(services.database) == {}


@pytest.mark.parametrize(
    ("row", "code", "told"),
    [
        ({"email": "a@example.com"}, RowCode.NO_ID, "`id` is missing"),
        ({"id": "  "}, RowCode.NO_ID, "`id` is missing"),
        ({"id": ["c1"]}, RowCode.INVALID_VALUE, "write it as text"),
        ({"id": "x" * 300}, RefusalCode.INVALID_USER_ID, "`id` must be text"),
        ({"id": "anonymous:1"}, RefusalCode.INVALID_USER_ID, "such ids are ours"),
        ({"id": "c1", "a": "x" * 40_000}, RefusalCode.TOO_LARGE, "the most is 32768"),
        ({"id": "c1", "timestamp": "24/11/2026"}, RowCode.INVALID_TIME, "2026-11-25T09:00:00Z"),
        ({"id": "c1", "timestamp": "2027-01-01"}, RowCode.IN_FUTURE, "later than now"),
    ],
)
async def test_a_row_that_makes_no_sense_is_refused_with_its_line(
    services: Services, row: dict[str, Any], code: str, told: str
) -> None:
    new, known, refused = await import_(services, into_customers(services), {"id": "ok"}, row)
    assert (new, known, codes(refused)) == (1, 0, [(3, code)])
    assert told in refused[0].message
    assert refused[0].values == row


async def test_the_erased_are_not_brought_back(services: Services) -> None:
    await publish(services.database)
    await take(services, identify(customer="c2", email="x@example.com"))
    async with services.database.transaction() as session:
        session.add(ErasureSalt(id=1, salt=SALT))
        session.add(erased("customer", "c1"))
        session.add(erased("email", "ada@example.com"))
        session.add(erased("phone", "+33612345678"))
    before = await contents(services.database)
    _, _, refused = await import_(
        services,
        into_customers(services),
        {"id": "c1"},
        {"id": "new-id", "email": "Ada@example.com"},
        {"id": "other-id", "phone": "+33 6 12 34 56 78"},
    )
    assert codes(refused) == [(line, RowCode.ERASED) for line in (2, 3, 4)]
    assert "an import does not bring them back" in refused[0].message
    said = {"topic": "onboarding", "state": "subscribed", "at": "2026-01-01"}
    _, _, refused = await import_(
        services,
        into_consents(services),
        {"id": "c1", **said},
        {"email": "ADA@example.com", **said},
    )
    assert codes(refused) == [(2, RowCode.ERASED), (3, RowCode.ERASED)]
    _, _, refused = await import_(
        services,
        SuppressionImport(A_DAY),
        {"channel": "email", "address": "ada@example.com"},
        {"channel": "sms", "address": "+33612345678"},
    )
    assert codes(refused) == [(2, RowCode.ERASED), (3, RowCode.ERASED)]
    assert await contents(services.database) == before


# --- Consents -----------------------------------------------------------------------------


def said(state: str, at: object, **more: Any) -> dict[str, Any]:
    return {"id": "c1", "topic": "onboarding", "state": state, "at": str(at), **more}


@pytest.fixture
async def known(services: Services) -> None:
    """Topics are published, and there are a customer and two with one address."""
    await publish(services.database)
    await take(services, identify(A_DAY - 9 * DAY, email="Ada@Example.com"))
    await take(services, identify(A_DAY - 9 * DAY, "c2", email="two@example.com"))
    await take(services, identify(A_DAY - 9 * DAY, "c3", email="TWO@example.com"))


@pytest.mark.usefixtures("known")
async def test_an_old_import_never_undoes_a_newer_unsubscribe(services: Services) -> None:
    await import_(services, into_consents(services), said("unsubscribed", A_DAY - HOUR))
    await import_(services, into_consents(services), said("subscribed", A_DAY - DAY))
    assert await holds(services.database) is NO
    await import_(services, into_consents(services), said("subscribed", A_DAY))
    assert await holds(services.database) is YES


@pytest.mark.usefixtures("known")
async def test_lines_of_a_file_hold_by_their_times_and_not_by_their_order(
    services: Services,
) -> None:
    done = await import_(
        services,
        into_consents(services),
        said("unsubscribed", A_DAY - HOUR, source="footer"),
        said("subscribed", A_DAY - DAY, source="form"),
    )
    assert done == (2, 0, [])
    assert await holds(services.database) is NO


@pytest.mark.usefixtures("known")
async def test_a_consent_keeps_where_and_how_it_was_said(services: Services) -> None:
    row = said("subscribed", A_DAY - DAY, source="form", basis="consent", wording="Write to me")
    assert await import_(services, into_consents(services), row, row) == (1, 1, [])
    assert await import_(services, into_consents(services), row) == (0, 1, [])
    async with services.database.reading() as session:
        (kept,) = await consents.of_customer(session, "c1")
    told = (kept.source, kept.basis, kept.wording, kept.channel, kept.at)
    assert told == ("form", "consent", "Write to me", None, A_DAY - DAY)


@pytest.mark.usefixtures("known")
async def test_a_customer_may_be_named_by_address(services: Services) -> None:
    row = {"email": "ada@example.com", "topic": "all", "state": "unsubscribed", "at": "2026-11-01"}
    assert await import_(services, into_consents(services), row) == (1, 0, [])
    assert await holds(services.database) is NO


async def test_an_imported_consent_starts_no_journey(services: Services) -> None:
    await publish(services.database, trial(starts_on="consent.given"))
    await take(services, identify(A_DAY - DAY))
    await import_(services, into_consents(services), said("subscribed", A_DAY))
    async with services.database.reading() as session:
        assert await enrollments.of_customer(session, "c1") == []


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"topic": "onbording"}, RowCode.UNKNOWN_TOPIC, "did you mean `onboarding`?"),
        ({"topic": ""}, RowCode.UNKNOWN_TOPIC, "`tracking.clicks` or `all`"),
        ({"channel": "fax"}, RowCode.UNKNOWN_CHANNEL, "`email`, `sms`"),
        ({"state": "yes"}, RowCode.UNKNOWN_STATE, "`pending` or `unsubscribed`"),
        ({"at": "yesterday"}, RowCode.INVALID_TIME, "2026-11-25T09:00:00Z"),
        ({"at": ""}, RowCode.NO_TIME, "when was it said?"),
        ({"at": "2027-01-01"}, RowCode.IN_FUTURE, "later than now"),
        ({"id": "c9"}, RowCode.NO_SUCH_CUSTOMER, "there is no customer `c9`"),
        ({"id": "", "email": "x@example.com"}, RowCode.NO_SUCH_CUSTOMER, "`x@example.com`"),
        ({"id": "", "email": "two@example.com"}, RowCode.AMBIGUOUS_CUSTOMER, "2 customers"),
        ({"id": ""}, RowCode.NO_ID, "`id`, or `email`"),
        ({"topics": "news"}, RowCode.UNKNOWN_COLUMN, "did you mean `topic`?"),
    ],
)
async def test_a_consent_that_makes_no_sense_is_refused(
    services: Services, change: dict[str, Any], code: str, told: str
) -> None:
    row = {**said("subscribed", A_DAY - DAY), **change}
    new, known, refused = await import_(services, into_consents(services), row)
    assert (new, known, codes(refused)) == (0, 0, [(2, code)])
    assert told in refused[0].message


# --- Suppressions -------------------------------------------------------------------------


async def test_a_suppressed_address_is_suppressed_once_and_keeps_its_first_reason(
    services: Services,
) -> None:
    rows = [
        {"channel": "email", "address": "Ada@Example.com", "reason": "complained"},
        {"channel": "email", "address": "ada@example.com", "reason": "other"},
        {"channel": "sms", "address": "+33 (6) 12-34-56-78", "at": "2026-11-01"},
    ]
    assert await import_(services, SuppressionImport(A_DAY), *rows) == (2, 1, [])
    assert await import_(services, SuppressionImport(A_DAY), *rows) == (0, 3, [])
    async with services.database.reading() as session:
        found = {each.address: each for each in await suppressions.newest(session)}
    assert {name: each.reason for name, each in found.items()} == {
        "ada@example.com": "complained",
        "+33612345678": "imported",
    }
    assert found["ada@example.com"].at == A_DAY


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"channel": "email", "address": "ada"}, RowCode.INVALID_ADDRESS),
        ({"channel": "sms", "address": "0612345678"}, RowCode.INVALID_ADDRESS),
        ({"channel": "email"}, RowCode.INVALID_ADDRESS),
        ({"channel": "post", "address": "1 Main\0Street"}, RowCode.INVALID_ADDRESS),
        ({"channel": "fax", "address": "1"}, RowCode.UNKNOWN_CHANNEL),
        ({"channel": "email", "address": "a@example.com", "at": "x"}, RowCode.INVALID_TIME),
        ({"channel": "email", "address": "a@example.com", "why": "x"}, RowCode.UNKNOWN_COLUMN),
    ],
)
async def test_a_suppression_that_makes_no_sense_is_refused(
    services: Services, row: dict[str, Any], code: str
) -> None:
    new, known, refused = await import_(services, SuppressionImport(A_DAY), row)
    assert (new, known, codes(refused)) == (0, 0, [(2, code)])


# --- A trial ------------------------------------------------------------------------------


@pytest.mark.usefixtures("known")
async def test_a_trial_says_what_would_be_done_and_writes_nothing(services: Services) -> None:
    await take(services, track("trial_started", A_DAY - HOUR))  # whom traits may move
    before = await contents(services.database)
    rows = [{"id": "c1", "trial_ends_at": "2026-12-23"}, {"id": "c9"}, {"id": ""}]
    told = await import_(services, into_customers(services), *rows, dry_run=True)
    assert (told[0], told[1], codes(told[2])) == (2, 0, [(4, RowCode.NO_ID)])
    told = await import_(
        services,
        into_consents(services),
        said("unsubscribed", A_DAY),
        said("unsubscribed", A_DAY),
        said("maybe", A_DAY),
        dry_run=True,
    )
    assert (told[0], told[1], codes(told[2])) == (1, 1, [(4, RowCode.UNKNOWN_STATE)])
    row = {"channel": "email", "address": "a@example.com"}
    assert await import_(services, SuppressionImport(A_DAY), row, row, dry_run=True) == (1, 1, [])
    assert await contents(services.database) == before
    assert (await import_(services, into_customers(services), *rows))[0] == 2
    assert await contents(services.database) != before


async def test_a_trial_knows_what_an_earlier_transaction_of_it_would_have_written(
    services: Services,
) -> None:
    rows = [{"id": f"c{number}"} for number in range(ROWS_A_TRANSACTION)]
    told = await import_(services, into_customers(services), *rows, *rows, dry_run=True)
    assert told == (ROWS_A_TRANSACTION, ROWS_A_TRANSACTION, [])


async def test_it_stops_between_two_transactions_and_goes_on_from_there(
    services: Services,
) -> None:
    entries = [Row(number, {"id": f"c{number}"}) for number in range(2 * ROWS_A_TRANSACTION)]
    done: list[int] = []
    parts = run_import(
        services,
        into_customers(services),
        entries,
        dry_run=False,
        is_stopped=lambda: len(done) == 1,
    )
    async for taken in parts:
        done.append(len(taken.new))
    assert done == [ROWS_A_TRANSACTION]
    rows = [each.values for each in entries]
    again = await import_(services, into_customers(services), *rows)
    assert again == (ROWS_A_TRANSACTION, ROWS_A_TRANSACTION, [])


async def test_a_row_that_could_not_be_read_is_told_with_the_others(services: Services) -> None:
    unread = Refusal(3, RowCode.NOT_JSON, "not JSON")
    entries: list[Row | Refusal] = [
        Row(2, {"id": ""}),
        unread,
        Row(4, {"id": "c1"}),
        Row(5, {"id": ""}),
    ]
    parts = run_import(services, into_customers(services), entries, dry_run=False)
    (taken,) = [each async for each in parts]
    assert codes(list(taken.refused)) == [(2, "no_id"), (3, "not_json"), (5, "no_id")]
    assert len(taken.new) == 1

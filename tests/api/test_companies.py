"""Companies: whose traits are every member's, and where a colleague's purchase counts."""

from datetime import datetime
from typing import Any

import pytest

from api.accept import accept
from api.services import Services
from engine.calls import Group
from engine.definition import Journey
from engine.reasons import Ending
from store import customers, enrollments
from store.tables import Enrollment, OutboxKind
from tests.api.given import A_DAY, DAY, HOUR, identify, outbox, publish, take, track, trial

ENDS, LATER = "2026-12-23", "2026-12-30"


def team(**changes: Any) -> Journey:
    """A trial that a whole company shares."""
    given: dict[str, Any] = {
        "ends_on": ["trial_cancelled"],
        "ends_at": "customer.company.trial_ends_at",
        "goal": {"event": "subscription_purchased", "of": "company"},
        "steps": [{"send": "coupon", "at": "customer.company.trial_ends_at - 5 days"}],
    }
    return trial(**{**given, **changes})


def group(customer: str, at: datetime = A_DAY, company: str = "acme", **traits: Any) -> Group:
    message_id = f"g-{customer}-{company}-{at:%d%H%M}"
    return Group(
        customer_id=customer, at=at, message_id=message_id, company_id=company, traits=traits
    )


async def of(services: Services, customer: str) -> Enrollment:
    async with services.database.reading() as session:
        (row,) = await enrollments.of_customer(session, customer)
    return row


@pytest.fixture
async def published(services: Services) -> Services:
    await publish(services.database, team())
    return services


async def test_a_date_kept_on_the_company_is_an_anchor(published: Services) -> None:
    await take(published, group("ann", trial_ends_at=ENDS), track("trial_started", customer="ann"))
    row = await of(published, "ann")
    assert row.input["facts"]["traits"] == {"company.trial_ends_at": ENDS}


async def test_a_companys_new_date_moves_every_member(published: Services) -> None:
    for name in ("ann", "bo"):
        await take(published, group(name, trial_ends_at=ENDS))
        await take(published, track("trial_started", customer=name))
    await take(published, group("ann", A_DAY + HOUR, trial_ends_at=LATER))
    told = [each for each in await outbox(published.database) if each.kind is OutboxKind.SIGNAL]
    assert {each.customer_id for each in told} == {"ann", "bo"}
    assert all(each.payload["traits"] == {"company.trial_ends_at": LATER} for each in told)


async def test_who_joins_a_company_later_has_its_date(published: Services) -> None:
    await take(published, group("ann", trial_ends_at=ENDS))
    await take(published, track("trial_started", customer="bo"))
    await take(published, group("bo", A_DAY + HOUR))
    told = (await outbox(published.database))[-1]
    assert (told.customer_id, told.payload["traits"]) == ("bo", {"company.trial_ends_at": ENDS})


async def test_a_colleagues_purchase_counts(published: Services) -> None:
    await take(published, group("ann"), group("bo"), track("trial_started", customer="ann"))
    await take(published, track("subscription_purchased", A_DAY + HOUR, customer="bo"))
    row = await of(published, "ann")
    assert (row.ending, row.ended_at) == (Ending.CONVERTED, A_DAY + HOUR)


async def test_a_colleague_who_leaves_ends_only_their_own(published: Services) -> None:
    await take(published, group("ann"), group("bo"))
    for name in ("ann", "bo"):
        await take(published, track("trial_started", customer=name))
    await take(published, track("trial_cancelled", A_DAY + HOUR, customer="bo"))
    assert (await of(published, "ann")).ending is None
    assert (await of(published, "bo")).ending is Ending.EXITED


async def test_a_purchase_before_colleagues_were_known_as_such_counts_too(
    published: Services,
) -> None:
    await take(published, track("trial_started", customer="ann"), group("ann"))
    await take(published, track("subscription_purchased", A_DAY + HOUR, customer="bo"))
    assert (await of(published, "ann")).ending is None
    await accept(published, [group("bo", A_DAY)], A_DAY + 2 * HOUR)
    row = await of(published, "ann")
    assert (row.ending, row.ended_at) == (Ending.CONVERTED, A_DAY + HOUR)


async def test_who_starts_after_a_colleagues_purchase_is_not_ended_by_it(
    published: Services,
) -> None:
    await take(published, group("ann"), group("bo"))
    await take(published, track("subscription_purchased", A_DAY, customer="bo"))
    await take(published, track("trial_started", A_DAY + HOUR, customer="ann"))
    assert (await of(published, "ann")).ending is None


async def test_who_moves_to_another_company_is_one_customer_of_the_last(
    published: Services,
) -> None:
    await take(published, group("ann", company="acme", trial_ends_at=ENDS))
    await take(published, track("trial_started", customer="ann"))
    await take(published, group("ann", A_DAY + HOUR, company="bolt", trial_ends_at=LATER))
    told = (await outbox(published.database))[-1]
    assert told.payload["traits"] == {"company.trial_ends_at": LATER}
    await take(published, group("bo", A_DAY, company="acme"))
    await take(published, track("subscription_purchased", A_DAY + DAY, customer="bo"))
    assert (await of(published, "ann")).ending is None


async def test_a_late_word_about_an_earlier_company_changes_nothing(published: Services) -> None:
    await take(published, group("ann", A_DAY + HOUR, company="bolt"))
    await accept(published, [group("ann", A_DAY, company="acme")], A_DAY + HOUR)
    async with published.database.reading() as session:
        row = await customers.get(session, "ann")
    assert row is not None
    assert row.company_id == "bolt"


async def test_a_trait_called_company_is_the_customers_own_until_a_group_call(
    services: Services,
) -> None:
    await publish(services.database, trial(starts_on={"event": "began", "where": IS_ACME}))
    await take(services, identify(company={"name": "Acme"}), track("began"))
    assert (await of(services, "c1")).start_at == A_DAY


IS_ACME = "customer.company.name == 'Acme'"


async def test_a_company_is_known_to_conditions(services: Services) -> None:
    await publish(services.database, trial(starts_on={"event": "began", "where": IS_ACME}))
    await take(services, group("ann", name="Acme"), track("began", customer="ann"))
    await take(services, group("bo", company="bolt", name="Bolt"), track("began", customer="bo"))
    assert (await of(services, "ann")).ending is None
    async with services.database.reading() as session:
        assert await enrollments.of_customer(session, "bo") == []


async def test_a_group_call_that_says_nothing_new_tells_nobody(published: Services) -> None:
    await take(published, group("ann", trial_ends_at=ENDS), track("trial_started", customer="ann"))
    before = len(await outbox(published.database))
    await take(published, group("ann", A_DAY + HOUR, trial_ends_at=ENDS))
    assert len(await outbox(published.database)) == before

"""Somebody who was erased is named again: by an import in vain, by the app as somebody new."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.accept import accept
from api.erasing import erase
from api.services import Services
from engine.calls import Alias, Call, ChangeConsent
from store import consents, customers, enrollments
from store.tables import Consent, ConsentState, Customer
from tests.api.given import A_DAY, DAY, HOUR, identify, kept_events, publish, take, track, trial

EMAIL, PHONE = "ann@example.com", "+33612345678"


@pytest.fixture
async def erased(services: Services) -> Services:
    """A store in which `c1` was in the trial twice, and was erased."""
    await publish(services.database, trial(reenter="after_exit"))
    await take(services, identify(email=EMAIL, phone=PHONE))
    for hour in (0, 2):
        await take(services, track("trial_started", A_DAY + hour * HOUR))
        await take(services, track("trial_cancelled", A_DAY + (hour + 1) * HOUR))
    await erase(services, "c1", "test")
    return services


async def said(services: Services, customer: str = "c1") -> list[Consent]:
    async with services.database.reading() as session:
        return await consents.of_customer(session, customer)


async def state(services: Services, customer: str, topic: str = "onboarding") -> Any:
    async with services.database.reading() as session:
        return await consents.consent_state(session, customer, "email", topic)


async def ids(services: Services) -> set[str]:
    async with services.database.reading() as session:
        rows = await session.scalars(sa.select(Customer).where(sa.text("erased_at IS NULL")))
        return {row.id for row in rows}


def consent(at: datetime, customer: str = "c1") -> ChangeConsent:
    return ChangeConsent(
        customer_id=customer,
        at=at,
        message_id=f"consent-{at}",
        topic="onboarding",
        channel=None,
        subscribed=True,
    )


async def test_who_comes_back_is_new_and_unsubscribed_until_they_subscribe(
    erased: Services,
) -> None:
    await take(erased, track("app_opened", A_DAY + DAY))
    async with erased.database.reading() as session:
        row = await customers.get(session, "c1")
    assert row is not None
    assert (row.traits, row.first_seen_at) == ({}, A_DAY + DAY)
    (only,) = await said(erased)
    assert (only.state, only.source, only.topic, only.channel) == (
        ConsentState.UNSUBSCRIBED,
        "erasure",
        None,
        None,
    )
    assert await state(erased, "c1") is ConsentState.UNSUBSCRIBED
    await take(erased, consent(A_DAY + 2 * DAY))
    await take(erased, identify(A_DAY + 3 * DAY, email=EMAIL))  # theirs, and now they say so
    assert await state(erased, "c1") is ConsentState.SUBSCRIBED


async def test_who_comes_back_gets_ordinals_that_temporal_has_not_seen(erased: Services) -> None:
    accepted = await take(erased, track("trial_started", A_DAY + DAY))
    assert accepted.enrolled == ("trial:c1:~3",)
    await erase(erased, "c1", "test")
    accepted = await take(erased, track("trial_started", A_DAY + 2 * DAY))
    assert accepted.enrolled == ("trial:c1:~4",)
    await erase(erased, "c1", "test")  # and one in between that enrolled nobody forgets nothing
    await take(erased, track("app_opened", A_DAY + 3 * DAY))
    await erase(erased, "c1", "test")
    accepted = await take(erased, track("trial_started", A_DAY + 4 * DAY))
    assert accepted.enrolled == ("trial:c1:~5",)


@pytest.mark.parametrize(
    "traits",
    [{"email": " ANN@Example.com "}, {"phone": "+33 6 12 34 56 78"}],
    ids=["email", "phone"],
)
async def test_another_id_with_their_address_is_unsubscribed_too(
    erased: Services, traits: dict[str, str]
) -> None:
    await take(erased, identify(A_DAY, "c2", name="Ann"))
    assert await said(erased, "c2") == []
    call = identify(A_DAY + DAY, "c2", **traits)
    await take(erased, call)
    await take(erased, call)
    assert [each.source for each in await said(erased, "c2")] == ["erasure"]
    await take(erased, identify(A_DAY, "c3", email="bea@example.com", phone="+33612345679"))
    assert await said(erased, "c3") == []


async def test_one_who_is_said_to_be_them_is_unsubscribed_but_not_one_on_their_device(
    erased: Services,
) -> None:
    alias = Alias(customer_id="c2", at=A_DAY, message_id="alias", formerly=("c1",))
    await take(erased, alias)
    assert await state(erased, "c2") is ConsentState.UNSUBSCRIBED
    await take(erased, replace(identify(customer="c8"), formerly=("anonymous:d1",)))
    await erase(erased, "c8", "test")
    visit = track("app_opened", A_DAY + HOUR, "anonymous:d1")
    await take(erased, visit, replace(identify(customer="c9"), formerly=("anonymous:d1",)))
    assert await said(erased, "c9") == []


def historical(call: Call) -> Call:
    return replace(call, historical=True)


@pytest.mark.parametrize(
    "call",
    [
        track("trial_started"),
        identify(name="Ann"),
        identify(customer="c5", email=EMAIL.upper()),
        identify(customer="c5", phone="+33 (6) 12-34-56-78"),
        Alias(customer_id="c5", at=A_DAY, message_id="a", formerly=("c1",)),
    ],
    ids=["event", "traits", "email", "phone", "alias"],
)
async def test_history_never_brings_anybody_back(erased: Services, call: Call) -> None:
    fine = identify(customer="c6", email="bea@example.com")
    both = await accept(erased, [historical(call), historical(fine)], A_DAY)
    assert both.erased == {call.message_id}
    assert both.new == {fine.message_id}
    alone = await accept(erased, [historical(call)], A_DAY)
    assert alone.erased == {call.message_id}
    assert not alone.new
    assert await ids(erased) == {"c6"}
    assert [event.customer_id for event in await kept_events(erased.database)] == ["c6"] * 2
    await take(erased, track("app_opened"))  # back by themselves, and still without the past
    assert (await accept(erased, [historical(call)], A_DAY)).erased == {call.message_id}


async def test_an_import_is_told_what_it_may_not_bring(
    erased: Services, client: httpx.AsyncClient
) -> None:
    past = {"type": "track", "event": "trial_started", "timestamp": "2026-11-01T09:00:00Z"}
    theirs = {**past, "userId": "c1", "messageId": "i1"}
    mixed = {"batch": [theirs, {**past, "userId": "c2", "messageId": "i2"}]}
    answer = await client.post("/v1/import", json=mixed)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert await ids(erased) == {"c2"}
    refused = await client.post("/v1/import", json={"batch": [theirs]})
    assert (refused.status_code, refused.json()["code"]) == (400, "erased")
    assert (await client.post("/v1/batch", json={"batch": [theirs]})).status_code == 200
    assert await ids(erased) == {"c1", "c2"}


async def test_while_nobody_was_erased_only_new_customers_and_addresses_ask(
    services: Services,
) -> None:
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "erasure" in statement:
            asked.append(statement)

    sa.event.listen(services.database._writer.sync_engine, "before_cursor_execute", note)
    await take(services, identify(email=EMAIL))
    assert len(asked) == 1
    await take(services, identify(A_DAY + HOUR, email=EMAIL, plan="pro"))
    await take(services, track("app_opened", A_DAY + HOUR))
    assert len(asked) == 1
    await take(services, identify(A_DAY + HOUR, email="other@example.com"))
    assert len(asked) == 2
    assert all("erasure_salt" in each for each in asked)


async def test_enrolled_by_hand_they_come_back_as_unsubscribed(
    erased: Services, client: httpx.AsyncClient
) -> None:
    refused = await client.post("/v1/journeys/trial/enroll", json={"customer_id": "c1"})
    assert refused.json()["code"] == "no_such_customer"
    await take(erased, identify(A_DAY + HOUR, name="Ann"))
    answer = await client.post("/v1/journeys/trial/enroll", json={"customer_id": "c1"})
    assert answer.json()["id"] == "trial:c1:~3"
    async with erased.database.reading() as session:
        (row,) = await enrollments.of_customer(session, "c1")
    assert row.ordinal == 3
    assert await state(erased, "c1") is ConsentState.UNSUBSCRIBED

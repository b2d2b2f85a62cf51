"""The ledger of consent: what is asked, what is given, and who said so from where."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.accept import accept
from api.importing.consents import ConsentImport
from api.importing.rows import Row
from api.importing.running import run_import
from api.scopes import Scope
from api.services import Services
from api.taking import Said
from engine.calls import ChangeConsent
from engine.consent import ConsentState
from engine.policy import Policy
from store import consents, enrollments
from tests.api.given import A_DAY, HOUR, Wall, identify, kept_events, make_key, publish, take, trial
from tests.store.given import policy

YES, ASKED, NO = ConsentState.SUBSCRIBED, ConsentState.PENDING, ConsentState.UNSUBSCRIBED
AT = "/v1/customers/c1/consents"


def asking() -> Policy:
    """A policy with a topic that has to be confirmed."""
    return policy(
        topics={
            "onboarding": {"title": "Getting started", "subscribed": True},
            "news": {"title": "News", "subscribed": False, "double_opt_in": True},
        }
    )


@pytest.fixture
async def known(services: Services) -> Services:
    """A customer, and a journey that asks them to confirm."""
    confirm = trial(
        journey="confirm",
        starts_on="consent.requested",
        ends_on=["consent.withdrawn"],
        ends_at=None,
        goal="consent.given",
        key="topic",
        reenter="restart",
        topic=None,
        transactional=True,
        steps=[{"send": "confirm", "at": "start + 1 day"}],
    )
    await publish(services.database, confirm, rules=asking())
    await take(services, identify(email="c1@example.com"))
    return services


async def said(services: Services, topic: str = "news") -> ConsentState | None:
    async with services.database.reading() as session:
        return await consents.consent_state(session, "c1", "email", topic)


async def asked(services: Services) -> int:
    """How often the customer was, or is being, asked."""
    async with services.database.reading() as session:
        return len(await enrollments.of_customer(session, "c1"))


async def events(services: Services) -> list[tuple[str | None, Any]]:
    rows = await kept_events(services.database)
    return [(row.name, row.properties["topic"]) for row in rows if "consent" in (row.name or "")]


async def post(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    answer = await client.post(AT, json={"topic": "news", "subscribed": True, **body})
    assert answer.status_code == 200, answer.text
    return answer


async def test_who_subscribes_where_it_must_be_confirmed_is_pending_and_asked(
    client: httpx.AsyncClient, known: Services
) -> None:
    await post(client)
    assert await said(known) is ASKED
    assert await events(known) == [("consent.requested", "news")]
    assert await asked(known) == 1


async def test_asking_again_while_pending_asks_again(
    client: httpx.AsyncClient, known: Services, wall: Wall
) -> None:
    await post(client)
    wall.pass_(HOUR)
    await post(client)
    assert await said(known) is ASKED
    assert await asked(known) == 2


async def test_consent_is_given_only_when_it_is_confirmed(
    client: httpx.AsyncClient, known: Services, wall: Wall
) -> None:
    await post(client)
    wall.pass_(HOUR)
    await post(client, confirmed=True)
    assert await said(known) is YES
    assert await events(known) == [("consent.requested", "news"), ("consent.given", "news")]
    wall.pass_(HOUR)
    await post(client)  # subscribed already: nothing to ask
    assert await said(known) is YES
    assert await asked(known) == 1


async def test_a_repeated_word_asks_once(client: httpx.AsyncClient, known: Services) -> None:
    for _ in range(2):
        await post(client, message_id="m1", topic=None)
    assert await asked(known) == 1
    assert sorted(await events(known), key=str) == [
        ("consent.given", None),
        ("consent.requested", "news"),
    ]
    answer = await client.get(AT)
    assert len(answer.json()["consents"]) == 2


async def test_subscribing_to_everything_asks_for_what_has_to_be_confirmed(
    client: httpx.AsyncClient, known: Services
) -> None:
    await post(client, topic=None)
    assert (await said(known, "onboarding"), await said(known)) == (YES, ASKED)


async def test_in_one_request_each_word_is_understood_after_those_before_it(
    known: Services,
) -> None:
    def word(n: int, **more: Any) -> ChangeConsent:
        given = {"topic": "news", "channel": None, "subscribed": True, **more}
        at = A_DAY + n * timedelta(minutes=1)
        return ChangeConsent(customer_id="c1", at=at, message_id=f"w{n}", **given)

    words = [word(2), word(1, confirmed=True), word(3, subscribed=False), word(4)]
    await accept(known, words, A_DAY + HOUR)
    async with known.database.reading() as session:
        states = [each.state for each in await consents.of_customer(session, "c1")]
    assert states == [YES, YES, NO, ASKED]


async def test_the_ledger_is_listed_whole_and_newest_first(
    client: httpx.AsyncClient, known: Services, wall: Wall
) -> None:
    await post(client)
    wall.pass_(HOUR)
    await post(
        client, confirmed=True, ip="2001:DB8::1", basis="consent", wording="Yes", channel="email"
    )
    newest, oldest = (await client.get(AT)).json()["consents"]
    assert newest == {
        "topic": "news",
        "channel": "email",
        "state": "subscribed",
        "basis": "consent",
        "source": "api",
        "wording": "Yes",
        "at": "2026-11-23T10:00:00Z",
        "actor": "key:test",
        "ip": "2001:db8::1",
    }
    assert (oldest["state"], oldest["ip"]) == ("pending", None)


async def test_the_ledger_of_nobody_is_not_found(
    client: httpx.AsyncClient, known: Services
) -> None:
    answer = await client.get("/v1/customers/c9/consents")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_customer")


async def test_the_ledger_is_for_support_only(anyone: httpx.AsyncClient, known: Services) -> None:
    assert (await anyone.get(AT)).status_code == 401
    key = await make_key(known.database, Scope.EVENTS_WRITE, name="app")
    answer = await anyone.get(AT, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403


async def test_no_address_but_an_ip_address_is_kept_as_one(
    client: httpx.AsyncClient, known: Services
) -> None:
    answer = await client.post(AT, json={"topic": "news", "subscribed": True, "ip": "home"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_being_observed_is_spoken_of_as_a_topic(
    client: httpx.AsyncClient, known: Services
) -> None:
    await post(client, topic="tracking.opens")
    await post(client, topic="tracking.clicks", subscribed=False)
    assert await said(known, "tracking.opens") is YES
    assert await said(known, "tracking.clicks") is NO
    assert await said(known) is None
    answer = await client.post(AT, json={"topic": "tracking.steps", "subscribed": True})
    assert answer.json()["code"] == "no_such_topic"


async def test_who_is_known_by_a_link_leaves_their_address(known: Services) -> None:
    word = ChangeConsent(
        customer_id="c1", at=A_DAY, message_id="w", topic="news", channel=None, subscribed=False
    )
    await accept(known, [word], A_DAY, Said(source="link", ip="192.0.2.7"))
    async with known.database.reading() as session:
        (kept,) = await consents.of_customer(session, "c1")
    assert (kept.ip, kept.actor, kept.source) == ("192.0.2.7", None, "link")


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"state": "subscribed", "basis": "consent"}, YES),
        ({"state": "subscribed"}, ASKED),
        ({"state": "pending", "basis": "consent"}, ASKED),
        ({"state": "unsubscribed"}, NO),
        ({"state": "subscribed", "topic": "all"}, ASKED),
        ({"state": "subscribed", "topic": "all", "basis": "consent"}, YES),
    ],
)
async def test_an_import_subscribes_by_its_basis_and_asks_nobody(
    known: Services, row: dict[str, str], state: ConsentState
) -> None:
    values = {"id": "c1", "topic": "news", "at": "2026-01-01T09:00:00Z", **row}
    importer = ConsentImport(known, known.now())
    for expected in ((1, 0), (0, 1)):  # the second time it is known
        parts = [
            each async for each in run_import(known, importer, [Row(2, values)], dry_run=False)
        ]
        assert [refusal.message for each in parts for refusal in each.refused] == []
        counted = sum(len(each.new) for each in parts), sum(each.known for each in parts)
        assert counted == expected
    assert await said(known) is state
    assert await asked(known) == 0

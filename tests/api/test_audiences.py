"""Who is in an audience: as everything else would say, in a few statements for all of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from api.broadcasting.asked import Asked
from api.broadcasting.previewing import preview
from api.services import Services
from engine.calls import ChangeConsent
from tests.api.broadcasting import all_pages, begun, enrolled, known, later, publish
from tests.api.given import A_DAY, DAY, take, track, trial
from tests.store.given import policy

SOME = [f"c{n}" for n in range(1, 9)]

BUYERS = policy(
    caps=[],
    traits={"orders": {"count": "order_placed"}},
    segments={
        "buyers": {"when": "customer.orders >= 1"},
        "lapsed": {"when": "customer.orders >= 1 and count('order_placed', '90 days') == 0"},
    },
)


async def audience(services: Services, condition: str) -> int:
    """How many are in it now."""
    asked = Asked("x", event="told", audience=condition)
    return (await preview(services, asked, "test")).audience


async def test_an_audience_asks_what_customers_did_and_takes_the_same_few_statements(
    services: Services,
) -> None:
    await publish(services.database)
    await known(services, *SOME)
    for who in SOME[:4]:
        await take(services, track("order_placed", A_DAY - 10 * DAY, who))
    await take(services, track("order_placed", A_DAY - 100 * DAY, "c5"))
    ever = "count('order_placed') >= 1"
    lately = "count('order_placed', '30 days') >= 1 and customer.email"
    assert (await preview(services, Asked("x", journey="trial", audience=ever), "t")).audience == 5
    asked = Asked("x", journey="trial", audience=lately)
    assert (await preview(services, asked, "t")).audience == 4
    few = await _statements(services, asked)
    await known(services, *(f"d{n}" for n in range(20)))
    assert await _statements(services, asked) == few


async def _statements(services: Services, asked: Asked) -> int:
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    engine = services.database._reader.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    await preview(services, asked, "t")
    sa.event.remove(engine, "before_cursor_execute", note)
    return len(seen)


async def test_an_audience_asks_for_subscriptions(services: Services) -> None:
    await publish(services.database)
    await known(services, *SOME)
    for who in ("c2", "c3"):
        given = ChangeConsent(
            customer_id=who,
            at=A_DAY,
            message_id=f"{who}-says",
            topic="news",
            channel=None if who == "c2" else "sms",
            subscribed=True,
        )
        await take(services, given)
    # By default nobody is subscribed; c3 said so of text messages, and has no number.
    asked = Asked("x", event="told", audience="subscribed('news')")
    assert (await preview(services, asked, "t")).audience == 1
    asked = Asked("x", event="told", audience="subscribed('onboarding')")
    assert (await preview(services, asked, "t")).audience == 8


async def test_an_audience_sees_what_is_computed_and_the_segments(services: Services) -> None:
    rules = policy(
        caps=[],
        traits={"orders": {"count": "order_placed"}},
        segments={"buyers": {"when": "customer.orders >= 1"}},
    )
    await publish(services.database, rules=rules)
    await known(services, *SOME)
    for number, who in ((1, "c1"), (2, "c1"), (3, "c2")):
        await take(services, track("order_placed", customer=who, message_id=f"o{number}"))
    for audience, numbers in (
        ("customer.orders >= 2", 1),
        ("inside('buyers')", 2),
        ("not inside('buyers')", 6),
    ):
        asked = Asked("x", event="told", audience=audience)
        assert (await preview(services, asked, "t")).audience == numbers, audience


async def test_an_audience_counts_forward_as_a_when_does_at_a_months_end(
    services: Services,
) -> None:
    """A month from 31 January is 28 February; a month before that would be 28 January."""
    pro = trial(
        steps=[{"send": "coupon", "at": "start", "when": "count('order_placed', '1 month') == 1"}]
    )
    await publish(services.database, pro)
    done, leaves = datetime(2027, 1, 31, 8, tzinfo=UTC), datetime(2027, 2, 28, 8, tzinfo=UTC)
    await known(services, "c1", timezone="Europe/Paris")  # 09:00 there
    await take(services, track("order_placed", done))
    for at, inside in ((leaves - timedelta(seconds=1), 1), (leaves, 0)):
        later(services, at)
        assert await audience(services, "count('order_placed', '1 month') == 1") == inside
        told = await preview(services, Asked("x", message="trial/coupon"), "test")
        assert (told.gets, told.out) == (inside, {} if inside else {"condition": 1})


@pytest.mark.parametrize("window", [None, "30 days"])
async def test_it_counts_by_one_statement_whatever_zones_they_are_in(
    services: Services, window: str | None
) -> None:
    await publish(services.database)
    asked = f"'order_placed', '{window}'" if window else "'order_placed'"
    condition = Asked("x", event="told", audience=f"count({asked}) == 1")
    for who, zone in zip(
        SOME, ("Europe/Paris", "Asia/Tokyo", "UTC", "America/Lima") * 2, strict=True
    ):
        await known(services, who, timezone=zone)
        await take(services, track("order_placed", customer=who))
    everybody = await _statements(services, Asked("x", event="told", audience="customer.email"))
    assert await _statements(services, condition) == everybody + 1
    assert (await preview(services, condition, "test")).audience == len(SOME)


async def test_who_entered_by_time_is_inside_before_anybody_has_looked(
    services: Services,
) -> None:
    lapsed = trial(steps=[{"send": "coupon", "at": "start", "when": "inside('lapsed')"}])
    await publish(services.database, lapsed, rules=BUYERS)
    await known(services, "c1", "c2")
    await take(services, track("order_placed"))
    asked = Asked("x", message="trial/coupon")
    for at, inside in ((A_DAY + 90 * DAY - timedelta(seconds=1), 0), (A_DAY + 90 * DAY, 1)):
        later(services, at)
        assert await audience(services, "inside('lapsed')") == inside
        assert (await preview(services, asked, "test")).gets == inside


async def test_what_older_definitions_found_is_not_asked(services: Services) -> None:
    await publish(services.database, rules=BUYERS)
    await known(services, "c1", "c2")
    await take(services, track("order_placed"))
    two = {"buyers": {"when": "customer.orders >= 2"}, "all": {"when": "customer.email"}}
    await publish(
        services.database,
        rules=policy(caps=[], traits={"orders": {"count": "order_placed"}}, segments=two),
    )
    assert await audience(services, "inside('buyers')") == 0
    assert await audience(services, "inside('all')") == 2


async def test_a_broadcast_reaches_those_whom_time_has_put_into_a_segment(
    services: Services,
) -> None:
    await publish(services.database, rules=BUYERS)
    await known(services, "c1", "c2")
    await take(services, track("order_placed"))
    later(services, A_DAY + 91 * DAY)
    await begun(services, journey="trial", audience="inside('lapsed')")
    await all_pages(services)
    assert set(await enrolled(services, "c1", "c2")) == {"c1"}

"""What accepting calls changes in the store, and what Temporal then has to hear."""

from dataclasses import replace
from decimal import Decimal

import pytest

from api.accept import accept
from api.errors import AlreadyEnrolledError, NoSuchJourneyError
from api.services import Services
from engine.calls import ChangeConsent, EnrollByHand, SegmentCall
from engine.clock import Clock
from engine.enrollment import Facts, Notice
from engine.lines import StepLine
from engine.orders import EnrollmentInput
from engine.person import Stage
from engine.reasons import Ending
from engine.simulator import simulate
from rendering.conditions import evaluate
from store import consents, customers, enrollments
from store.tables import ConsentState, EnrollmentState, EventStats, OutboxKind
from tests.api.given import (
    A_DAY,
    DAY,
    HOUR,
    enrollment,
    identify,
    kept_events,
    outbox,
    publish,
    take,
    track,
    trial,
)
from tests.store.given import policy

ENDS = "2026-12-23T09:00:00Z"


@pytest.fixture
async def published(services: Services) -> Services:
    await publish(services.database)
    return services


async def test_a_start_event_enrolls_and_asks_for_one_workflow(published: Services) -> None:
    accepted = await take(published, identify(trial_ends_at=ENDS), track("trial_started"))
    assert accepted.enrolled == ("trial:c1",)
    row = await enrollment(published.database)
    assert (row.state, row.next_step, row.next_at) == (EnrollmentState.OPEN, "thanks", A_DAY + DAY)
    assert [(each.kind, each.enrollment_id) for each in await outbox(published.database)] == [
        (OutboxKind.START, "trial:c1")
    ]


async def test_the_input_pins_the_journey_and_names_nobody(published: Services) -> None:
    await take(
        published,
        identify(customer="ann@acme.example", email="ann@acme.example", trial_ends_at=ENDS),
        track("trial_started", customer="ann@acme.example", properties={"name": "Ann"}),
    )
    async with published.database.reading() as session:
        row = (await enrollments.of_customer(session, "ann@acme.example"))[0]
    given = EnrollmentInput.model_validate(row.input)
    assert given.enrollment_id == row.id
    assert given.version == trial().version
    assert given.facts.traits == {"trial_ends_at": ENDS}
    assert given.next is not None
    assert given.next.step == "thanks"
    assert "acme" not in str(row.input).lower()
    assert "Ann" not in str(row.input)


async def test_a_repeated_batch_has_no_second_effect(published: Services) -> None:
    batch = (identify(trial_ends_at=ENDS), track("trial_started"), track("app_opened"))
    first = await take(published, *batch)
    again = await take(published, *batch)
    assert len(first.new) == 3
    assert (again.new, again.enrolled, again.carried) == (frozenset(), (), 0)
    assert len(await outbox(published.database)) == 1
    async with published.database.reading() as session:
        assert (await session.get_one(EventStats, ("c1", "app_opened"))).count == 1


async def test_one_message_id_twice_in_a_batch_counts_once(published: Services) -> None:
    call = track("app_opened", message_id="same")
    assert (await take(published, call, call)).new == {"same"}
    async with published.database.reading() as session:
        assert (await session.get_one(EventStats, ("c1", "app_opened"))).count == 1


async def test_most_events_cost_no_outbox_row(published: Services) -> None:
    await take(published, track("trial_started"))
    accepted = await take(
        published, *(track("app_opened", A_DAY + hour * HOUR) for hour in range(1, 50))
    )
    assert len(accepted.new) == 49
    assert accepted.carried == 0
    async with published.database.reading() as session:
        customer = await customers.get(session, "c1")
    assert customer is not None
    assert customer.last_seen_at == A_DAY + 49 * HOUR


async def test_after_the_answer_to_an_exit_event_the_enrollment_is_closed(
    published: Services,
) -> None:
    await take(published, track("trial_started"))
    await take(published, track("trial_cancelled", A_DAY + HOUR))
    row = await enrollment(published.database)
    assert row.ending is Ending.EXITED
    assert (row.ended_at, row.ended_by) == (A_DAY + HOUR, "trial_cancelled")
    assert row.next_at is None
    told = (await outbox(published.database))[-1]
    assert (told.kind, told.payload["ending"]) == (OutboxKind.SIGNAL, "exited")


async def test_the_goal_converts_and_its_money_is_kept(published: Services) -> None:
    await take(published, track("trial_started"))
    await take(
        published,
        track("subscription_purchased", A_DAY + HOUR, properties={"total": "49.90"}),
    )
    row = await enrollment(published.database)
    assert (row.ending, row.converted_at) == (Ending.CONVERTED, A_DAY + HOUR)
    assert row.conversion_value == Decimal("49.90")


@pytest.mark.parametrize("total", ["a lot", float("inf"), 1e30, True, None, {"a": 1}])
async def test_money_that_is_none_does_not_stop_a_conversion(
    published: Services, total: object
) -> None:
    await take(published, track("trial_started"))
    await take(
        published, track("subscription_purchased", A_DAY + HOUR, properties={"total": total})
    )
    row = await enrollment(published.database)
    assert (row.ending, row.conversion_value) == (Ending.CONVERTED, None)


async def test_a_goal_after_completion_is_recorded_without_temporal(published: Services) -> None:
    await take(published, track("trial_started"))
    async with published.database.transaction() as session:
        await enrollments.close(session, "trial:c1", Ending.COMPLETED, A_DAY + 30 * DAY, None)
    bought = track("subscription_purchased", A_DAY + 40 * DAY, properties={"total": 10})
    accepted = await take(published, bought)
    row = await enrollment(published.database)
    assert (row.ending, row.converted_at) == (Ending.COMPLETED, A_DAY + 40 * DAY)
    assert row.conversion_value == 10
    assert accepted.carried == 0


async def test_a_purchase_before_the_start_does_not_end_it(published: Services) -> None:
    await take(published, track("trial_started", A_DAY))
    await take(
        published, track("app_opened", A_DAY + HOUR), track("subscription_purchased", A_DAY - HOUR)
    )
    assert (await enrollment(published.database)).ending is None


async def test_a_purchase_accepted_before_its_start_event_ends_it_at_once(
    published: Services,
) -> None:
    await take(published, track("subscription_purchased", A_DAY + HOUR))
    await accept(published, [track("trial_started", A_DAY)], A_DAY + 2 * HOUR)
    row = await enrollment(published.database)
    assert (row.ending, row.ended_at) == (Ending.CONVERTED, A_DAY + HOUR)
    kinds = [each.kind for each in await outbox(published.database)]
    assert kinds == [OutboxKind.START, OutboxKind.SIGNAL]


async def test_a_batch_is_taken_in_the_order_in_which_things_happened(published: Services) -> None:
    await take(
        published,
        track("subscription_purchased", A_DAY + HOUR),
        track("trial_started", A_DAY),
    )
    assert (await enrollment(published.database)).ending is Ending.CONVERTED
    assert len(await outbox(published.database)) == 2


async def test_a_moved_trial_end_makes_one_signal(published: Services) -> None:
    await take(published, identify(trial_ends_at=ENDS), track("trial_started"))
    moved = identify(A_DAY + HOUR, trial_ends_at="2027-01-23T09:00:00Z", plan="pro")
    assert (await take(published, moved)).carried == 1
    told = (await outbox(published.database))[-1]
    assert told.payload["traits"] == {"trial_ends_at": "2027-01-23T09:00:00Z"}


async def test_a_trait_that_anchors_nothing_makes_no_signal(published: Services) -> None:
    await take(published, identify(trial_ends_at=ENDS), track("trial_started"))
    unmoved = identify(A_DAY + HOUR, trial_ends_at=ENDS, plan="pro", name="Ann")
    assert (await take(published, unmoved)).carried == 0


async def test_an_old_identify_that_arrives_late_moves_nothing(published: Services) -> None:
    await take(published, identify(trial_ends_at=ENDS), track("trial_started"))
    late = identify(A_DAY - DAY, trial_ends_at="2026-11-30")
    assert (await take(published, late)).carried == 0


async def test_clearing_the_anchor_is_told_too(published: Services) -> None:
    await take(published, identify(trial_ends_at=ENDS), track("trial_started"))
    assert (await take(published, identify(A_DAY + HOUR, trial_ends_at=None))).carried == 1
    assert (await outbox(published.database))[-1].payload["traits"] == {"trial_ends_at": None}


async def test_another_zone_in_the_context_of_a_page_moves_the_steps(published: Services) -> None:
    await take(published, track("trial_started"))
    seen = track("page", A_DAY + HOUR, kind="page", timezone="Pacific/Auckland")
    assert (await take(published, seen)).carried == 1
    assert (await outbox(published.database))[-1].payload["zone"] == "Pacific/Auckland"


async def test_an_unknown_zone_is_flagged_and_changes_nothing(published: Services) -> None:
    await take(published, track("trial_started"))
    seen = track("page", A_DAY + HOUR, kind="page", timezone="Mars/Base", message_id="odd")
    assert (await take(published, seen)).carried == 0
    kept = {each.message_id: each for each in await kept_events(published.database)}
    assert kept["odd"].disposition == {"flags": ["unknown_zone"]}


async def test_a_start_event_that_does_not_enroll_says_why(published: Services) -> None:
    await take(published, track("trial_started"))
    await take(published, track("trial_started", A_DAY + HOUR, message_id="again"))
    old = track("trial_started", A_DAY, customer="c2", message_id="old")
    await accept(published, [old], A_DAY + 2 * DAY)
    kept = {each.message_id: each.disposition for each in await kept_events(published.database)}
    assert kept["again"] == {"refused": {"trial": "already_enrolled"}}
    assert kept["old"] == {"refused": {"trial": "too_old"}}


async def test_a_condition_that_fails_never_fails_the_event(services: Services) -> None:
    odd = {"event": "trial_started", "where": "event.seats + 1 > 2"}
    await publish(services.database, trial(starts_on=odd))
    begun = track("trial_started", properties={"seats": "many"}, message_id="odd")
    assert (await take(services, begun)).enrolled == ()
    kept = {each.message_id: each.disposition for each in await kept_events(services.database)}
    assert kept["odd"] == {"where_failed": ["event.seats + 1 > 2"]}


async def test_an_enrollment_keeps_the_version_it_began_with(published: Services) -> None:
    await take(published, track("trial_started"))
    await publish(published.database, trial(ends_on=["trial_stopped"]))
    await take(published, track("trial_stopped", A_DAY + HOUR))
    assert (await enrollment(published.database)).ending is None
    await take(published, track("trial_cancelled", A_DAY + 2 * HOUR))
    assert (await enrollment(published.database)).ending is Ending.EXITED


async def test_a_restart_closes_the_first_before_it_opens_the_second(services: Services) -> None:
    await publish(services.database, trial(reenter="restart"))
    await take(services, track("trial_started"))
    await take(services, track("trial_started", A_DAY + HOUR))
    assert (await enrollment(services.database)).ending is Ending.EXITED
    assert (await enrollment(services.database, "trial:c1:~2")).ending is None
    assert [(row.kind, row.enrollment_id) for row in await outbox(services.database)] == [
        (OutboxKind.START, "trial:c1"),
        (OutboxKind.SIGNAL, "trial:c1"),
        (OutboxKind.START, "trial:c1:~2"),
    ]


async def test_under_always_every_order_is_an_enrollment_and_none_of_them_twice(
    services: Services,
) -> None:
    await publish(services.database, trial(starts_on="ordered", reenter="always"))
    orders = [track("ordered", A_DAY + hour * HOUR, message_id=f"o{hour}") for hour in (2, 0, 1)]
    for order in (*orders, orders[0]):
        await take(services, order)
    for _ in range(2):
        await take(services, by_hand("trial"))
    found = [await enrollment(services.database, f"trial:c1{n}") for n in ("", ":~2", ":~3", ":~4")]
    assert [(row.start_event_id, row.ending) for row in found] == [
        ("o2", None), ("o0", None), ("o1", None), ("hand", None),
    ]  # fmt: skip
    kinds = [row.kind for row in await outbox(services.database)]
    assert kinds == [OutboxKind.START] * 4


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_only_the_newest_cart_is_open_whichever_is_told_first(
    services: Services, order: tuple[int, ...]
) -> None:
    made = trial(starts_on="filled", key="cart", newest_only=True, ends_at=None)
    await publish(services.database, made)
    carts = [
        track("filled", A_DAY, properties={"cart": "old"}, message_id="old"),
        track("filled", A_DAY + HOUR, properties={"cart": "new"}, message_id="new"),
    ]
    for number in order:
        await take(services, carts[number])
    assert (await enrollment(services.database, "trial:c1:new")).ending is None
    kept = {each.message_id: each.disposition for each in await kept_events(services.database)}
    if order == (1, 0):
        assert kept["old"] == {"refused": {"trial": "not_newest"}}
        return
    old = await enrollment(services.database, "trial:c1:old")
    assert (old.ending, old.ended_at, old.ended_by) == (Ending.EXITED, A_DAY + HOUR, "filled")
    assert [(row.kind, row.enrollment_id) for row in await outbox(services.database)] == [
        (OutboxKind.START, "trial:c1:old"),
        (OutboxKind.START, "trial:c1:new"),
        (OutboxKind.SIGNAL, "trial:c1:old"),
    ]


async def test_by_hand_a_newest_ends_the_older_and_an_older_is_refused(services: Services) -> None:
    made = trial(starts_on="filled", key="cart", newest_only=True, ends_at=None)
    await publish(services.database, made)
    await take(services, track("filled", A_DAY - HOUR, properties={"cart": "old"}))
    await take(services, replace(by_hand(), properties={"cart": "new"}))
    old = await enrollment(services.database, "trial:c1:old")
    assert (old.ending, old.ended_by) == (Ending.EXITED, "enrolled by hand")
    older = replace(by_hand(message_id="older"), properties={"cart": "x"}, start_at=A_DAY - DAY)
    with pytest.raises(AlreadyEnrolledError, match="give a later start"):
        await take(services, older)


async def test_the_first_call_of_a_customer_creates_them_once(services: Services) -> None:
    await publish(services.database, trial(starts_on="customer.created"))
    first = await take(services, identify(plan="trial"), track("app_opened", A_DAY + HOUR))
    assert first.enrolled == ("trial:c1",)
    assert (await take(services, identify(A_DAY + DAY, plan="pro"))).enrolled == ()


async def test_named_activity_is_what_the_enrollment_begins_with(services: Services) -> None:
    await publish(services.database, trial(activity=["report_made"]))
    await take(services, track("report_made", A_DAY - 3 * HOUR))
    await take(services, track("page", A_DAY - HOUR, kind="page"), track("trial_started"))
    given = EnrollmentInput.model_validate((await enrollment(services.database)).input)
    assert given.facts.last_activity_at == A_DAY - 3 * HOUR


async def test_with_a_key_only_its_own_activity_counts(services: Services) -> None:
    keyed = trial(key="cart_id", starts_on="cart_filled")
    await publish(services.database, keyed)
    await take(
        services,
        track("cart_seen", A_DAY - 3 * HOUR, properties={"cart_id": "a"}),
        track("cart_seen", A_DAY - HOUR, properties={"cart_id": "b"}),
        track("cart_filled", A_DAY - 4 * HOUR, properties={"cart_id": "a"}),
    )
    given = EnrollmentInput.model_validate(
        (await enrollment(services.database, "trial:c1:a")).input
    )
    assert given.facts.last_activity_at == A_DAY - 3 * HOUR


async def test_a_consent_is_kept_and_is_an_event(services: Services) -> None:
    await publish(services.database, trial(ends_on=["consent.withdrawn"]))
    await take(services, track("trial_started"))
    left = ChangeConsent(
        customer_id="c1",
        at=A_DAY + HOUR,
        message_id="left",
        topic="onboarding",
        channel=None,
        subscribed=False,
    )
    await take(services, left)
    await take(services, left)
    async with services.database.reading() as session:
        said = await consents.of_customer(session, "c1")
        assert await consents.consent_state(session, "c1", "email", "onboarding") is (
            ConsentState.UNSUBSCRIBED
        )
    assert len(said) == 1
    assert (await enrollment(services.database)).ended_by == "consent.withdrawn"


def by_hand(journey: str = "trial", message_id: str = "hand") -> EnrollByHand:
    return EnrollByHand(
        customer_id="c1",
        at=A_DAY + 21 * DAY,
        message_id=message_id,
        journey=journey,
        start_at=A_DAY,
    )


async def test_by_hand_the_journey_began_earlier_than_the_enrollment(published: Services) -> None:
    await take(published, identify(trial_ends_at=ENDS))
    accepted = await take(published, by_hand())
    row = await enrollment(published.database)
    assert accepted.enrolled == (row.id,)
    assert (row.start_at, row.entered_at) == (A_DAY, A_DAY + 21 * DAY)


async def test_enrolling_by_hand_twice_is_one_enrollment_or_a_conflict(
    published: Services,
) -> None:
    await take(published, by_hand())
    assert (await take(published, by_hand())).enrolled == ()
    with pytest.raises(AlreadyEnrolledError, match="is in `trial` already"):
        await take(published, by_hand(message_id="another"))
    with pytest.raises(NoSuchJourneyError, match="published: `trial`"):
        await take(published, by_hand(journey="trail"))


async def test_who_bought_since_the_start_by_hand_gets_nothing(published: Services) -> None:
    await take(published, track("subscription_purchased", A_DAY + DAY))
    await take(published, by_hand())
    row = await enrollment(published.database)
    assert (row.ending, row.ended_at) == (Ending.CONVERTED, A_DAY + DAY)


async def test_a_fast_run_leaves_real_time_for_real_things(services: Services) -> None:
    speed = 24 * 3600 / 4  # a day in four seconds
    clock = Clock(real_origin=A_DAY, journey_origin=A_DAY, speed=speed)
    fast = Services(services.database, services.settings, clock=clock, wall=services.wall)
    await publish(fast.database)
    await take(fast, track("trial_started"))
    given = EnrollmentInput.model_validate((await enrollment(fast.database)).input)
    assert given.clock == clock
    assert given.clock.real_span(given.tolerances.least_grace).total_seconds() == 30
    assert given.clock.real_span(given.tolerances.held_after).total_seconds() == 10


async def test_events_are_accepted_before_anything_was_published(services: Services) -> None:
    accepted = await take(services, identify(plan="trial"), track("trial_started"))
    assert len(accepted.new) == 2
    assert accepted.enrolled == ()


async def test_accepting_wakes_the_dispatcher_only_when_there_is_something_to_carry(
    published: Services,
) -> None:
    await take(published, track("app_opened"))
    assert not published.woken.is_set()
    await take(published, track("trial_started"))
    assert published.woken.is_set()


async def test_an_event_of_the_same_batch_is_told_once_to_one_that_begins_late(
    services: Services,
) -> None:
    step = {"send": "welcome", "after_event": "upgraded"}
    await publish(services.database, trial(steps=[step]))
    await take(services, track("upgraded", A_DAY + 3 * HOUR), track("app_opened", A_DAY + 4 * HOUR))
    late = track("trial_started", A_DAY), track("upgraded", A_DAY + HOUR)
    await accept(services, late, A_DAY + 5 * HOUR)
    rows = await outbox(services.database)
    assert [row.kind for row in rows] == [OutboxKind.START, OutboxKind.SIGNAL, OutboxKind.SIGNAL]
    assert len({row.payload["event_id"] for row in rows[1:]}) == 2


CHOOSING = trial(steps=[{"send": "tip", "at": "start + 1 day at best hour"}], ends_at=None)


async def _facts(services: Services) -> Facts:
    row = await enrollment(services.database)
    return EnrollmentInput.model_validate(row.input).facts


async def test_who_enters_a_journey_that_asks_for_it_brings_the_hours_they_like(
    services: Services,
) -> None:
    await publish(services.database, CHOOSING)
    evenings = [track("used", A_DAY - n * DAY + 9 * HOUR) for n in range(1, 30)]
    await take(services, *evenings, track("trial_started", A_DAY))
    row = await enrollment(services.database)
    assert (await _facts(services)).hours[0] == 18
    assert row.next_at == A_DAY + DAY + 9 * HOUR


async def test_nobody_is_asked_for_hours_where_no_step_chooses_one(published: Services) -> None:
    await take(published, *(track("used", A_DAY - n * DAY) for n in range(1, 9)))
    await take(published, track("trial_started"))
    facts = (await enrollment(published.database)).input["facts"]
    assert "hours" not in facts


async def test_hours_ride_along_with_news_of_the_zone_and_are_none_of_their_own(
    services: Services,
) -> None:
    await publish(services.database, CHOOSING)
    await take(services, track("trial_started"))
    used = [track("used", A_DAY + 9 * HOUR + n * HOUR / 60) for n in range(40)]
    assert (await take(services, *used)).carried == 0
    await take(services, identify(A_DAY + 10 * HOUR, timezone="Asia/Tokyo"))
    told = Notice.model_validate((await outbox(services.database))[-1].payload)
    assert told.zone == "Asia/Tokyo"
    assert told.hours is not None
    assert told.hours[0] == 3  # 18:00 UTC


async def test_a_simulation_and_the_api_choose_alike(services: Services) -> None:
    await publish(services.database, CHOOSING)
    calls: list[SegmentCall] = [
        identify(A_DAY - 30 * DAY, email="a@b.example", timezone="Europe/Paris"),
        *(track("used", A_DAY - n * DAY + 11 * HOUR) for n in range(1, 25)),
        track("trial_started", A_DAY),
    ]
    await take(services, *calls)
    stage = Stage(
        journeys={"trial": CHOOSING},
        policy=policy(),
        channels={"trial": {"tip": ("email",)}},
        evaluate=evaluate,
    )
    [line] = [each for each in simulate(stage, calls) if isinstance(each, StepLine)]
    assert line.at == (await enrollment(services.database)).next_at == A_DAY + DAY + 11 * HOUR

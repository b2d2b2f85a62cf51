"""Routing: which events start, end, fire or move what."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from engine.calls import Identify, Track
from engine.definition import Journey
from engine.effects import (
    Amend,
    Convert,
    Effect,
    Enroll,
    Enrolled,
    NotEnrolled,
    Profile,
    Refuse,
    Tell,
)
from engine.entering import outdated
from engine.reasons import Ending
from engine.routing import close_twins, route_identify, route_track, zone_of
from tests.engine.enrolled import DAY, HOUR, START, journey

STEP = {"id": "tip", "at": "start"}
FIRED = {"id": "fired", "after_event": "used"}
ANA = Profile(id="ana", traits={"plan": "trial"}, zone="UTC")


def _journey(*steps: dict[str, Any], **keys: Any) -> Journey:
    given: dict[str, Any] = {"starts_on": "began", "ends_on": ["left"], "goal": "bought"}
    return journey(*(steps or (STEP, FIRED)), **(given | keys))


def _enrolled(made: Journey | None = None, **more: Any) -> Enrolled:
    given = {"id": "trial:ana", "key": None, "start_at": START, "start_event_id": "m0"}
    return Enrolled(journey=made or _journey(), **{**given, **more})


def _ended(ending: Ending, at: datetime, made: Journey | None = None) -> Enrolled:
    return replace(_enrolled(made), ending=ending, ended_at=at)


def _route(
    event: str,
    *enrolled: Enrolled,
    at: datetime = START + DAY,
    published: Journey | None = None,
    received_at: datetime | None = None,
    message_id: str = "m1",
    **properties: Any,
) -> list[Effect]:
    track = Track(
        customer_id="ana", at=at, message_id=message_id, event=event, properties=properties
    )
    journeys = [published] if published is not None else []
    evaluate = lambda text, traits, props, history: bool(props.get("yes"))  # noqa: E731
    return route_track(track, received_at or at, ANA, enrolled, journeys, evaluate)


def _endings(effects: list[Effect]) -> list[Ending | None]:
    return [effect.notice.ending for effect in effects if isinstance(effect, Tell)]


def test_an_event_that_concerns_nobody_has_no_effect() -> None:
    assert _route("looked", _enrolled(), published=_journey()) == []


def test_a_start_event_enrolls_with_what_the_journey_needs_and_no_more() -> None:
    made = _journey({"id": "a", "at": "event.day"}, {"id": "b", "at": "customer.plan"})
    [effect] = _route("began", published=made, day="2026-12-01", name="Ana")
    assert isinstance(effect, Enroll)
    assert effect.start.values == {"day": "2026-12-01"}
    assert effect.facts.traits == {"plan": "trial"}
    assert (effect.ordinal, effect.start.at, effect.start.event_id) == (1, START + DAY, "m1")


def test_the_goal_wins_over_an_exit() -> None:
    made = _journey(ends_on=["left", "bought"])
    assert _endings(_route("bought", _enrolled(made))) == [Ending.CONVERTED]


@pytest.mark.parametrize(("at", "ends"), [(START, False), (START + HOUR / 60, True)])
def test_an_exit_counts_only_if_it_happened_after_the_start(at: datetime, ends: bool) -> None:
    assert bool(_route("left", _enrolled(), at=at)) is ends


def test_an_event_at_the_start_instant_fires_but_the_enrolling_one_does_not() -> None:
    assert _route("used", _enrolled(), at=START)[0].notice.fires == ("fired",)  # type: ignore[union-attr]
    assert _route("used", _enrolled(), at=START, message_id="m0") == []
    assert _route("used", _enrolled(), at=START - HOUR) == []


def test_an_event_whose_where_is_not_met_fires_nothing() -> None:
    made = _journey({"id": "a", "after_event": {"event": "used", "where": "yes"}})
    assert _route("used", _enrolled(made)) == []
    assert len(_route("used", _enrolled(made), yes=True)) == 1


def test_an_event_that_ends_does_not_fire_as_well() -> None:
    made = _journey({"id": "a", "after_event": "left"})
    [effect] = _route("left", _enrolled(made))
    assert isinstance(effect, Tell)
    assert (effect.notice.ending, effect.notice.fires) == (Ending.EXITED, ())


# --- Entering again -------------------------------------------------------------------------


def test_too_old_an_event_does_not_enroll() -> None:
    made = _journey(fresh="1 day")
    on_time = _route("began", published=made, received_at=START + 2 * DAY)
    late = _route("began", published=made, received_at=START + 2 * DAY + HOUR)
    assert isinstance(on_time[0], Enroll)
    assert late == [Refuse("trial", NotEnrolled.TOO_OLD)]


@pytest.mark.parametrize("reenter", ["never", "after_exit"])
def test_nobody_is_enrolled_twice_at_once(reenter: str) -> None:
    made = _journey(reenter=reenter)
    effects = _route("began", _enrolled(made), published=made)
    assert effects == [Refuse("trial", NotEnrolled.ALREADY_ENROLLED)]


@pytest.mark.parametrize(
    ("reenter", "ordinal"), [("never", None), ("after_exit", 2), ("restart", 2)]
)
def test_entering_again_after_an_end(reenter: str, ordinal: int | None) -> None:
    made = _journey(reenter=reenter)
    [effect] = _route("began", _ended(Ending.EXITED, START + HOUR, made), published=made)
    assert (effect.ordinal if isinstance(effect, Enroll) else None) == ordinal


def test_who_was_inside_for_no_time_at_all_was_inside_all_the_same() -> None:
    """A journey whose only step is at its start completes there; what is void was started over."""
    made = _journey(reenter="never")
    done = _ended(Ending.COMPLETED, START, made)
    void = _ended(Ending.EXITED, START, made)
    assert _route("began", done, published=made) == [Refuse("trial", NotEnrolled.ALREADY_ENROLLED)]
    assert isinstance(_route("began", void, published=made)[0], Enroll)
    assert _route("bought", done) == [
        Convert(enrollment="trial:ana", event_id="m1", at=START + DAY, value=None)
    ]


@pytest.mark.parametrize("reenter", ["after_exit", "restart"])
def test_a_late_event_from_the_time_of_an_ended_enrollment_does_not_enroll(reenter: str) -> None:
    made = _journey(reenter=reenter)
    ended = _ended(Ending.EXITED, START + 2 * DAY, made)
    assert _route("began", ended, published=made, at=START + DAY) == [
        Refuse("trial", NotEnrolled.ALREADY_ENROLLED)
    ]


def test_restart_closes_the_open_one_first() -> None:
    made = _journey(reenter="restart")
    told, begun = _route("began", _enrolled(made), published=made)
    assert _endings([told]) == [Ending.EXITED]
    assert isinstance(begun, Enroll)
    assert begun.ordinal == 2


@pytest.mark.parametrize("at", [START - HOUR, START, START + DAY])
@pytest.mark.parametrize("ended_at", [None, START + 2 * DAY])
def test_under_always_every_start_event_enrolls_whatever_there_is(
    at: datetime, ended_at: datetime | None
) -> None:
    made = _journey(reenter="always")
    there = _enrolled(made) if ended_at is None else _ended(Ending.EXITED, ended_at, made)
    [begun] = _route("began", there, published=made, at=at, received_at=max(at, START))
    assert isinstance(begun, Enroll)
    assert (begun.ordinal, begun.start.at) == (2, at)


def test_under_always_the_same_event_never_enrolls_twice() -> None:
    made = _journey(reenter="always")
    effects = _route("began", _enrolled(made), published=made, message_id="m0")
    assert effects == [Refuse("trial", NotEnrolled.ALREADY_ENROLLED)]


def test_under_always_with_a_key_each_key_counts_its_own() -> None:
    made = _journey(reenter="always", key="cart")
    there = [
        _enrolled(made, id="trial:ana:1", key="1"),
        _enrolled(made, id="trial:ana:1:~2", key="1", ordinal=2, start_event_id="m9"),
    ]
    [first] = _route("began", *there, published=made, cart="2")
    [third] = _route("began", *there, published=made, cart="1")
    assert isinstance(first, Enroll)
    assert isinstance(third, Enroll)
    assert (first.ordinal, third.ordinal) == (1, 3)


@pytest.mark.parametrize(
    ("reenter", "closed"), [("never", 1), ("after_exit", 1), ("restart", 1), ("always", 0)]
)
def test_two_customers_who_are_one_keep_what_one_could_have(reenter: str, closed: int) -> None:
    made = _journey(reenter=reenter)
    both = [
        _enrolled(made),
        _enrolled(made, id="trial:ann", start_at=START + HOUR, start_event_id="m9"),
    ]
    cause = Identify(customer_id="ana", at=START + DAY, message_id="m1", traits={})
    assert len(close_twins(cause, "customer.merged", both)) == closed


def test_the_enrolling_event_never_restarts_what_it_opened() -> None:
    made = _journey(reenter="restart")
    effects = _route("began", _enrolled(made), published=made, at=START, message_id="m0")
    assert effects == [Refuse("trial", NotEnrolled.ALREADY_ENROLLED)]


def test_an_event_that_both_ends_and_starts_ends_first() -> None:
    made = _journey(starts_on="bought", reenter="after_exit")
    told, begun = _route("bought", _enrolled(made), published=made)
    assert _endings([told]) == [Ending.CONVERTED]
    assert isinstance(begun, Enroll)


def test_it_never_ends_the_enrollment_it_opens() -> None:
    [effect] = _route("left", published=_journey(starts_on="left"))
    assert isinstance(effect, Enroll)


def test_an_enrollment_follows_its_own_version() -> None:
    pinned = _enrolled(_journey(ends_on=["quit"]))
    assert _route("left", pinned, published=_journey()) == []
    assert _endings(_route("quit", pinned, published=_journey())) == [Ending.EXITED]


# --- Keys -----------------------------------------------------------------------------------


def test_a_start_event_without_the_key_does_not_enroll() -> None:
    made = _journey(key="cart")
    assert _route("began", published=made) == [Refuse("trial", NotEnrolled.NO_KEY)]
    assert _route("began", published=made, cart="") == [Refuse("trial", NotEnrolled.NO_KEY)]


def test_each_key_has_an_enrollment_of_its_own() -> None:
    made = _journey(key="cart")
    [effect] = _route("began", _enrolled(made, key="1"), published=made, cart=2)
    assert isinstance(effect, Enroll)
    assert (effect.key, effect.ordinal) == ("2", 1)


CARTS: dict[str, Any] = {"key": "cart", "newest_only": True, "reenter": "after_exit"}


@pytest.mark.parametrize("ended_at", [None, START + 2 * DAY])
def test_an_older_start_than_that_of_another_key_does_not_enroll(ended_at: datetime | None) -> None:
    made = _journey(**CARTS)
    ending = None if ended_at is None else Ending.EXITED
    newer = _enrolled(made, key="2", ending=ending, ended_at=ended_at)
    late: dict[str, Any] = {
        "published": made,
        "at": START - HOUR,
        "received_at": START,
        "cart": "1",
    }
    assert _route("began", newer, **late) == [Refuse("trial", NotEnrolled.NOT_NEWEST)]
    void = replace(newer, ending=Ending.EXITED, ended_at=START)
    assert isinstance(_route("began", void, **late)[0], Enroll)
    kept = _journey(**{**CARTS, "newest_only": False})
    assert isinstance(_route("began", newer, **{**late, "published": kept})[0], Enroll)


def test_the_newest_ends_the_open_ones_of_other_keys_and_no_others() -> None:
    made = _journey(**CARTS)
    begun = _enrolled(made, id="new", key="2", start_at=START + DAY)
    there = [
        _enrolled(made, id="old", key="1"),
        _enrolled(made, id="over", key="3", ending=Ending.EXITED, ended_at=START + HOUR),
        _enrolled(made, id="same", key="2"),
        _enrolled(_journey(journey="other", **CARTS), id="elsewhere", key="1"),
        begun,
    ]
    [told] = outdated(begun, there, "m1", "began")
    assert isinstance(told, Tell)
    assert told.enrollment == "old"
    assert (told.notice.ending, told.notice.at) == (Ending.EXITED, START + DAY)


@pytest.mark.parametrize(("by", "amended"), [("bought", 1), ("left", 1), ("somebody", 0)])
def test_a_newest_that_comes_late_had_ended_the_older_before_the_event_that_did(
    by: str, amended: int
) -> None:
    made = _journey(**CARTS)
    begun = _enrolled(made, id="new", key="2", start_at=START + DAY)
    old = _enrolled(made, key="1", ending=Ending.EXITED, ended_at=START + 2 * DAY, ended_by=by)
    effects = outdated(begun, [old, begun], "m1", "began")
    assert effects == [Amend("trial:ana", Ending.EXITED, START + DAY, "began")] * amended


def test_of_two_customers_who_are_one_only_the_newest_goes_on() -> None:
    made = _journey(**CARTS)
    both = [
        _enrolled(made, key="1"),
        _enrolled(made, id="trial:ann:2", key="2", start_at=START + HOUR, start_event_id="m9"),
    ]
    cause = Identify(customer_id="ana", at=START + DAY, message_id="m1", traits={})
    assert [told.enrollment for told in close_twins(cause, "x", both)] == ["trial:ana"]


def test_an_event_with_the_key_reaches_that_enrollment_and_one_without_it_all() -> None:
    made = _journey(key="cart")
    both = (_enrolled(made, id="a", key="1"), _enrolled(made, id="b", key="2"))
    assert [e.enrollment for e in _route("left", *both, cart=2)] == ["b"]  # type: ignore[union-attr]
    assert [e.enrollment for e in _route("left", *both)] == ["a", "b"]  # type: ignore[union-attr]


# --- Late goals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "at", "counts"),
    [
        (Ending.COMPLETED, START + 40 * DAY, True),
        (Ending.COMPLETED, START + 40 * DAY + HOUR, False),
        (Ending.COMPLETED, START + HOUR, True),  # it happened inside, and came late
        (Ending.COMPLETED, START, False),
        (Ending.EXITED, START + 11 * DAY, False),
    ],
)
def test_a_goal_counts_for_thirty_days_after_completion(
    ending: Ending, at: datetime, counts: bool
) -> None:
    made = _journey(goal={"event": "bought", "value": "total"})
    effects = _route("bought", _ended(ending, START + 10 * DAY, made), at=at, total=9)
    expected = [Convert("trial:ana", "m1", at, 9)]
    assert effects == (expected if counts else [])


# --- What moves -----------------------------------------------------------------------------


def _identified(before: Profile, after: Profile, *enrolled: Enrolled) -> list[Effect]:
    call = Identify(customer_id="ana", at=START + DAY, message_id="i1", traits={})
    return route_identify(call, before, after, enrolled)


def test_only_anchor_traits_and_the_zone_are_told() -> None:
    one = _enrolled(_journey({"id": "a", "at": "customer.ends"}))
    renamed = replace(ANA, traits={"name": "Ana"})
    assert _identified(ANA, renamed, one) == []
    [effect] = _identified(ANA, replace(ANA, traits={"ends": "2026-12-01", "name": "Ana"}), one)
    assert isinstance(effect, Tell)
    assert effect.notice.traits == {"ends": "2026-12-01"}
    [effect] = _identified(ANA, replace(ANA, zone="Asia/Tokyo"), one)
    assert isinstance(effect, Tell)
    assert effect.notice.zone == "Asia/Tokyo"


def test_an_ended_enrollment_is_told_nothing() -> None:
    ended = _ended(Ending.EXITED, START)
    assert _identified(ANA, replace(ANA, zone="Asia/Tokyo"), ended) == []
    assert _route("used", ended) == []


@pytest.mark.parametrize(
    ("trait", "context", "found"),
    [
        ("Asia/Tokyo", "Europe/Paris", ("Asia/Tokyo", False)),
        (None, "Europe/Paris", ("Europe/Paris", False)),
        ("Mars/Base", "Europe/Paris", ("Europe/Paris", True)),
        ("Mars/Base", None, ("UTC", True)),
        (7, None, ("UTC", False)),
    ],
)
def test_the_zone_is_the_trait_else_the_context_else_the_default(
    trait: object, context: str | None, found: tuple[str, bool]
) -> None:
    assert zone_of({"timezone": trait}, context, "UTC") == found

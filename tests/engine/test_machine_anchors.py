"""Rules 4 to 6 of "Time" in design.md: anchors, grace, and anchors that move."""

import pytest

from engine.enrollment import NotBefore
from engine.reasons import Ending, Reason
from tests.engine.enrolled import DAY, HOUR, MINUTE, SENT, START, Enrolled, utc

TIP = {"id": "tip", "at": "start + 2 days"}
COUPON = {"id": "coupon", "at": "customer.ends - 5 days"}
DEMO = {"id": "demo", "after_idle": "10 days"}

# --- Rule 4: anchors ------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "soon", True, "2026-02-30"])
def test_a_missing_or_unreadable_live_anchor_waits_and_never_sends(value: object) -> None:
    one = Enrolled(COUPON, traits={"ends": value}).until(START + 400 * DAY)
    assert (one.told, one.ending, one.next_at) == ([], None, None)


def test_a_step_is_timed_when_its_live_anchor_arrives() -> None:
    one = Enrolled(COUPON).moves(START + DAY, ends="2026-12-23").until(START + 90 * DAY)
    assert one.told == [("coupon", "sent", utc(2026, 12, 18))]


def test_a_live_anchor_that_is_taken_away_makes_the_step_wait_again() -> None:
    one = Enrolled(COUPON, traits={"ends": "2026-12-23"}).moves(START + DAY, ends=None)
    assert one.until(START + 90 * DAY).told == []


def test_a_missing_date_in_the_enrolling_event_is_settled_at_entry() -> None:
    one = Enrolled({"id": "visit", "at": "event.day - 1 day"}, TIP)
    assert one.told == [("visit", Reason.ANCHOR_MISSING, START)]


def test_a_repeat_of_a_missing_date_in_the_event_is_settled_once_and_for_good() -> None:
    one = Enrolled({"id": "visit", "at": "event.day", "repeat": "weekly"})
    assert one.told == [("visit", Reason.ANCHOR_MISSING, START)]
    assert one.ending == (Ending.COMPLETED, START)


def test_a_date_in_the_enrolling_event_times_the_step() -> None:
    one = Enrolled({"id": "visit", "at": "event.day - 1 day"}, values={"day": "2026-11-30"})
    assert one.until(START + 30 * DAY).told == [("visit", "sent", utc(2026, 11, 29))]


def test_what_hangs_on_a_step_without_its_date_is_settled_at_entry_too() -> None:
    one = Enrolled({"id": "after", "at": "visit + 1 day"}, {"id": "visit", "at": "event.day"}, TIP)
    assert one.told == [
        ("visit", Reason.ANCHOR_MISSING, START),
        ("after", Reason.ANCHOR_NOT_SENT, START),
    ]


# --- Rule 5: grace --------------------------------------------------------------------------


def test_a_step_missed_by_more_than_its_grace_has_expired_at_its_own_time() -> None:
    one = Enrolled(TIP, COUPON).wake(START + 9 * DAY)
    assert one.told == [("tip", Reason.EXPIRED, START + 2 * DAY)]


def test_a_step_missed_by_less_goes_out_with_its_own_time() -> None:
    one = Enrolled(TIP, COUPON).wake(START + 2 * DAY + 23 * HOUR)
    assert one.told == [("tip", "sent", START + 2 * DAY)]


def test_a_late_import_does_not_send_what_was_long_due() -> None:
    one = Enrolled(TIP, entered_at=START + 9 * DAY).until(START + 10 * DAY)
    assert one.told == [("tip", Reason.EXPIRED, START + 9 * DAY)]


def test_grace_counts_from_the_time_with_the_window() -> None:
    weekday = {"id": "a", "at": "start + 5 days", "days": "mon-fri", "grace": "1 hour"}
    one = Enrolled(weekday).until(START + 30 * DAY)  # Saturday 28th becomes Monday
    assert one.told == [("a", "sent", utc(2026, 11, 30))]


@pytest.mark.parametrize("reason", [Reason.QUIET_HOURS, Reason.CAPPED])
def test_not_yet_until_past_the_grace_settles_with_its_own_cause(reason: Reason) -> None:
    one = Enrolled(TIP, COUPON)
    one.reply = lambda d: NotBefore(until=d.until + MINUTE, reason=reason)
    assert one.until(START + 9 * DAY).told == [("tip", reason, START + 2 * DAY)]


def test_not_yet_until_exactly_the_end_of_the_grace_still_goes_out() -> None:
    one = Enrolled(TIP, COUPON)
    one.reply = lambda d: NotBefore(until=d.until) if d.at == d.due_at else SENT
    assert one.until(START + 9 * DAY).told == [("tip", "sent", START + 3 * DAY)]


# --- Rule 6: anchors that move --------------------------------------------------------------


def test_extending_the_trial_moves_the_coupon() -> None:
    one = Enrolled(COUPON, traits={"ends": "2026-12-23"}).until(START + 8 * DAY)
    one.moves(START + 8 * DAY, ends="2027-01-23")
    assert one.next_at == utc(2027, 1, 18)
    assert one.until(START + 90 * DAY).told == [("coupon", "sent", utc(2027, 1, 18))]


def test_a_step_that_was_sent_stays_sent_when_its_anchor_moves() -> None:
    one = Enrolled(COUPON, TIP | {"at": "start + 60 days"}, traits={"ends": "2026-12-23"})
    one.until(START + 40 * DAY).moves(START + 40 * DAY, ends="2027-02-23").until(START + 50 * DAY)
    assert one.told == [("coupon", "sent", utc(2026, 12, 18))]


def test_expired_on_a_live_anchor_is_not_for_good() -> None:
    one = Enrolled(COUPON, traits={"ends": "2026-11-20"}).until(START + DAY)
    assert one.told == [("coupon", Reason.EXPIRED, START)]
    assert one.ended is None
    one.moves(START + 2 * DAY, ends="2026-12-23").until(START + 90 * DAY)
    assert one.told[1:] == [("coupon", "sent", utc(2026, 12, 18))]


def test_an_expired_step_is_not_taken_up_for_the_same_wrong_date_again() -> None:
    one = Enrolled(COUPON, traits={"ends": "2026-11-20"}).until(START + DAY)
    one.moves(START + DAY, ends="2026-12-23").moves(START + 2 * DAY, ends="2026-11-20")
    assert one.until(START + 90 * DAY).told == [("coupon", Reason.EXPIRED, START)]


def test_what_follows_an_expired_step_follows_it_when_it_is_taken_up_again() -> None:
    reminder = {"id": "reminder", "at": "coupon + 2 days"}
    one = Enrolled(COUPON, reminder, traits={"ends": "2026-11-20"}).until(START + DAY)
    assert one.told[1:] == [("reminder", Reason.ANCHOR_NOT_SENT, START)]
    one.moves(START + 2 * DAY, ends="2026-12-23").until(START + 90 * DAY)
    assert one.told[2:] == [
        ("coupon", "sent", utc(2026, 12, 18)),
        ("reminder", "sent", utc(2026, 12, 20)),
    ]
    assert one.ending == (Ending.COMPLETED, utc(2026, 12, 20))


def test_an_anchor_that_moves_into_the_past_sends_at_once_within_the_grace() -> None:
    one = Enrolled(COUPON, traits={"ends": "2026-12-23"})
    moved_at = utc(2026, 11, 28, 12)
    one.until(moved_at).moves(moved_at, ends="2026-12-03").until(moved_at)
    assert one.told == [("coupon", "sent", moved_at)]


def test_a_zone_change_moves_waiting_steps() -> None:
    one = Enrolled({"id": "a", "at": "start + 2 days at 09:00"}, zone="Europe/Paris")
    assert one.next_at == utc(2026, 11, 25, 8)
    one.moves(START + DAY, zone="America/Los_Angeles")
    assert one.next_at == utc(2026, 11, 25, 17)
    assert one.until(START + 9 * DAY).told == [("a", "sent", utc(2026, 11, 25, 17))]


def test_a_zone_change_moves_steps_that_wait_on_an_event_or_another_step() -> None:
    one = Enrolled(
        {"id": "first", "at": "start"},
        {"id": "second", "at": "first + 1 day at 09:00"},
        {"id": "third", "after_event": "used", "wait": "1 day", "between": "09:00-10:00"},
        zone="Europe/Paris",
    )
    one.until(START).event("used", START, fires=("third",))
    one.moves(START + HOUR, zone="America/Los_Angeles").until(START + 9 * DAY)
    # START is midnight there, so the day after it is the 24th.
    assert one.told[1:] == [
        ("second", "sent", utc(2026, 11, 24, 17)),
        ("third", "sent", utc(2026, 11, 24, 17)),
    ]


def test_a_move_while_the_delivery_is_out_stops_it_and_times_it_anew() -> None:
    one = Enrolled(COUPON, traits={"ends": "2026-12-23"})
    delivery = one.take(utc(2026, 12, 18))
    one.moves(utc(2026, 12, 18, 0, 1), ends="2027-01-23")
    assert [p.step for p in one.machine.stopping] == ["coupon"]
    one.answer(delivery, NotBefore())
    assert (one.told, one.next_at) == ([], utc(2027, 1, 18))


def test_a_delivery_that_could_not_be_stopped_counts() -> None:
    one = Enrolled(COUPON, traits={"ends": "2026-12-23"})
    delivery = one.take(utc(2026, 12, 18))
    one.moves(utc(2026, 12, 18, 0, 1), ends="2027-01-23").answer(delivery, SENT)
    assert one.told == [("coupon", "sent", utc(2026, 12, 18))]
    assert one.ending == (Ending.COMPLETED, utc(2026, 12, 18))

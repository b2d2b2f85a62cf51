"""The numbered rules of "Time" in design.md, 7 to 11, as the machine keeps them."""

from datetime import timedelta

from engine.enrollment import End, NotBefore, Over, Pause, Resume
from engine.reasons import Ending, Reason
from tests.engine.enrolled import DAY, HOUR, MINUTE, SENT, START, Enrolled, not_sent

TIP = {"id": "tip", "at": "start + 2 days"}
COUPON = {"id": "coupon", "at": "customer.ends - 5 days"}
DEMO = {"id": "demo", "after_idle": "10 days"}

# --- Rule 7: exit wins ----------------------------------------------------------------------


def test_an_exit_at_a_steps_very_time_means_no_send() -> None:
    one = Enrolled(TIP).leaves(START + 2 * DAY).until(START + 9 * DAY)
    assert (one.told, one.ending) == ([], (Ending.EXITED, START + 2 * DAY))


def test_nothing_is_handed_out_after_an_exit_however_late_the_wake_up() -> None:
    one = Enrolled(TIP).leaves(START + 2 * DAY + HOUR).wake(START + 2 * DAY + 2 * HOUR)
    assert (one.told, one.asked) == ([], [])


def test_an_exit_stops_the_delivery_that_is_out_but_counts_what_it_answers() -> None:
    one = Enrolled(TIP, {"id": "next", "at": "tip"})
    delivery = one.take(START + 2 * DAY)
    one.leaves(START + 2 * DAY + MINUTE)
    assert [p.step for p in one.machine.stopping] == ["tip"]
    one.answer(delivery, SENT)
    assert one.told == [("tip", "sent", START + 2 * DAY)]
    assert one.machine.wakeup(one.now) is None
    assert one.machine.stopping == ()


def test_the_store_that_says_it_is_over_ends_it() -> None:
    one = Enrolled(TIP, DEMO)
    one.reply = lambda d: Over(ending=Ending.CONVERTED, by="bought", at=START + DAY)
    one.until(START + 9 * DAY)
    assert (one.told, one.ending) == ([], (Ending.CONVERTED, START + DAY))


def test_the_first_ending_stays() -> None:
    one = Enrolled(TIP).leaves(START + HOUR)
    one.event("bought", START + DAY, ending=Ending.CONVERTED)
    one.tell(End(at=START + DAY, ending=Ending.CANCELLED, by="somebody"))
    assert one.ending == (Ending.EXITED, START + HOUR)


# --- Rule 8: idle ---------------------------------------------------------------------------


def test_idle_counts_from_the_start_when_nothing_was_seen_since() -> None:
    one = Enrolled(DEMO, active_at=START - 5 * DAY).until(START + 30 * DAY)
    assert one.told == [("demo", "sent", START + 10 * DAY)]


def test_daily_use_costs_one_wake_up_in_ten_days_and_never_sends() -> None:
    one = Enrolled(DEMO, ends_at="start + 30 days")
    one.used = [START + n * HOUR for n in range(24 * 31)]
    one.until(START + 31 * DAY)
    assert (one.told, len(one.asked)) == ([], 3)


def test_idle_sends_exactly_ten_days_after_the_last_activity() -> None:
    one = Enrolled(DEMO)
    one.used = [START + 3 * DAY, START + 7 * DAY + HOUR]
    assert one.until(START + 60 * DAY).told == [("demo", "sent", START + 17 * DAY + HOUR)]


def test_repeated_idle_sends_once_per_spell() -> None:
    one = Enrolled(DEMO | {"repeat": True})
    one.used = [START + 35 * DAY + HOUR]
    one.until(START + 60 * DAY)
    assert one.told == [
        ("demo", "sent", START + 10 * DAY),
        ("demo", "sent", START + 45 * DAY + HOUR),
    ]


def test_a_zone_change_between_two_spells_delays_nothing() -> None:
    one = Enrolled(DEMO | {"repeat": True, "grace": "1 hour"})
    one.used = [START + 11 * DAY]
    one.until(START + 15 * DAY).moves(START + 15 * DAY, zone="Asia/Tokyo").until(START + 40 * DAY)
    assert one.told[1:] == [("demo", "sent", START + 21 * DAY)]


def test_an_idle_check_that_comes_late_settles_nothing_twice() -> None:
    one = Enrolled(DEMO | {"repeat": True, "grace": "1 hour"}).until(START + 11 * DAY)
    one.wake(START + 38 * DAY)
    assert one.told == [("demo", "sent", START + 10 * DAY)]
    assert one.asked[-1].until > START + 38 * DAY


def test_an_idle_check_answered_as_sent_settles_nothing_twice() -> None:
    one = Enrolled(DEMO | {"repeat": True}).until(START + 11 * DAY)
    check = one.take(START + 20 * DAY)
    assert check.spell_settled
    assert one.answer(check, SENT).told == [("demo", "sent", START + 10 * DAY)]
    assert one.next_at == START + 30 * DAY


def test_a_spell_that_ended_during_a_pause_is_found_after_it() -> None:
    one = Enrolled(DEMO | {"repeat": True})
    one.used = [START + 12 * DAY]
    one.until(START + DAY).tell(Pause(at=START + DAY)).until(START + 15 * DAY)
    one.tell(Resume(at=START + 15 * DAY)).until(START + 30 * DAY)
    assert one.told == [
        ("demo", Reason.EXPIRED, START + 15 * DAY),
        ("demo", "sent", START + 22 * DAY),
    ]


# --- Rule 9: one instant --------------------------------------------------------------------


def test_a_step_due_exactly_at_the_end_goes_out() -> None:
    one = Enrolled(TIP, DEMO, ends_at="start + 2 days").until(START + 9 * DAY)
    assert one.told == [("tip", "sent", START + 2 * DAY)]
    assert one.ending == (Ending.COMPLETED, START + 2 * DAY)


def test_a_step_due_after_the_end_gets_no_decision() -> None:
    one = Enrolled(TIP, ends_at="start + 47 hours").until(START + 9 * DAY)
    assert (one.told, one.ending) == ([], (Ending.COMPLETED, START + 47 * HOUR))


def test_steps_due_at_one_moment_come_in_file_order_each_after_the_answer() -> None:
    one = Enrolled({"id": "b", "at": "start"}, {"id": "a", "at": "start"})
    first = one.take(START)
    assert (first.step, one.machine.take(START)) == ("b", None)
    one.answer(first, SENT)
    assert one.take(START).step == "a"


def test_steps_overdue_after_a_pause_come_in_file_order() -> None:
    later_first = ({"id": "late", "at": "start + 3 hours"}, {"id": "early", "at": "start + 1 hour"})
    one = Enrolled(*later_first).tell(Pause(at=START)).until(START + 5 * HOUR)
    one.tell(Resume(at=START + 5 * HOUR)).until(START + 5 * HOUR)
    assert [step for step, _, _ in one.told] == ["late", "early"]


def test_a_step_in_trouble_for_ten_seconds_holds_up_no_other() -> None:
    one = Enrolled({"id": "a", "at": "start"}, {"id": "b", "at": "start"})
    stuck = one.take(START)
    assert one.machine.wakeup(START).at == START + timedelta(seconds=10)  # type: ignore[union-attr]
    assert one.machine.take(START + timedelta(seconds=9)) is None
    assert one.take(START + timedelta(seconds=10)).step == "b"
    one.answer(stuck, SENT)
    assert one.told == [("a", "sent", START)]


def test_the_end_waits_for_a_step_in_trouble_which_is_settled_by_then() -> None:
    one = Enrolled(TIP, ends_at="start + 50 hours")
    delivery = one.take(START + 2 * DAY)
    assert delivery.until == START + 50 * HOUR
    one.wake(START + 50 * HOUR)
    assert (one.ending, one.next_at) == (None, None)
    one.answer(delivery, not_sent(Reason.PROVIDER_DOWN))
    assert one.told == [("tip", "provider_down", START + 2 * DAY)]
    assert one.ending == (Ending.COMPLETED, START + 2 * DAY)  # all of it was settled then


def test_an_answer_that_leads_nowhere_is_not_asked_for_again_at_once() -> None:
    one = Enrolled(TIP)
    delivery = one.take(START + 2 * DAY)
    one.answer(delivery, NotBefore(until=delivery.at - HOUR))
    assert one.machine.take(START + 2 * DAY) is None
    assert one.next_at == START + 2 * DAY + timedelta(seconds=10)


# --- Rule 10: the time of a decision --------------------------------------------------------


def test_what_a_pause_held_goes_out_at_the_resume() -> None:
    one = Enrolled(TIP, DEMO).tell(Pause(at=START + DAY)).until(START + 2 * DAY + HOUR)
    one.tell(Resume(at=START + 2 * DAY + HOUR)).until(START + 2 * DAY + HOUR)
    assert one.told == [("tip", "sent", START + 2 * DAY + HOUR)]


def test_what_a_pause_held_past_its_grace_has_expired_at_the_resume() -> None:
    one = Enrolled(TIP, DEMO).tell(Pause(at=START + DAY)).until(START + 9 * DAY)
    one.tell(Resume(at=START + 9 * DAY)).until(START + 9 * DAY)
    assert one.told == [("tip", Reason.EXPIRED, START + 9 * DAY)]


def test_repeats_missed_in_a_pause_are_decided_at_the_resume() -> None:
    one = Enrolled({"id": "a", "at": "start", "repeat": "daily", "grace": "36 hours"})
    one.until(START).tell(Pause(at=START + HOUR)).until(START + 3 * DAY + HOUR)
    one.tell(Resume(at=START + 3 * DAY + HOUR)).until(START + 3 * DAY + HOUR)
    assert one.told[1:] == [
        ("a", Reason.EXPIRED, START + 3 * DAY + HOUR),
        ("a", "sent", START + 3 * DAY + HOUR),
        ("a", "sent", START + 3 * DAY + HOUR),
    ]


def test_a_pause_does_not_change_the_time_of_a_delivery_that_was_out() -> None:
    one = Enrolled(TIP, DEMO)
    delivery = one.take(START + 2 * DAY)
    one.tell(Pause(at=START + 2 * DAY + MINUTE)).tell(Resume(at=START + 2 * DAY + HOUR))
    assert one.answer(delivery, SENT).told == [("tip", "sent", START + 2 * DAY)]


def test_the_end_acts_during_a_pause_and_open_steps_get_no_decision() -> None:
    one = Enrolled(TIP, ends_at="start + 5 days").tell(Pause(at=START + DAY))
    one.until(START + 9 * DAY)
    assert (one.told, one.ending) == ([], (Ending.COMPLETED, START + 5 * DAY))


def test_an_exit_acts_during_a_pause() -> None:
    one = Enrolled(TIP).tell(Pause(at=START + DAY)).leaves(START + 3 * DAY)
    assert one.ending == (Ending.EXITED, START + 3 * DAY)


def test_a_late_wake_up_changes_no_time_of_decision() -> None:
    one = Enrolled(TIP, {"id": "next", "at": "tip + 1 hour"}).wake(START + 2 * DAY + 3 * HOUR)
    assert one.told == [
        ("tip", "sent", START + 2 * DAY),
        ("next", "sent", START + 2 * DAY + HOUR),
    ]


def test_after_an_outage_across_the_end_nothing_goes_out() -> None:
    one = Enrolled(TIP, DEMO, ends_at="start + 50 hours").wake(START + 51 * HOUR)
    assert (one.told, one.ending) == ([], (Ending.COMPLETED, START + 50 * HOUR))


def test_what_expired_before_the_end_is_told_even_after_an_outage_across_both() -> None:
    one = Enrolled(TIP, DEMO, ends_at="start + 5 days").wake(START + 6 * DAY)
    assert one.told == [("tip", Reason.EXPIRED, START + 2 * DAY)]
    assert one.ending == (Ending.COMPLETED, START + 5 * DAY)


def test_a_wake_up_a_little_late_at_the_end_still_sends() -> None:
    one = Enrolled(TIP, DEMO, ends_at="start + 2 days").wake(START + 2 * DAY + MINUTE)
    assert one.told == [("tip", "sent", START + 2 * DAY)]


def test_a_trait_that_moves_the_end_into_the_past_ends_it_then() -> None:
    one = Enrolled(TIP, ends_at="customer.ends", traits={"ends": "2026-12-23"})
    one.moves(START + DAY, ends="2026-11-20").until(START + DAY)
    assert one.ending == (Ending.COMPLETED, START + DAY)


# --- Completion -----------------------------------------------------------------------------


def test_it_completes_when_the_last_step_is_settled() -> None:
    one = Enrolled(TIP, ends_at="start + 30 days").until(START + 9 * DAY)
    assert one.ending == (Ending.COMPLETED, START + 2 * DAY)


def test_it_stays_open_for_an_expired_live_anchor_until_the_end() -> None:
    one = Enrolled(COUPON, traits={"ends": "2026-11-20"}, ends_at="start + 9 days")
    assert one.until(START + 8 * DAY).ended is None
    assert one.until(START + 9 * DAY).ending == (Ending.COMPLETED, START + 9 * DAY)


def test_it_completes_no_earlier_than_its_latest_decision() -> None:
    one = Enrolled({"id": "a", "at": "start"}, {"id": "b", "at": "start + 1 hour"})
    stuck = one.take(START)
    one.answer(one.take(START + HOUR), SENT).answer(stuck, SENT)
    assert one.ending == (Ending.COMPLETED, START + HOUR)


# --- Rule 11 and steps on steps -------------------------------------------------------------


def test_a_step_after_one_that_was_not_sent_is_settled_at_that_instant() -> None:
    one = Enrolled(TIP, {"id": "next", "at": "tip + 2 days"}, {"id": "last", "at": "next"})
    one.reply = lambda d: not_sent(Reason.UNSUBSCRIBED)
    one.until(START + 2 * DAY)
    assert one.told == [
        ("tip", Reason.UNSUBSCRIBED, START + 2 * DAY),
        ("next", Reason.ANCHOR_NOT_SENT, START + 2 * DAY),
        ("last", Reason.ANCHOR_NOT_SENT, START + 2 * DAY),
    ]
    assert one.ending == (Ending.COMPLETED, START + 2 * DAY)


def test_anchor_not_sent_goes_before_expired() -> None:
    one = Enrolled({"id": "next", "at": "tip - 9 days"}, TIP).wake(START + 9 * DAY)
    assert one.told == [
        ("tip", Reason.EXPIRED, START + 2 * DAY),
        ("next", Reason.ANCHOR_NOT_SENT, START + 2 * DAY),
    ]


def test_unknown_counts_as_sent_for_what_follows() -> None:
    one = Enrolled(TIP, {"id": "next", "at": "tip + 1 day"})
    one.reply = lambda d: SENT.model_copy(update={"decision": "unknown"})
    assert [step for step, _, _ in one.until(START + 9 * DAY).told] == ["tip", "next"]


def test_the_store_is_told_only_of_what_the_machine_decided_itself() -> None:
    one = Enrolled(TIP, {"id": "visit", "at": "event.day"}).until(START + 9 * DAY)
    kept = one.machine.state.unrecorded
    assert [s.step for s in kept] == ["visit"]
    one.machine.recorded(kept)
    assert one.machine.state.unrecorded == ()

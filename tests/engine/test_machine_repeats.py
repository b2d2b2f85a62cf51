"""Steps that come again: every new anchor value, daily to yearly, every event."""

from engine.reasons import Ending, Reason
from tests.engine.enrolled import DAY, HOUR, START, Enrolled, not_sent, utc


def test_daily_is_one_on_each_local_date() -> None:
    one = Enrolled({"id": "a", "at": "start at 09:00", "repeat": "daily"}, zone="Europe/Paris")
    one.until(START + 2 * DAY + HOUR)
    assert [at for _, _, at in one.told] == [START + n * DAY for n in range(3)]


def test_daily_on_weekdays_sends_once_on_monday() -> None:
    one = Enrolled(
        {
            "id": "a",
            "at": "start at 10:00",
            "repeat": "daily",
            "days": "mon-fri",
            "between": "09:00-18:00",
        }
    )
    one.until(START + 8 * DAY)
    days = [at.day for _, _, at in one.told]
    assert days == [23, 24, 25, 26, 27, 30]  # the month's end: Saturday 28th, Sunday 29th left out


def test_a_zone_change_to_the_east_sends_nothing_twice_on_one_local_date() -> None:
    daily = {"id": "a", "at": "start at 09:00", "repeat": "daily"}
    one = Enrolled(daily, zone="America/Los_Angeles").until(START + DAY)
    one.moves(START + DAY, zone="Pacific/Auckland").until(START + 4 * DAY)
    one.moves(START + 4 * DAY, zone="America/Los_Angeles").until(START + 9 * DAY)
    dates = [s.occurrence for s in one.machine.state.settled]
    assert len(dates) == len(set(dates))
    assert all(decision == "sent" for _, decision, _ in one.told)


def test_a_zone_change_to_the_west_does_not_bring_an_earlier_date_up() -> None:
    began = utc(2026, 11, 23, 11, 30)  # already the 24th in Auckland
    daily = {"id": "a", "at": "start at 09:00", "repeat": "daily"}
    one = Enrolled(daily, at=began, zone="Pacific/Auckland").until(began + 12 * HOUR)
    one.moves(began + 12 * HOUR, zone="America/Los_Angeles").until(began + 4 * DAY)
    assert [s.occurrence[-2:] for s in one.machine.state.settled] == ["24", "25", "26"]


def test_a_birthday_comes_every_year_from_the_start_on() -> None:
    one = Enrolled(
        {"id": "a", "at": "customer.birthday at 09:00", "repeat": "yearly"},
        traits={"birthday": "1990-02-28"},
    )
    one.until(utc(2028, 6, 1))
    assert one.told == [
        ("a", "sent", utc(2027, 2, 28, 9)),
        ("a", "sent", utc(2028, 2, 28, 9)),
    ]


def test_repeats_from_before_the_value_arrived_do_not_exist() -> None:
    one = Enrolled({"id": "a", "at": "customer.joined", "repeat": "weekly"})
    one.moves(START + 10 * DAY, joined="2026-11-24").until(START + 20 * DAY)
    assert one.told == [("a", "sent", utc(2026, 12, 8))]


def test_repeat_true_sends_on_every_new_value_and_on_none_twice() -> None:
    one = Enrolled(
        {"id": "a", "at": "customer.renews - 1 day", "repeat": True},
        traits={"renews": "2026-12-01"},
    )
    one.until(utc(2026, 12, 2)).moves(utc(2026, 12, 2), renews="2027-01-01")
    one.until(utc(2027, 1, 2)).moves(utc(2027, 1, 2), renews="2026-12-01").until(utc(2027, 2, 1))
    assert [at for _, _, at in one.told] == [utc(2026, 11, 30), utc(2026, 12, 31)]


def test_repeat_true_ignores_a_value_that_arrives_too_late() -> None:
    one = Enrolled({"id": "a", "at": "customer.renews", "repeat": True})
    one.moves(START + 5 * DAY, renews="2026-11-25").until(START + 9 * DAY)
    assert one.told == []


def test_missed_repeats_expire_one_by_one_at_their_times() -> None:
    one = Enrolled({"id": "a", "at": "start", "repeat": "daily", "grace": "1 hour"}).until(START)
    one.wake(START + 3 * DAY)
    assert one.told[1:] == [
        ("a", Reason.EXPIRED, START + DAY),
        ("a", Reason.EXPIRED, START + 2 * DAY),
        ("a", "sent", START + 3 * DAY),
    ]


def test_repeat_on_a_repeating_step_follows_each_of_its_sends() -> None:
    one = Enrolled(
        {"id": "a", "at": "start", "repeat": "weekly"},
        {"id": "b", "at": "a + 10 days", "repeat": True},
    )
    one.until(START + 20 * DAY)
    assert [at for step, _, at in one.told if step == "b"] == [START + 10 * DAY, START + 17 * DAY]


def test_a_step_after_a_repeating_one_settles_once() -> None:
    one = Enrolled({"id": "a", "at": "start", "repeat": "weekly"}, {"id": "b", "at": "a + 1 day"})
    one.reply = lambda d: not_sent()
    one.until(START + 20 * DAY)
    assert [told for told in one.told if told[0] == "b"] == [("b", Reason.ANCHOR_NOT_SENT, START)]


def test_weekly_after_a_step_that_was_never_sent_is_settled_for_good() -> None:
    one = Enrolled({"id": "a", "at": "start"}, {"id": "b", "at": "a", "repeat": "weekly"})
    one.reply = lambda d: not_sent()
    one.until(START)
    assert one.told[1:] == [("b", Reason.ANCHOR_NOT_SENT, START)]
    assert one.ending == (Ending.COMPLETED, START)


def test_weekly_after_a_step_counts_from_when_it_was_sent() -> None:
    one = Enrolled(
        {"id": "a", "at": "start + 1 day"},
        {"id": "b", "at": "a + 1 hour", "repeat": "weekly"},
        ends_at="start + 16 days",
    )
    one.until(START + 30 * DAY)
    assert [at for step, _, at in one.told if step == "b"] == [
        START + DAY + HOUR,
        START + 8 * DAY + HOUR,
        START + 15 * DAY + HOUR,
    ]


def test_an_event_fires_once_without_repeat() -> None:
    one = Enrolled(
        {"id": "a", "after_event": "used", "wait": "1 hour"}, {"id": "b", "at": "start + 9 days"}
    )
    one.event("used", START + DAY, fires=("a",)).event("used", START + 2 * DAY, fires=("a",))
    assert one.until(START + 5 * DAY).told == [("a", "sent", START + DAY + HOUR)]


def test_with_repeat_every_event_fires_and_none_twice() -> None:
    one = Enrolled({"id": "a", "after_event": "used", "wait": "2 days", "repeat": True})
    for at in (START + DAY, START + 2 * DAY, START + 2 * DAY):
        one.event("used", at, fires=("a",))
    assert [at for _, _, at in one.until(START + 9 * DAY).told] == [
        START + 3 * DAY,
        START + 4 * DAY,
    ]
    one.event("used", START + DAY, fires=("a",)).until(START + 12 * DAY)
    assert len(one.told) == 2


def test_an_event_of_long_ago_does_not_send() -> None:
    one = Enrolled({"id": "a", "after_event": "used", "repeat": True}, entered_at=START + 9 * DAY)
    one.event("used", START + DAY, fires=("a",)).until(START + 9 * DAY)
    assert one.told == [("a", Reason.EXPIRED, START + 9 * DAY)]
